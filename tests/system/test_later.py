"""What happens to a message after hours and days: queue with its clock put on (tests/system/later_clock.cc)."""
import time
import unittest

from faulty_server import FaultyServer
from harness import Pool, SystemTest
from instance import PROGRAMS, Instance, free_ports
from outbound import letter, report_of


class Later(SystemTest):
    own = {}

    @classmethod
    def setUpClass(cls):
        later = Pool.build / "tests" / "queue_later"
        if "smtp-deliver" not in PROGRAMS or not later.exists():
            raise unittest.SkipTest(f"no {later}: make unit-tests")
        cls.servers, cls.port = FaultyServer(), free_ports(1)[0]
        cls.instance = Instance(Pool.build, users=40, programs={"queue": later}, forms={
            "mail-routing": {"Mail-Routing-Table": [f"*:[127.0.0.1]:{cls.port}"]}})
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.servers.close()

    def send(self, mark, user, to="jane@away.example", **how):
        fields = how.pop("fields", {})
        with self.instance.submission(user) as smtp:
            smtp.deliver(letter(mark, author=user.address, **fields), sender=user.address, to=to, **how)

    def go_to(self, hours):
        """Ended, and started again so many hours after now."""
        self.instance.stop()
        (self.instance.program / "queue.later").write_text(str(hours))
        (self.instance.program / "queue.later").chmod(0o644)
        self.instance.start()

    def notices_after(self, hours, *users, settle=3.0):
        """What is in each mailbox after some seconds on that day; read today, for a ticket is not good for hours."""
        self.go_to(hours)
        time.sleep(settle)
        self.go_to(0)
        found = []
        for user in users:
            found.append(self.instance.fetch_all(user, delete=True))
        return found

    def test_warned_then_returned(self):
        """After 4 hours a warning, once; none for bulk, and none for who did not ask; after 5 days it comes back."""
        one, bulk, quiet, eager = (self.user() for _ in range(4))
        self.send("late", one)
        self.send("late bulk", bulk, fields={"Precedence": "bulk"})
        self.send("late, unasked", quiet, rcpt_parameters=" NOTIFY=FAILURE")
        self.send("late, asked", eager, rcpt_parameters=" NOTIFY=DELAY,FAILURE")

        early = self.notices_after(1, one, bulk, quiet, eager)
        self.assertEqual(early, [[], [], [], []])
        warned = self.notices_after(5, one, bulk, quiet, eager)
        self.assertEqual([len(w) for w in warned], [1, 0, 0, 1])
        for notices in (warned[0], warned[3]):
            text, recipients, _, _ = report_of(notices[0])
            self.assertEqual(recipients[0]["Action"], "delayed")
            self.assertTrue(recipients[0]["Status"].startswith("4."), recipients[0]["Status"])
            self.assertTrue(recipients[0]["Will-Retry-Until"])
            self.assertIn("jane@away.example", text)
        again = self.notices_after(30, one, bulk, quiet, eager)
        self.assertEqual(again, [[], [], [], []], "a second warning")

        # A host that was away for days gets what still waits.
        returned = self.notices_after(121, one, bulk, quiet, eager)
        self.assertEqual([len(r) for r in returned], [1, 1, 1, 1])
        for notices in returned:
            _, recipients, _, part = report_of(notices[0])
            self.assertEqual(recipients[0]["Action"], "failed")
            self.assertEqual(recipients[0]["Status"], "4.4.7")
            self.assertIn(b"Subject: late", part.as_bytes())
        self.assertNotIn("jane@away.example", self.instance.command("queue", "list").stdout)

    def test_retries_go_on_for_days(self):
        user = self.user()
        self.send("patient", user)
        self.go_to(100)
        host = self.servers.listen("127.0.0.1", port=self.port)
        def arrived():
            self.instance.command("queue", "retry", "--all")  # what is in flight at that moment is left alone
            return any(b"patient" in content for content in host.contents())
        self.instance.until(arrived, 20, "the letter at its host")
        self.servers.deaf(host, self.port)
        self.go_to(0)
