"""Finger: Debian's client, IPv4 and IPv6, what the Postmaster may switch, and clients that mean no good."""
import re
import select
import socket
import tempfile
import time

import accounts
from dns_server import WithDns
from harness import Pool, SystemTest, needs_program, needs_root
from instance import DOMAIN, HOSTNAME, Instance, everything
from namespace import Network, View
from test_inetd import InetdInstance

PORTS = {"smtp": 25, "submission": 587, "smtps": 465, "pop3": 110, "pop3s": 995, "finger": 79}
# The Guide, section 3.3.2, with this host's name.
POSTMASTER = f"""[{HOSTNAME}]
Account Name: Mail Administrator
Email address: Postmaster@{HOSTNAME}
------
mail system administrator.
"""
NOT_OPEN = "Finger is not open to your address.\r\n"


def person(name, login, addresses, information=(), **more):
    return accounts.form({"User's-Real-Name": name, "Mail-Account-Password": accounts.READY_HASH, "POP-Login-Name": login,
                          "Internet-Addresses": addresses, "Finger-Information": list(information), **more})


JANE = person("Jane Lee", "jlee", [f"Jane.Lee@{DOMAIN}", f"jane@{HOSTNAME}", "jane@second.example"],
              ["Room 7, Jürgen's wing", "", "   call 1 to 5"], **{"Forwarding-Addresses": "hidden@elsewhere.example",
                                                                   "POP3-Delivery": "yes"})
BOB = person("Bob", "bob", [f"bob@{DOMAIN}"])
JANE_TEXT = (f"[{HOSTNAME}]\r\nAccount Name: Jane Lee\r\nEmail address: Jane.Lee@{DOMAIN}\r\n------\r\n"
             "Room 7, Jürgen's wing\r\n\r\n   call 1 to 5\r\n")


class FingerTest(SystemTest):
    def connect(self, source=None):
        return self.instance.finger_client(source)

    def raw(self, octets):
        with self.connect() as s:
            s.sendall(octets)
            return everything(s)

    def ask(self, query, source=None):
        return self.instance.finger(query, source)

    def assert_one_line(self, answer, start=""):
        """Without a name of the host, without anything that would steer a terminal."""
        answer = answer.decode() if isinstance(answer, bytes) else answer
        self.assertRegex(answer, r"\A[^\x00-\x1f\x7f-\x9f\u2028-\u202e]+\r\n\Z")
        self.assertTrue(answer.startswith(start), answer)


