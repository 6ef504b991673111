"""Whether a stranger can have this host carry mail to others: every trick that relay testers know."""
import socket

from dialogue import Closed
from outbound import STRANGER, US, OutboundTest, letter

VICTIM, REMOTE = "victim", "remote-victim.example"
SENDERS = ("spammer@elsewhere.example", "user1@post.example", "postmaster@post.example", "spammer@mx.post.example",
           "spammer@localhost", "spammer@[192.0.2.1]", "spammer", "", f"{VICTIM}@{REMOTE}")
PATHS = (
    # plain, and in other clothes
    f"<{VICTIM}@{REMOTE}>", f"{VICTIM}@{REMOTE}", f"<{VICTIM}@{REMOTE}.>", f"<{VICTIM.upper()}@{REMOTE.upper()}>",
    f"<\"{VICTIM}\"@{REMOTE}>", f"<{VICTIM}@[203.0.113.229]>", f"<{VICTIM}@[IPv6:2001:db8::25]>", f"< {VICTIM}@{REMOTE} >",
    f"<{VICTIM}@{REMOTE}> NOTIFY=NEVER", f"<{VICTIM}@{REMOTE}> ORCPT=rfc822;user1@post.example",
    # routes hidden in the local part
    f"<{VICTIM}%{REMOTE}@post.example>", f"<{VICTIM}%{REMOTE}@mx.post.example>", f"<{VICTIM}%{REMOTE}@[{US}]>",
    f"<{VICTIM}%{REMOTE}>", f"<\"{VICTIM}%{REMOTE}\">", f"<\"{VICTIM}%{REMOTE}\"@post.example>",
    f"<\"{VICTIM}@{REMOTE}\">", f"<\"{VICTIM}@{REMOTE}\"@post.example>", f"<\"{VICTIM}@{REMOTE}\"@[{US}]>",
    f"<{VICTIM}@{REMOTE}@post.example>", f"<{VICTIM}@{REMOTE}@[{US}]>", f"<{REMOTE}!{VICTIM}>",
    f"<{REMOTE}!{VICTIM}@post.example>", f"<{REMOTE}!{VICTIM}@[{US}]>", f"<post.example!{REMOTE}!{VICTIM}>",
    f"<{VICTIM}%{REMOTE}%post.example@post.example>", f"<{VICTIM}={REMOTE}@post.example>",
    f"<user1+{VICTIM}={REMOTE}@remote.example>", f"<{VICTIM}+x@{REMOTE}>",
    # source routes
    f"<@post.example:{VICTIM}@{REMOTE}>", f"<@[{US}]:{VICTIM}@{REMOTE}>", f"<@mx.post.example,@post.example:{VICTIM}@{REMOTE}>",
    f"<@{REMOTE}:{VICTIM}@{REMOTE}>", f"<@post.example:{VICTIM}%{REMOTE}@post.example>", f"<@post.example:{REMOTE}!{VICTIM}>",
    # what others leave off or put on
    f"<{VICTIM}@{REMOTE}", f"<<{VICTIM}@{REMOTE}>>", f"<user1@post.example>,<{VICTIM}@{REMOTE}>",
    f"<user1@post.example,{VICTIM}@{REMOTE}>", f"<user1@post.example>{VICTIM}@{REMOTE}", f"<{VICTIM}@{REMOTE}(user1@post.example)>",
    f"<user1@post.example {VICTIM}@{REMOTE}>", f"<{VICTIM}@{REMOTE}\t@post.example>", f"<{VICTIM}@{REMOTE}\\@post.example>",
    f"<{VICTIM}@{REMOTE}#post.example>", f"<{VICTIM}@post.example.{REMOTE}>", f"<{VICTIM}@x.post.example>",
    f"<{VICTIM}@xpost.example>", f"<{VICTIM}@post.example@>", f"<{VICTIM}@postexample>", f"<{VICTIM}@{REMOTE}/post.example>",
    # what tables name, but nothing allows
    f"<{VICTIM}@exact.routed.example>", f"<{VICTIM}@relayed.example>", f"<{VICTIM}@[203.0.113.203]>",
    f"<{VICTIM}@sub.exact.routed.example>", f"<{VICTIM}@direct.starred.example>")


