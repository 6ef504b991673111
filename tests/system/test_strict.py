"""Nothing is smuggled, cut or passed on differently than it was read (CVE-2023-51764 and its family)."""
from dialogue import Closed
from harness import SystemTest

SMUGGLED = b"MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n"

# Ends of data as other systems take them; only CRLF.CRLF is one.
FALSE_ENDS = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CR.CR": b"\r.\r", "CRLF.LF": b"\r\n.\n", "CRLF.CR": b"\r\n.\r",
    "CR.CRLF": b"\r.\r\n", "LF.CR": b"\n.\r", "CRLF.NUL CRLF": b"\r\n.\0\r\n", "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n",
}


class Smuggling(SystemTest):
    def data(self, octets, user):
        """Sends octets after DATA, ended properly; returns the replies up to the one for NOOP."""
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<sender@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(octets)
            replies = [smtp.reply()]
            try:
                smtp.send_line("NOOP")
                replies.append(smtp.reply())
                self.assertTrue(smtp.quiet_for(0.2), "more replies than commands")
            except (Closed, ConnectionError):
                pass  # closing the session after such an attempt is fine
            return replies

    def test_false_ends_of_data(self):
        for name, end in FALSE_ENDS.items():
            victim, user = self.user(), self.user()
            octets = b"Subject: outer\r\n\r\nfirst" + end + SMUGGLED % victim.address.encode()
            # SMUGGLED ends in CRLF.CRLF, so this is one message; its content is not allowed.
            replies = self.data(octets, user)
            self.assertGreaterEqual(replies[0].code, 500, f"{name}: {replies}")
            if len(replies) > 1:
                self.assertEqual(replies[1].code, 250, f"{name}: the next command: {replies}")
            self.assert_empty(victim, user)

    def test_false_ends_cut_in_two_segments(self):
        for name, end in FALSE_ENDS.items():
            victim = self.user()
            with self.instance.smtp() as smtp:
                smtp.ehlo().cmd("MAIL FROM:<sender@elsewhere.example>", 250)
                smtp.cmd(f"RCPT TO:<{victim.address}>", 250)
                smtp.cmd("DATA", 354)
                smtp.send(b"Subject: outer\r\n\r\nfirst" + end[:-1])
                self.assertTrue(smtp.quiet_for(0.05), f"{name}: an answer before the end of data")
                smtp.send(end[-1:])
                self.assertTrue(smtp.quiet_for(0.05), f"{name}: taken for the end of data")
                smtp.send(b"\r\n.\r\n")
                self.assertGreaterEqual(smtp.reply().code, 500, name)
            self.assert_empty(victim)

    def test_bare_octets_in_the_middle(self):
        for octets in (b"a\rb", b"a\nb", b"a\r\rb", b"a\n\nb", b"\0", b"a\r\n\rb"):
            user = self.user()
            replies = self.data(b"Subject: x\r\n\r\n" + octets + b"\r\n.\r\n", user)
            self.assertGreaterEqual(replies[0].code, 500, f"{octets}: {replies}")
            self.assert_empty(user)

    def test_bare_octets_in_the_header(self):
        for octets in (b"a\rBcc: x", b"a\nBcc: x", b"a\0b"):
            user = self.user()
            replies = self.data(b"Subject: " + octets + b"\r\n\r\nbody\r\n.\r\n", user)
            self.assertGreaterEqual(replies[0].code, 500, f"{octets}: {replies}")
            self.assert_empty(user)

    def test_right_message_after_a_refused_one(self):
        user = self.user()
        content = b"Subject: right\r\n\r\n.\r\n"
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            reply = smtp.message(b"Subject: wrong\r\n\r\na\nb\r\n", to=user.address)
            self.assertGreaterEqual(reply.code, 500)
            smtp.deliver(content, to=user.address)
            smtp.quit()
        self.assert_arrived(user, content)

    def test_nothing_pipelined_behind_a_refused_message_is_its_content(self):
        """Commands after the true end of a refused message are commands."""
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<sender@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"Subject: x\r\n\r\na\nb\r\n.\r\nNOOP\r\nVRFY x\r\n")
            self.assertGreaterEqual(smtp.reply().code, 500)
            try:
                smtp.expect(smtp.reply(), 250)
                smtp.expect(smtp.reply(), 252, 502, 550)
            except Closed:
                pass
        self.assert_empty(user)


