"""Who may send where: strangers to local addresses only, whatever the address looks like."""
from content import random_content, without_trace
from harness import SystemTest
from instance import POSTMASTER_PASSWORD


class Relaying(SystemTest):
    def test_strangers_do_not_relay(self):
        for address in ("someone@remote.example", "user%remote.example@elsewhere.example", "a@[192.0.2.1]",
                        "a@[IPv6:2001:db8::1]", "a@post.example.remote.example", "a@xpost.example"):
            with self.instance.smtp() as smtp:
                smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
                reply = smtp.cmd(f"RCPT TO:<{address}>")
                self.assertEqual(reply.code, 550, f"{address}: {reply}")
                self.assertIn("5.7.1", reply.text, address)

    def test_relay_tricks(self):
        """Routes hidden in local parts name no account here; a source route is not followed."""
        for path in ("<user%remote.example@post.example>", "<remote.example!user@post.example>",
                     "<\"user@remote.example\"@post.example>", "<user@remote.example@post.example>",
                     "<user1@[127.0.0.1]%remote.example>", "<@post.example:user@remote.example>",
                     "<@post.example,@second.example:user@remote.example>", "<user1@remote.example.>",
                     "<\"user1@post.example\">", "<user1>", "<@post.example:user>", "<user1@>", "<@post.example>",
                     "<a!b!user1@post.example>", "<user@remote.example%post.example@>", "<>",
                     "<user1@post.example@remote.example>", "<user1@[127.0.0.1]x>", "<user1@[]>"):
            with self.instance.smtp() as smtp:
                smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
                reply = smtp.cmd(f"RCPT TO:{path}")
                self.assertTrue(500 <= reply.code < 600, f"{path}: {reply}")

    def test_unbracketed_and_spaced_paths(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            smtp.cmd("MAIL FROM: <someone@elsewhere.example>", 250, 501)
            smtp.cmd("RSET", 250)
            smtp.cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            smtp.cmd("RCPT TO:user1@post.example, x@remote.example", 501, 553, 550, 555)

    def test_source_route_to_a_local_address_is_ignored(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<@a.example,@b.example:{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"Subject: routed\r\n\r\n.\r\n")
            smtp.expect(smtp.reply(), 250)
        self.assertIn(b"Subject: routed", self.only_message(user))

    def test_quoted_local_part_of_an_account(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: quoted\r\n\r\n", to=f'"{user.login}"@post.example')
        self.only_message(user)

    def test_who_logged_in_may_relay(self):
        user = self.user()
        with self.instance.submission(user) as smtp:
            smtp.cmd(f"MAIL FROM:<{user.address}>", 250)
            smtp.cmd("RCPT TO:<someone@remote.example>", 250)


class Recipients(SystemTest):
    def test_unknown_user(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            smtp.cmd("RCPT TO:<nobody.here@post.example>", 550, containing="5.1.1")
            smtp.cmd("RCPT TO:<user1@second.example>", 550, containing="5.1.1")

    def test_letter_case_does_not_matter(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: case\r\n\r\n", to=f"{user.login.upper()}@POST.Example")
        self.only_message(user)

    def test_postmaster_always_works(self):
        before = self.postmaster_count()
        addresses = ("postmaster", "PostMaster", "POSTMASTER@post.example", "postmaster@second.example",
                     "pOsTmAsTeR@mx.post.example", "postmaster@[127.0.0.1]")
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            for address in addresses[:-1]:
                smtp.deliver(b"Subject: to the postmaster\r\n\r\n", to=address)
            # The literal of the address that the client reached is this host (RFC 5321 4.1.3, 2.3.4); refusing is allowed.
            smtp.cmd("MAIL FROM:<>", 250)
            smtp.cmd(f"RCPT TO:<{addresses[-1]}>", 250, 550)
        self.assertEqual(self.postmaster_count() - before, len(addresses) - 1)

    def postmaster_count(self):
        with self.instance.pop3() as pop:
            pop.login("postmaster", POSTMASTER_PASSWORD)
            return pop.count()

    def test_null_sender(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: bounce\r\n\r\n", sender="", to=user.address)
        self.assertIn(b"Return-Path: <>\r\n", self.only_message(user))

    def test_good_recipients_get_it_beside_refused_ones(self):
        user = self.user()
        content = random_content(900, 2)
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            smtp.cmd("RCPT TO:<nobody@post.example>", 550)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("RCPT TO:<nobody@remote.example>", 550)
            smtp.cmd("DATA", 354)
            smtp.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            smtp.expect(smtp.reply(), 250)
        self.assert_arrived(user, content)

    def test_locked_account_receives_and_cannot_log_in(self):
        user = self.user(Account_Locked="yes")
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: while locked\r\n\r\n", to=user.address)
        with self.instance.pop3() as pop:
            pop.cmd("USER " + user.login)
            pop.err("PASS " + user.password)
        self.instance.command("account", "unlock", user.address)
        self.assertIn(b"while locked", self.only_message(user))

    def test_forwarding_account_is_taken_from_anybody(self):
        user = self.user(Forwarding_Addresses="someone@remote.example")
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)

    def test_trace(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo("greeting.example.test").deliver(b"Subject: t\r\n\r\n", sender="a@elsewhere.example", to=user.address)
        _, fields = without_trace(self.only_message(user))
        found = dict(fields)
        self.assertEqual(found["return-path"], "<a@elsewhere.example>")
        self.assertEqual(found["delivered-to"], user.address)
        self.assertRegex(found["received"], r"(?s)from greeting\.example\.test .*\[127\.0\.0\.1\].*by mx\.post\.example"
                                            r".*with ESMTP id [0-9a-z]{20}.*; \w{3}, +\d+ \w{3} \d{4} [0-9:]{8} [+-]\d{4}")