class OpenRelay(OutboundTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sink = cls.world.host(229)

    def stranger(self):
        return self.instance.smtp(source=STRANGER).ehlo()

    def assert_refused(self, smtp, sender, path):
        """MAIL or RCPT is refused. Which of both, and why, is not ours to say here, only that it is for good."""
        mail = smtp.cmd(f"MAIL FROM:<{sender}>")
        if mail.code == 250:
            reply = smtp.cmd(f"RCPT TO:{path}")
            self.assertTrue(500 <= reply.code < 600, f"MAIL FROM:<{sender}>, RCPT TO:{path}: {reply}")
            data = smtp.cmd("DATA")
            self.assertTrue(500 <= data.code < 600, f"DATA after RCPT TO:{path}: {data}")

    def test_every_path(self):
        for path in PATHS:
            try:
                with self.stranger() as smtp:
                    self.assert_refused(smtp, SENDERS[0], path)
            except Closed as e:
                self.fail(f"{path}: {e}")

    def test_every_sender(self):
        for sender in SENDERS:
            with self.stranger() as smtp:
                self.assert_refused(smtp, sender, f"<{VICTIM}@{REMOTE}>")

    def test_under_tls_and_after_a_failed_log_in(self):
        with self.stranger() as smtp:
            smtp.starttls()
            self.assert_refused(smtp, SENDERS[0], f"<{VICTIM}@{REMOTE}>")
            smtp.cmd("RSET", 250)
            smtp.auth("user1@post.example", "not the password", 535)
            self.assert_refused(smtp, SENDERS[0], f"<{VICTIM}@{REMOTE}>")
            smtp.cmd("RSET", 250)
            smtp.cmd("AUTH PLAIN *")
            smtp.cmd("XCLIENT ADDR=192.0.2.200 LOGIN=user1")
            smtp.cmd("XFORWARD ADDR=192.0.2.200")
            self.assert_refused(smtp, SENDERS[0], f"<{VICTIM}@{REMOTE}>")

    def test_an_aborted_log_in_is_none(self):
        with self.stranger() as smtp:
            smtp.starttls()
            smtp.cmd("AUTH LOGIN", 334)
            smtp.cmd("*", 501)
            self.assert_refused(smtp, SENDERS[0], f"<{VICTIM}@{REMOTE}>")

    def test_names_permit_nothing(self):
        """The greeting's name, and a reverse name that anybody can set, are the client's own words."""
        for name in ("mx.post.example", "localhost", "post.example", "[192.0.2.200]", "[127.0.0.1]"):
            with self.instance.smtp(source=STRANGER) as smtp:
                smtp.ehlo(name)
                self.assert_refused(smtp, SENDERS[0], f"<{VICTIM}@{REMOTE}>")
            with self.instance.smtp(source=STRANGER) as smtp:
                smtp.cmd(f"HELO {name}")
                self.assert_refused(smtp, SENDERS[0], f"<{VICTIM}@{REMOTE}>")

    def test_the_loopback_address_permits_nothing(self):
        """The suite does not listen there in this set-up; an address of this host is a stranger all the same."""
        for source in ("192.0.2.1", "192.0.2.53"):
            with self.instance.smtp(source=source) as smtp:
                smtp.ehlo()
                self.assert_refused(smtp, SENDERS[0], f"<{VICTIM}@{REMOTE}>")

    def test_submission_wants_a_log_in(self):
        with self.instance.submission() as smtp:
            smtp.cmd("MAIL FROM:<user1@post.example>", 530)
            smtp.cmd(f"RCPT TO:<{VICTIM}@{REMOTE}>", 503, 530)

    def test_a_local_recipient_does_not_open_the_door_for_another(self):
        user = self.user()
        with self.stranger() as smtp:
            smtp.cmd("MAIL FROM:<spammer@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd(f"RCPT TO:<{VICTIM}@{REMOTE}>", 550)
            smtp.cmd("DATA", 354)
            smtp.send(b"To: victim@remote-victim.example\r\nBcc: victim@remote-victim.example\r\n\r\n.\r\n")
            smtp.expect(smtp.reply(), 250)
        self.only_message(user)

    def test_relay_domains_are_taken_and_nothing_like_them(self):
        with self.stranger() as smtp:
            smtp.cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            smtp.cmd("RCPT TO:<jane@held.example>", 250)
            for path in ("<jane@xheld.example>", "<jane@held.example.remote-victim.example>", "<jane@held.example@remote-victim.example>"):
                reply = smtp.cmd(f"RCPT TO:{path}")
                self.assertTrue(500 <= reply.code < 600, f"{path}: {reply}")

    def test_commands_in_the_data_of_another_protocol(self):
        """A browser that was made to speak to port 25."""
        with self.instance.network:
            with socket.create_connection((US, 25), timeout=20, source_address=(STRANGER, 0)) as s:
                s.sendall(b"POST / HTTP/1.1\r\nHost: mx\r\n\r\nHELO x\r\nMAIL FROM:<a@elsewhere.example>\r\n"
                          b"RCPT TO:<victim@remote-victim.example>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n")
                got = b""
                try:
                    while piece := s.recv(4096):
                        got += piece
                except OSError:
                    pass
        self.assertNotIn(b"\r\n354", got)

    def test_no_notice_goes_to_an_invented_sender(self):
        """What cannot be delivered is refused at RCPT, not taken and returned to whoever was named."""
        with self.stranger() as smtp:
            smtp.cmd(f"MAIL FROM:<{VICTIM}@sink229.example>", 250)
            smtp.cmd("RCPT TO:<no.such.user@post.example>", 550)

    @classmethod
    def tearDownClass(cls):
        if getattr(cls, "sink", None):
            shown = cls.instance.command("queue", "list", "--json").stdout
            assert REMOTE not in shown, f"mail of a stranger waits:\n{shown}"
            assert not cls.sink.sessions, "mail of a stranger was carried"
        super().tearDownClass()


class Friends(OutboundTest):
    """Those who may, may."""

    def test_listed_networks_and_those_who_log_in(self):
        host = self.world.sink()
        self.send(letter("from a listed network"), f"jane@{host.domain}")
        user = self.user()
        self.send(letter("from one who logged in"), f"jane@{host.domain}", user=user)
        with self.instance.smtp(source=STRANGER) as smtp:
            smtp.ehlo().starttls().auth(user.address, user.password)
            smtp.deliver(letter("logged in on port 25", author=user.address), sender=user.address, to=f"jane@{host.domain}")
        self.taken(host, 3)
