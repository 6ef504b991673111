"""qsnd and ETRN: a host behind a line that is seldom up asks for what is held for it."""
from outbound import STRANGER, OutboundTest, letter

CALLER = "192.0.2.202"  # who may ask for held.example


class QueueStart(OutboundTest):
    """held.example has us as its only MX that is up."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.instance.form_set("system-security", **{"Queue-Start-Permissions": [f"held.example {CALLER}"]})
        cls.world.dns.change("example", cls.world.dns.zones["example"] +
                             "\nheld IN MX 10 mx.held\nheld IN MX 20 mx.post\nmx.held IN A 203.0.113.228\n"
                             "sub.held IN MX 10 mx.held")

    def hold_some(self, mark, count=1):
        """Sent when nobody is there; the first attempt shows that, and the others wait with it."""
        with self.instance.smtp(source=STRANGER) as smtp:
            smtp.ehlo()
            messages = [self.id_of(smtp.deliver(letter(f"{mark} {n}"), to="jane@held.example")) for n in range(count)]
        self.until(lambda: self.attempted(messages[0]), "the first attempt")
        return messages

    def fetch(self, command, count, *messages):
        host = self.world.servers.listen("203.0.113.228", "mx.held.example")
        try:
            with self.instance.smtp(source=CALLER) as smtp:
                reply = smtp.ehlo("mx.held.example").cmd(command, 250, 251, 252, 253)
            self.assertIn(str(count), reply.text)
            for message in messages:
                self.until(lambda m=message: not self.waiting(m), "it to leave")
            self.taken(host, count)
        finally:
            self.world.servers.deaf(host)

    def test_qsnd(self):
        self.fetch("qsnd held.example", 2, *self.hold_some("held for qsnd", 2))

    def test_etrn(self):
        self.fetch("ETRN held.example", 1, *self.hold_some("held for ETRN"))

    def test_nothing_is_held(self):
        with self.instance.smtp(source=CALLER) as smtp:
            smtp.ehlo().cmd("ETRN held.example", 251)
            smtp.cmd("QSND held.example", 250, 251)

    def test_others_may_not(self):
        for source, command in ((STRANGER, "qsnd held.example"), (STRANGER, "ETRN held.example"),
                                (CALLER, "qsnd refused.example"), (CALLER, "ETRN refused.example")):
            with self.instance.smtp(source=source) as smtp:
                reply = smtp.ehlo().cmd(command)
                self.assertIn(reply.code, (458, 459, 502, 530, 550, 554), f"{source} {command}: {reply}")

    def test_nonsense(self):
        with self.instance.smtp(source=CALLER) as smtp:
            smtp.ehlo()
            for command in ("ETRN", "qsnd", "ETRN held.example x y", "ETRN <held.example>", "qsnd ../held.example"):
                self.assertGreaterEqual(smtp.cmd(command).code, 450, command)
            smtp.cmd("NOOP", 250)

    def test_etrn_is_announced_and_not_within_a_message(self):
        with self.instance.smtp(source=CALLER) as smtp:
            smtp.ehlo()
            self.assertIn("ETRN", smtp.capabilities)
            smtp.cmd("MAIL FROM:<a@elsewhere.example>", 250)
            smtp.cmd("ETRN held.example", 503)