class Queries(FingerTest):
    own = {"people": [JANE, BOB], "users": 3, "forms": {"mail-routing": {"Address-Completion-Domain": DOMAIN}}}

    def test_by_every_name_of_the_account(self):
        for query in ("jane.lee", "JANE.LEE", "jane", "jlee", f"jane.lee@{DOMAIN}", f"jane@{HOSTNAME}", "jane@second.example",
                      "/W jane", "/w jane", "jane /W", "  jane  "):
            with self.subTest(query):
                self.assertEqual(self.ask(query), JANE_TEXT)

    def test_bare_line_feed(self):
        self.assertEqual(self.raw(b"jane\n").decode(), JANE_TEXT)

    def test_client_that_closes_its_half(self):
        with self.connect() as s:
            s.sendall(b"jane\r\n")
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(everything(s).decode(), JANE_TEXT)

    def test_without_information_there_is_no_rule(self):
        self.assertEqual(self.ask("bob"), f"[{HOSTNAME}]\r\nAccount Name: Bob\r\nEmail address: bob@{DOMAIN}\r\n")

    def test_postmaster_of_every_domain(self):
        for query in ("postmaster", "Postmaster", f"postmaster@{HOSTNAME}", f"postmaster@{DOMAIN}", "postmaster@second.example"):
            self.assertEqual(self.ask(query), POSTMASTER.replace("\n", "\r\n"), query)

    def test_nobody(self):
        for query in ("nobody", "Jane Lee", "jane+x", f"jlee@{DOMAIN}", "x" * 512):
            with self.subTest(query):
                self.assert_one_line(self.ask(query), "There is no account ")

    def test_nothing_is_forwarded(self):
        for query in ("jane@elsewhere.example", "@elsewhere.example", f"jane@{DOMAIN}@{HOSTNAME}", "@127.0.0.1", "jane@[127.0.0.1]",
                      f"@{HOSTNAME}@{HOSTNAME}"):
            with self.subTest(query):
                self.assert_one_line(self.ask(query), "Queries are not forwarded from here; ask ")

    def test_what_is_no_query(self):
        for query in ("jane@", "@", "a@@b"):
            self.assert_one_line(self.ask(query), "A host name must stand ")

    def test_change_is_seen_at_once(self):
        user = self.user()
        for n in range(3):
            self.instance.account_set(user.address, Finger_Information=[f"number {n}", "and more"])
            self.assertTrue(self.ask(user.login).endswith(f"------\r\nnumber {n}\r\nand more\r\n"))

    def test_switched_off_is_not_there(self):
        user = self.user()
        self.assertIn("Account Name", self.ask(user.login))
        self.instance.account_set(user.address, Finger_Allowed="no")
        absent = self.ask("user9")
        self.assertEqual(self.ask(user.login), absent.replace("user9", user.login))
        self.instance.account_set(user.address, Finger_Allowed="yes")
        self.assertIn("Account Name", self.ask(user.login))

    def test_locked_is_shown(self):
        user = self.user(Account_Locked="yes")
        self.assertIn("Account Name", self.ask(user.login))

    def test_list_only_if_allowed(self):
        for query in ("", "/W", f"@{HOSTNAME}"):
            self.assert_one_line(self.ask(query), "Accounts are not listed here")
        self.instance.account_set(f"bob@{DOMAIN}", Finger_Allowed="no")
        self.instance.form_set("system-security", Finger_List_Users="yes")
        try:
            for query in ("", "/W ", f"@{HOSTNAME}", f"@{DOMAIN}"):
                lines = self.ask(query).split("\r\n")
                self.assertEqual(lines[:3], [f"[{HOSTNAME}]", f"Mail Administrator <Postmaster@{HOSTNAME}>",
                                             f"Jane Lee <Jane.Lee@{DOMAIN}>"])
                self.assertNotIn("Bob", "".join(lines))
        finally:
            self.instance.form_set("system-security", Finger_List_Users="no")
            self.instance.account_set(f"bob@{DOMAIN}", Finger_Allowed="yes")
        self.assert_one_line(self.ask(""), "Accounts are not listed here")

    def test_without_the_host_line(self):
        self.instance.form_set("system-security", Finger_Host_Line="no")
        try:
            self.assertTrue(self.ask("jane").startswith("Account Name: Jane Lee\r\n"))
        finally:
            self.instance.form_set("system-security", Finger_Host_Line="yes")

    def test_access_list_is_seen_at_once(self):
        changes = (("192.0.2.0/24", False), ("127.0.0.0/30", True), ("127.0.0.9", False), (["127.0.0.9", "127.0.0.0"], True),
                   ("trusted.example", False), ("", True))
        try:
            for rules, open_to_us in changes:
                self.instance.form_set("system-security", Finger_Access=rules)
                self.assertEqual(self.ask("jane", source="127.0.0.1"), JANE_TEXT if open_to_us else NOT_OPEN, rules)
        finally:
            self.instance.form_set("system-security", Finger_Access="")

    def test_log_and_counters(self):
        self.ask("jane")
        self.ask("absent\u202e")
        self.raw(b"x\x1b]0;\x07\r\n")
        lines = [line for line in self.instance.log_text().splitlines() if "event=finger " in line][-3:]
        self.assertRegex(lines[0], r"proc=fingerd\.1 event=finger session=\S+ client=127\.0\.0\.1 query=jane outcome=shown account=2$")
        self.assertRegex(lines[1], r'query="absent\\xe2\\x80\\xae" outcome=no-account$')
        self.assertRegex(lines[2], r'query="x\\x1b\]0;\\x07" outcome=bad-query$')
        outcomes = re.findall(r"event=finger .*outcome=(\S+)", self.instance.log_text())
        given = sum(outcome in ("shown", "listed") for outcome in outcomes)
        self.instance.until(lambda: self.finger_counters() == (given, len(outcomes) - given), 10, "the counters")

    def finger_counters(self):
        row, = [row for row in self.instance.status()["processes"] if row["name"] == "fingerd.1"]
        self.assertEqual(row["module"], "Finger-Server")
        return row["served"], row["refused"]


