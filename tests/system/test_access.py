"""Access restrictions by number and by name, with real DNS on the loopback address; and life without DNS."""
import os
import socket
import subprocess
import time
from pathlib import Path

from dns_server import WithDns
from harness import Pool, SystemTest, needs_program
from instance import ROOT, Instance


class AccessTest(SystemTest):
    def login(self, user, source):
        """The answer to PASS from that address."""
        with self.instance.pop3(source=source) as pop:
            pop.cmd("USER " + user.login)
            pop.send_line("PASS " + user.password)
            return pop.read_line()

    def assert_may(self, user, source):
        answer = self.login(user, source)
        self.assertTrue(answer.startswith(b"+OK"), f"from {source}: {answer}")

    def assert_may_not(self, user, source):
        answer = self.login(user, source)
        self.assertTrue(answer.startswith(b"-ERR"), f"from {source}: {answer}")


class ByNumber(AccessTest):
    def test_exact_address(self):
        user = self.user(General_Access_Restrictions="127.0.0.5")
        self.assert_may(user, "127.0.0.5")
        self.assert_may_not(user, "127.0.0.6")
        self.assert_may_not(user, "127.0.0.1")

    def test_trailing_zero_is_a_wildcard(self):
        user = self.user(General_Access_Restrictions="127.0.5.0")
        self.assert_may(user, "127.0.5.77")
        self.assert_may_not(user, "127.0.6.77")

    def test_network(self):
        user = self.user(General_Access_Restrictions=["192.0.2.0/24", "127.0.0.8/30"])
        self.assert_may(user, "127.0.0.11")
        self.assert_may_not(user, "127.0.0.12")

    def test_submission_too(self):
        user = self.user(General_Access_Restrictions="127.0.0.5")
        with self.instance.submission(source="127.0.0.5") as smtp:
            smtp.auth(user.address, user.password, 235)
        with self.instance.submission(source="127.0.0.6") as smtp:
            reply = smtp.auth(user.address, user.password, 535, 550, 525, 530)
            self.assertNotEqual(reply.code, 235)

    def test_mail_still_arrives(self):
        user = self.user(General_Access_Restrictions="192.0.2.1")
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: a\r\n\r\n", to=user.address)
        self.assert_may_not(user, "127.0.0.1")
        self.instance.account_set(user.address, **{"General-Access-Restrictions": ""})
        self.only_message(user)

    def test_wrong_password_is_not_told_of_the_restriction(self):
        user = self.user(General_Access_Restrictions="192.0.2.1")
        other = self.user()
        user.password = other.password = "wrong password"
        self.assertEqual(self.login(user, "127.0.0.21"), self.login(other, "127.0.0.22"))

    def test_names_without_dns_do_not_match(self):
        """The shared instance has no resolver: a restriction by name is not fulfilled."""
        user = self.user(General_Access_Restrictions=["good.trusted.example"])
        self.assert_may_not(user, "127.0.0.2")


class ByName(WithDns, AccessTest):
    own = {"users": 20}

    def test_host_name(self):
        user = self.user(General_Access_Restrictions="good.trusted.example")
        self.assert_may(user, "127.0.0.2")
        self.assert_may_not(user, "127.0.0.3")

    def test_domain_matches_everything_under_it(self):
        user = self.user(General_Access_Restrictions="trusted.example")
        self.assert_may(user, "127.0.0.2")
        self.assert_may_not(user, "127.0.0.3")

    def test_reverse_name_that_does_not_lead_back(self):
        user = self.user(General_Access_Restrictions="trusted.example")
        self.assert_may_not(user, "127.0.0.4")

    def test_address_without_a_name(self):
        user = self.user(General_Access_Restrictions="trusted.example")
        self.assert_may_not(user, "127.0.0.9")

    def test_truncated_answer_is_asked_again_over_tcp(self):
        answer = self.dns.udp_answer("large.trusted.example")
        self.assertTrue(answer[2] & 2, "the test's own premise: this answer comes truncated")
        self.assertNotIn(bytes([127, 0, 0, 6]), answer[12:], "and without the address that is needed")
        user = self.user(General_Access_Restrictions="large.trusted.example")
        if 'off="DNS over TCP"' in self.instance.log_text():  # no TCP rules in this kernel's Landlock: internals(7)
            self.assert_may_not(user, "127.0.0.6")
        else:
            self.assert_may(user, "127.0.0.6")

    def test_number_and_name_together(self):
        user = self.user(General_Access_Restrictions=["127.0.0.3", "good.trusted.example"])
        self.assert_may(user, "127.0.0.2")
        self.assert_may(user, "127.0.0.3")
        self.assert_may_not(user, "127.0.0.4")

    def test_names_stand_in_the_trace(self):
        user = self.user()
        with self.instance.smtp(source="127.0.0.2") as smtp:
            time.sleep(1)  # nobody waits for a name that only the trace wants
            smtp.ehlo("hello.example").deliver(b"Subject: a\r\n\r\n", to=user.address)
        self.assertRegex(self.only_message(user), rb"(?s)from hello\.example \(good\.trusted\.example \[127\.0\.0\.2\]\)")

    def test_unconfirmed_names_do_not(self):
        user = self.user()
        with self.instance.smtp(source="127.0.0.4") as smtp:
            time.sleep(1)
            smtp.ehlo("hello.example").deliver(b"Subject: a\r\n\r\n", to=user.address)
        self.assertNotIn(b"liar", self.only_message(user))

    def test_answers_are_cached(self):
        user = self.user(General_Access_Restrictions="good.trusted.example")
        self.assert_may(user, "127.0.0.2")
        asked = lambda: self.dns.questions().count("query[PTR] 2.0.0.127.in-addr.arpa")
        self.assertGreater(asked(), 0, "nothing was asked: the test looks at the wrong place")
        before = asked()
        for _ in range(6):
            self.assert_may(user, "127.0.0.2")
        self.assertEqual(asked(), before)


class SilentDns(AccessTest):
    """Resolvers that never answer: mail goes on."""
    own = {}

    @classmethod
    def setUpClass(cls):
        cls.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        cls.silent.bind(("127.0.0.1", 0))
        cls.instance = Instance(Pool.build, users=20, resolvers=[f"127.0.0.1:{cls.silent.getsockname()[1]}"])
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.silent.close()

    def test_mail_goes_on(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: a\r\n\r\n", to=user.address)
        self.only_message(user)

    def test_restriction_by_name_is_not_fulfilled(self):
        user = self.user(General_Access_Restrictions="trusted.example")
        self.assert_may_not(user, "127.0.0.2")


class ByNameWithoutLandlock(ByName):
    """The resolver is asked with sockets that are not connected, and by UDP alone."""
    own = {**ByName.own, "launcher": [ROOT / "tests/system/without_landlock"]}

    def test_what_is_off(self):
        self.assertRegex(self.instance.log_text(), r'proc=pop3d.1 event=confined landlock_abi=0 off="DNS over TCP"')


class NoDns(SystemTest):
    """An invented domain, `resolver none`, no reverse names: mail works without any DNS."""
    own = {"users": 5}

    def test_mail_without_any_resolver(self):
        self.assertEqual(self.instance.resolvers, [])
        self.assert_works()


class Probe(SystemTest):
    """The resolver by itself, against dnsmasq (tests/system/dns_probe)."""

    @needs_program("dnsmasq")
    def test_resolver(self):
        probe = Path(__file__).with_name("dns_probe")
        if not os.access(probe, os.X_OK):
            self.skipTest("no dns_probe here")
        done = subprocess.run([probe, Pool.build], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