class Commands(SystemTest):
    def refused(self, octets):
        """The octets as a command: a 5xx or 421, and nothing happens."""
        with self.instance.smtp() as smtp:
            smtp.ehlo().send(octets)
            reply = smtp.reply()
            self.assertTrue(reply.code >= 500 or reply.code == 421, f"{octets}: {reply}")
            return reply

    def test_bare_line_feed_in_a_command(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo().send(b"NOOP\nNOOP\r\n")
            reply = smtp.reply()
            self.assertTrue(reply.code >= 500 or reply.code == 421, reply)
            self.assertTrue(smtp.quiet_for(0.2), "two commands seen in one line")

    def test_bare_carriage_return_in_a_command(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo().send(b"NOOP\rNOOP\r\n")
            reply = smtp.reply()
            self.assertTrue(reply.code >= 500 or reply.code == 421, reply)
            self.assertTrue(smtp.quiet_for(0.2), "two commands seen in one line")

    def test_control_characters_in_paths(self):
        for octets in (b"MAIL FROM:<a\0b@elsewhere.example>\r\n", b"MAIL FROM:<a\tb@elsewhere.example>\r\n",
                       b"MAIL FROM:<\"a\x01b\"@elsewhere.example>\r\n", b"MAIL FROM:<a@else\x7fwhere.example>\r\n",
                       b"MAIL FROM:<\"a\\\x1b[2J\"@elsewhere.example>\r\n"):
            self.refused(octets)

    def test_control_characters_do_not_reach_the_log(self):
        self.refused(b"MAIL FROM:<forged@elsewhere.example\x1b[31m event=accepted>\r\n")
        self.assertNotIn("\x1b", self.instance.log_text())

    def test_line_too_long(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo().send(b"NOOP " + b"x" * 100_000 + b"\r\n")
            self.assertIn(smtp.reply().code, (500, 421))

    def test_wrong_order(self):
        with self.instance.smtp() as smtp:
            smtp.cmd("MAIL FROM:<a@elsewhere.example>", 503)
            smtp.ehlo()
            smtp.cmd("RCPT TO:<postmaster>", 503)
            smtp.cmd("DATA", 503)
            smtp.cmd("MAIL FROM:<a@elsewhere.example>", 250)
            smtp.cmd("MAIL FROM:<b@elsewhere.example>", 503)
            smtp.cmd("DATA", 503, 554)
            smtp.cmd("RSET", 250)
            smtp.cmd("NOSUCH", 500, 502)
            smtp.cmd("VRFY postmaster", 252, 502)
            smtp.cmd("EXPN list", 502, 550)
            smtp.cmd("HELP", 214, 502)
            smtp.quit()

    def test_helo_without_extensions(self):
        user = self.user()
        content = b"Subject: old client\r\n\r\n.\r\n"
        with self.instance.smtp() as smtp:
            reply = smtp.cmd("HELO old.example.test", 250)
            self.assertEqual(len(reply.lines), 1)
            smtp.deliver(content, to=user.address)
            smtp.quit()
        self.assert_arrived(user, content)

    def test_many_errors_end_the_session(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            codes = []
            while len(codes) < 60 and (not codes or codes[-1] != 421):
                codes.append(smtp.cmd("NONSENSE").code)
            self.assertEqual(codes[-1], 421)
            self.assertTrue(smtp.at_end())

    def test_many_unknown_recipients_end_the_session(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<a@elsewhere.example>", 250)
            codes = []
            while len(codes) < 100 and (not codes or codes[-1] != 421):
                codes.append(smtp.cmd(f"RCPT TO:<guess{len(codes)}@post.example>").code)
            self.assertEqual(codes[-1], 421)
            self.assertTrue(smtp.at_end())

    def test_more_than_100_received_fields_is_a_loop(self):
        user = self.user()
        hop = b"Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            reply = smtp.message(hop * 101 + b"\r\nround and round\r\n", to=user.address)
            self.assertEqual(reply.code, 554, reply)
            self.assertIn("loop", reply.text.lower())
            self.assert_empty(user)
            # In the body they are text.
            smtp.deliver(b"Subject: quote\r\n\r\n" + hop * 101, to=user.address)

    def test_message_over_the_size_limit(self):
        user = self.user()
        self.addCleanup(self.instance.form_set, "system-configuration", **{"Maximum-Message-Size": "51200"})
        self.instance.form_set("system-configuration", **{"Maximum-Message-Size": "100"})
        self.instance.until(self.size_limit_is(100 * 1024), 5, "the new limit")
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            reply = smtp.message(b"x" * 98 + b"\r\n" + (b"y" * 98 + b"\r\n") * 1100, to=user.address)
            self.assertEqual(reply.code, 552, reply)
            smtp.deliver(b"Subject: small\r\n\r\n", to=user.address)
            smtp.quit()
        self.assert_arrived(user, b"Subject: small\r\n\r\n")

    def size_limit_is(self, octets):
        def look():
            with self.instance.smtp() as smtp:
                return smtp.ehlo().capabilities["SIZE"] == str(octets)
        return look

    def test_limits_extension(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            self.assertIn("RCPTMAX=1000", smtp.capabilities["LIMITS"])
            for word in ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN"):
                self.assertIn(word, smtp.capabilities)
            self.assertNotIn("AUTH", smtp.capabilities)


class Pop3Strict(SystemTest):
    def test_bare_line_feed_is_not_a_line_end(self):
        with self.instance.pop3() as pop:
            pop.send(b"CAPA\nCAPA\r\n")
            answer = pop.read_line()
            self.assertTrue(answer.startswith(b"-ERR"), answer)

    def test_control_characters_in_credentials(self):
        user = self.user()
        with self.instance.pop3() as pop:
            pop.send(b"USER " + user.login.encode() + b"\0x\r\n")
            self.assertTrue(pop.read_line().startswith(b"-ERR"))

    def test_line_too_long(self):
        with self.instance.pop3() as pop:
            pop.send(b"USER " + b"x" * 100_000 + b"\r\n")
            try:
                self.assertTrue(pop.read_line().startswith(b"-ERR"))
            except Closed:
                pass
        self.assert_works()

    def test_commands_of_the_other_state(self):
        user = self.user()
        with self.instance.pop3() as pop:
            for early in ("STAT", "LIST", "RETR 1", "DELE 1", "UIDL", "TOP 1 0", "RSET", "NOOP"):
                pop.err(early)
        with self.instance.pop3(user) as pop:  # anew: errors are counted
            for late in ("USER x", "PASS y", "STLS", "AUTH PLAIN"):
                pop.err(late)
            for wrong in ("RETR", "RETR 0", "RETR 99999999999999999999", "RETR -1", "RETR 1 1", "DELE x", "TOP 1",
                          "LIST 1", "NOSUCH"):
                pop.err(wrong)
            pop.quit()
