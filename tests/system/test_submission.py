"""What submission does to a message, who may send as whom, and the local socket."""
import email
import email.policy
import os
import pwd
import re
import socket
import time
from email.utils import parsedate_to_datetime

from content import without_trace
from dialogue import Smtp
from harness import SystemTest, needs_root


def parsed(message):
    return email.message_from_bytes(message, policy=email.policy.default)


class Submission(SystemTest):
    def submit(self, user, content, to, sender=None):
        with self.instance.submission(user) as smtp:
            smtp.deliver(content, sender=user.address if sender is None else sender, to=to)
            smtp.quit()

    def test_nothing_before_tls_and_authentication(self):
        user = self.user()
        with Smtp(self.instance.ports["submission"]) as smtp:
            smtp.ehlo()
            self.assertNotIn("AUTH", smtp.capabilities)
            smtp.cmd(f"MAIL FROM:<{user.address}>", 530)
            smtp.cmd("AUTH PLAIN AHUAcA==", 530, 538, 503, 502)
            smtp.starttls()
            self.assertEqual(set(smtp.capabilities["AUTH"].split()), {"PLAIN", "LOGIN"})
            smtp.cmd(f"MAIL FROM:<{user.address}>", 530)

    def test_no_authentication_on_25_before_tls(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            reply = smtp.cmd("AUTH PLAIN AHUAcA==")
            self.assertTrue(500 <= reply.code < 560 and reply.code != 535, reply)

    def test_date_and_message_id_are_added(self):
        user, other = self.user(), self.user()
        self.submit(user, b"From: <%s>\r\nSubject: bare\r\n\r\nbody\r\n" % user.address.encode(), other.address)
        message = parsed(self.only_message(other))
        self.assertLess(abs(parsedate_to_datetime(message["Date"]).timestamp() - time.time()), 60)
        self.assertRegex(message["Message-ID"], r"^<[^<>@\s]+@[^<>@\s]+>$")
        self.assertEqual(message.get_content().strip(), "body")

    def test_date_and_message_id_are_kept(self):
        user, other = self.user(), self.user()
        content = (b"From: <%s>\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\nMessage-ID: <mine@elsewhere.example>\r\n"
                   b"Subject: whole\r\n\r\n.\r\n" % user.address.encode())
        self.submit(user, content, other.address)
        self.assert_arrived(other, content)

    def test_port_25_adds_nothing(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: bare\r\n\r\n", to=user.address)
        self.assert_arrived(user, b"Subject: bare\r\n\r\n")

    def rewritten(self, how, header):
        user, other = self.user(From_Address_Rewrite=how), self.user()
        second = f"alias{user.number}@second.example"
        self.instance.account_set(user.address, **{"Internet-Addresses": [user.address, second]})
        content = header.format(second=second).encode() + b"\r\nSubject: r\r\n\r\nbody\r\n"
        self.submit(user, content, other.address, sender=second)
        message = self.only_message(other)
        found = re.search(rb"^From: ((?:.|\r\n[ \t])*)\r\n", message, re.M)
        return user, found[1].decode(), message

    def test_from_rewrite_comment(self):
        user, value, message = self.rewritten("comment", "From: Someone <{second}>")
        self.assertEqual(value, f"{user.address} (Test User {user.number})")
        self.assertIn(b"Return-Path: <%s>" % user.address.encode(), message)  # item 41: the return address too

    def test_from_rewrite_quoted(self):
        user, value, _ = self.rewritten("quoted", "From: {second}")
        self.assertEqual(value, f'"Test User {user.number}" <{user.address}>')

    def test_from_rewrite_none(self):
        user, value, message = self.rewritten("none", "From: Someone\r\n <{second}>")
        self.assertEqual(value, f"Someone\r\n <alias{user.number}@second.example>")
        self.assertEqual(message.count(b"\r\nFrom:"), 1)

    def test_senders_of_others_are_refused(self):
        user, other = self.user(), self.user()
        with self.instance.submission(user) as smtp:
            for sender in (other.address, "someone@remote.example", "nobody@post.example"):
                reply = smtp.cmd(f"MAIL FROM:<{sender}>")
                self.assertTrue(500 <= reply.code < 560, f"{sender}: {reply}")
            smtp.cmd(f"MAIL FROM:<{user.address.upper()}>", 250)

    def test_any_sender_when_the_account_says_so(self):
        user = self.user(**{"Send-From-Any-Address": "yes"})
        other = self.user()
        self.submit(user, b"From: <someone@remote.example>\r\nSubject: s\r\n\r\n", other.address,
                    sender="someone@remote.example")
        self.assertIn(b"Return-Path: <someone@remote.example>", self.only_message(other))

    def test_addresses_are_completed(self):
        self.addCleanup(self.instance.form_set, "mail-routing", **{"Address-Completion-Domain": ""})
        self.instance.form_set("mail-routing", **{"Address-Completion-Domain": "post.example"})
        user, other = self.user(), self.user()
        with self.instance.submission(user) as smtp:
            smtp.deliver(b"From: <%s>\r\nSubject: c\r\n\r\n" % user.address.encode(), sender=user.address, to=other.login)
        self.only_message(other)

    def test_locked_account_cannot_submit(self):
        user = self.user(Account_Locked="yes")
        with self.instance.submission() as smtp:
            smtp.auth(user.address, user.password, 535, 525)


class LocalSubmission(SystemTest):
    """The Unix socket for programs of this host; the kernel says who they are."""

    def connect(self):
        client = Smtp.__new__(Smtp)
        client.limit, client.transcript, client.buffer, client.capabilities = 30, [], b"", {}
        client.socket = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.socket.settimeout(30)
        client.socket.connect(str(self.instance.spool / "run" / "submission"))
        client.expect(client.reply(), 220)
        return client

    def test_message_by_the_socket(self):
        other = self.user()
        name = pwd.getpwuid(os.geteuid()).pw_name
        smtp = self.connect().ehlo()
        self.assertNotIn("STARTTLS", smtp.capabilities)
        smtp.deliver(f"From: <{name}@mx.post.example>\r\nSubject: local\r\n\r\n.\r\n".encode(),
                     sender=f"{name}@mx.post.example", to=other.address)
        smtp.quit()
        message = self.only_message(other)
        body, fields = without_trace(message)
        self.assertIn(b"Message-ID: ", body)
        self.assertIn(b"Date: ", body)
        self.assertIn(f"local user {os.geteuid()}", dict(fields)["received"])

    def test_unknown_recipients_are_refused_and_others_elsewhere_are_not(self):
        smtp = self.connect().ehlo()
        smtp.cmd("MAIL FROM:<>", 250, 550, 553)
        smtp.cmd("RSET", 250)
        name = pwd.getpwuid(os.geteuid()).pw_name
        smtp.cmd(f"MAIL FROM:<{name}@mx.post.example>", 250)
        smtp.cmd("RCPT TO:<nobody.here@post.example>", 550)
        smtp.cmd("RCPT TO:<someone@remote.example>", 250)

    @needs_root
    def test_any_user_may_connect(self):
        user = self.user()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                self.connect().ehlo().deliver(b"Subject: by nobody\r\n\r\n", sender="nobody@mx.post.example", to=user.address)
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertIn(b"by nobody", self.only_message(user))