class Hostile(FingerTest):
    own = {"people": [JANE], "users": 2, "forms": {"system-configuration": {"Finger-Sessions-per-Address": "5000"}}}

    def test_control_characters_do_not_come_back(self):
        for octets in (b"\x1b[2J", b"a\x00b", b"a\rb", b"\xff\xfe", b"\xc2\x9b[2J", b"a\x7f", b"a\tb", b"jane\r\r"):
            with self.subTest(octets):
                self.assert_one_line(self.raw(octets + b"\r\n"), "A query is one line of UTF-8 ")
        self.assertEqual(self.ask("a\u202eb\u2066c\u2028d"), "There is no account a?b?c?d here.\r\n")
        self.assertEqual(self.ask("Jürgen"), "There is no account Jürgen here.\r\n")

    def test_too_long(self):
        for octets in (b"x" * 513 + b"\r\n", b"x" * 100_000, b"\x00" * 10_000):
            self.assert_one_line(self.raw(octets), "A query has at most 512 octets.")
        with self.connect() as s:  # who goes on sending gets the line as well, and is cut off
            deadline = time.monotonic() + 60  # what still comes is thrown away for a moment
            with self.assertRaises(ConnectionError):
                while time.monotonic() < deadline:
                    s.sendall(b"x" * 65536)

    def test_what_comes_behind_the_query_is_not_read(self):
        self.assertEqual(self.raw(b"jane\r\nnobody\r\n" + b"x" * 10_000).decode(), JANE_TEXT)

    def test_no_line_end(self):
        with self.connect() as s:
            s.sendall(b"jane")
            s.shutdown(socket.SHUT_WR)
            self.assert_one_line(everything(s), "A query ends with CRLF")
        with self.connect() as s:
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(everything(s), b"")

    def test_every_way_to_cut_a_query(self):
        query = b"/W jane\r\n"
        for cut in range(1, len(query)):
            with self.connect() as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(query[:cut])
                time.sleep(0.02)
                s.sendall(query[cut:])
                self.assertEqual(everything(s).decode(), JANE_TEXT)

    def test_two_hundred_half_open_and_one_who_dawdles(self):
        """They are told so after ten seconds, and others are served meanwhile."""
        start = time.monotonic()
        silent = [self.connect() for _ in range(200)]
        slow, last, served = self.connect(), None, 0
        try:
            while not (told := select.select([slow, *([last] if last else [])], [], [], 0.5)[0]):
                if not select.select([silent[0]], [], [], 0)[0]:
                    slow.sendall(b"x")
                self.assertEqual(self.ask("jane"), JANE_TEXT)
                served += 1
                if last is None and time.monotonic() - start > 5:
                    last = self.connect()
            self.assertGreater(served, 0)
            self.assertIn(slow, told, "an octet now and then stretches nothing: who came after him was told before")
            for s in [*silent, slow]:
                self.assert_one_line(everything(s), "No query came within 10 seconds.")
            self.assertGreater(time.monotonic() - start, 9)
        finally:
            for s in [*silent, slow, *([last] if last else [])]:
                s.close()

    def test_those_who_hang_up(self):
        sockets = [self.connect() for _ in range(100)]
        for n, s in enumerate(sockets):
            if n % 2:
                s.sendall(b"jane\r\n" if n % 4 == 1 else b"ja")
            if n % 3 == 0:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
            s.close()
        self.assertEqual(self.ask("jane"), JANE_TEXT)

    def test_sessions_per_address(self):
        self.instance.form_set("system-configuration", Finger_Sessions_per_Address="3")
        try:
            held = [self.connect("127.0.0.9") for _ in range(3)]
            with self.connect("127.0.0.9") as s:
                self.assert_one_line(everything(s), "There are too many connections from your address")
            self.assertEqual(self.ask("jane", source="127.0.0.10"), JANE_TEXT)
            for s in held:
                s.close()
            self.instance.until(self.is_served_at_nine, 5, "a place for the next one")
        finally:
            self.instance.form_set("system-configuration", Finger_Sessions_per_Address="5000")

    def is_served_at_nine(self):
        try:
            return self.ask("jane", source="127.0.0.9") == JANE_TEXT
        except ConnectionError:  # one too many is cut off, whatever he sends
            return False

    def test_started_again_after_its_death(self):
        victim, = self.instance.processes()["fingerd"]
        self.instance.signal(victim, 9)
        self.assertEqual(self.ask("jane"), JANE_TEXT)
        self.assertNotEqual(self.instance.processes()["fingerd"], [victim])

    def test_stop_does_not_wait_for_clients(self):
        """They are told."""
        with self.connect() as s:
            self.instance.until(lambda: self.sessions() == 1, 60, "the session")
            self.assertEqual(self.instance.stop(), 0)
            self.assert_one_line(everything(s), "The mail system stops at the moment")
        self.instance.start()
        self.instance.until(lambda: "fingerd" in self.instance.processes(), 10, "fingerd")
        self.assertEqual(self.ask("jane"), JANE_TEXT)

    def sessions(self):
        return sum(row["sessions"] for row in self.instance.status()["processes"] if row["name"].startswith("fingerd"))


class ByName(WithDns, FingerTest):
    """An access list of names, which only a look-up that leads back confirms."""
    own = {"users": 0, "people": [JANE],
           "forms": {"system-security": {"Finger-Access": ["trusted.example", "127.0.0.20"]}}}

    def test_confirmed_names_alone(self):
        self.assertEqual(self.ask("jane", source="127.0.0.2"), JANE_TEXT)
        self.assertEqual(self.ask("jane", source="127.0.0.3"), NOT_OPEN)
        self.assertEqual(self.ask("jane", source="127.0.0.4"), NOT_OPEN)  # whose name does not lead back
        self.assertEqual(self.ask("jane", source="127.0.0.9"), NOT_OPEN)

    def test_client_that_closes_its_half_waits_for_dns(self):
        with self.connect("127.0.0.2") as s:
            s.sendall(b"jane\r\n")
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(everything(s).decode(), JANE_TEXT)

    def test_numbers_ask_nobody(self):
        before = self.dns.questions().count("20.0.0.127")
        self.assertEqual(self.ask("jane", source="127.0.0.20"), JANE_TEXT)
        self.assertEqual(self.dns.questions().count("20.0.0.127"), before)

    def test_without_an_answer_nobody_is_let_in(self):
        self.dns.process.send_signal(19)
        try:
            self.assert_one_line(self.ask("jane", source="127.0.0.6"), "Finger is not open to your address, as long as")
        finally:
            self.dns.process.send_signal(18)


class Client(FingerTest):
    """Debian's finger, which asks port 79 only, in a network where that is ours."""
    own = {}
    kind = Instance

    @classmethod
    @needs_root
    @needs_program("finger", "inetd")
    def setUpClass(cls):
        cls.network = Network()
        cls.folder = tempfile.TemporaryDirectory(prefix="post.office-finger-")
        cls.view = View(cls.folder.name, etc={"hosts": f"127.0.0.1 localhost {HOSTNAME}\n::1 six.post.example\n"})
        cls.instance = cls.kind(Pool.build, users=1, people=[JANE], network=cls.network, ports=PORTS,
                                extra=["service finger6 finger [::1]:79 fingerd"])
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.folder.cleanup()
            cls.network.close()

    def finger(self, *words):
        with self.network:
            done = self.view.run("finger", *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_the_guides_example_to_the_letter(self):
        self.assertEqual(self.finger(f"postmaster@{HOSTNAME}"), POSTMASTER)

    def test_over_ipv6(self):
        self.assertEqual(self.finger("postmaster@six.post.example"), POSTMASTER)
        self.assertEqual(self.finger("postmaster@::1"), POSTMASTER)
        self.assertRegex(self.instance.log_text(), r"event=finger session=\S+ client=::1 query=postmaster outcome=shown")

    def test_several_lines_in_utf8(self):
        self.assertEqual(self.finger(f"jane@{HOSTNAME}"), JANE_TEXT.replace("\r\n", "\n"))
        self.assertEqual(self.finger("-l", f"jane@{HOSTNAME}"), JANE_TEXT.replace("\r\n", "\n"))

    def test_nobody_in_particular(self):
        line = f"Accounts are not listed here; ask for one, as in finger postmaster@{HOSTNAME}.\n"
        self.assertEqual(self.finger(f"@{HOSTNAME}"), line)
        self.assertEqual(self.finger("-l", f"@{HOSTNAME}"), line)

    def test_forwarding_is_refused(self):
        self.assertEqual(self.finger(f"jane@elsewhere.example@{HOSTNAME}"),
                         "Queries are not forwarded from here; ask elsewhere.example itself.\n")

    def test_item_86_both_forms_of_address(self):
        for query in (f"jane@{HOSTNAME}@{HOSTNAME}", f"jane.lee@{DOMAIN}@{HOSTNAME}"):
            self.assertEqual(self.finger(query), JANE_TEXT.replace("\r\n", "\n"), query)


class UnderInetd(Client):
    """The same, with every connection accepted by openbsd-inetd."""

    class kind(InetdInstance):
        def write_conf(self):
            self.extra = []
            super().write_conf()
            with open(self.base / "inetd.conf", "a", encoding="utf-8") as conf:
                conf.write(f"[::1]:79 stream tcp6 nowait {self.user.pw_name} {self.program / 'fingerd'} fingerd --inetd finger "
                           f"{self.spool}\n")

    @classmethod
    def tearDownClass(cls):
        cls.instance.stop_inetd()
        super().tearDownClass()

    def test_the_suite_itself_has_no_port(self):
        self.instance.stop_inetd()
        try:
            with self.network, self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", 79), timeout=5)
        finally:
            self.instance.start_inetd()
        self.instance.wait_ready()

    def test_nobody_to_serve(self):
        self.assertEqual(self.instance.stop(), 0)
        try:
            self.assertEqual(self.finger(f"postmaster@{HOSTNAME}"), "The mail system is not running; try again later.\n")
        finally:
            self.instance.start()
        self.instance.until(lambda: self.finger(f"postmaster@{HOSTNAME}") == POSTMASTER, 10, "finger")
