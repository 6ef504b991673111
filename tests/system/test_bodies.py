"""What goes in comes out, octet for octet."""
import json
import os
from concurrent.futures import ThreadPoolExecutor

from content import digest, large_content, random_content, without_trace
from dialogue import dot_stuffed
from harness import SystemTest

MANY = 1000


class Bodies(SystemTest):
    def there_and_back(self, content, parameters=""):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, to=user.address, parameters=parameters)
            smtp.quit()
        self.assert_arrived(user, content)

    def test_message_of_no_octets(self):
        self.there_and_back(b"")

    def test_only_a_header_and_only_a_body(self):
        self.there_and_back(b"Subject: no body\r\n")
        self.there_and_back(b"\r\nno header\r\n")
        self.there_and_back(b"\r\n")

    def test_dots(self):
        self.there_and_back(b".\r\n..\r\n.a\r\n\r\n.\r\n")

    def test_awkward_lines(self):
        for seed in range(1, 6):
            self.there_and_back(random_content(20_000, seed))

    def test_sizes_around_the_limit_of_small_bodies(self):
        # Bodies above 64 KiB take another way through the store; the trace header counts into the size.
        line = b"x" * 62 + b"\r\n"
        for size in (65536 - 2048, 65536 - 640, 65536 - 320, 65536 - 192, 65536 - 64, 65536, 65536 + 64, 4080, 4096, 8160):
            self.there_and_back((line * (size // 64 + 1))[-size:])

    def test_8bitmime(self):
        self.there_and_back(random_content(30_000, 77, eight_bit=True), parameters=" BODY=8BITMIME")

    def test_message_of_30_mb(self):
        content = large_content(30_000_000, 5)
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, to=user.address, parameters=f" SIZE={len(content)}")
        with self.instance.pop3(user) as pop:
            got, _ = without_trace(pop.retr(1))
            self.assertEqual(len(got), len(content))
            self.assertEqual(digest(got), digest(content))
            top = b"\r\n".join(pop.multi("TOP 1 3")) + b"\r\n"
            self.assertEqual(without_trace(top)[0], b"\r\n".join(content.split(b"\r\n", 5)[:5]) + b"\r\n")
            pop.quit()

    def test_message_to_1000_recipients(self):
        """One copy each, octet for octet, and one body on disk."""
        users = [self.user() for _ in range(MANY)]
        content = random_content(100_000, 9)
        entries = lambda: json.loads(self.instance.command("queue", "status", "--json").stdout)["entries"]
        before = entries()
        with self.instance.smtp(limit=60) as smtp:
            smtp.ehlo().cmd("MAIL FROM:<sender@elsewhere.example>", 250)
            for start in range(0, MANY, 100):
                part = users[start:start + 100]
                smtp.send("".join(f"RCPT TO:<{u.address}>\r\n" for u in part))
                for _ in part:
                    smtp.expect(smtp.reply(), 250)
            smtp.cmd("DATA", 354)
            smtp.send(dot_stuffed(content) + b".\r\n")
            smtp.expect(smtp.reply(), 250)
            smtp.quit()
        self.assertEqual(entries() - before, MANY)
        want = digest(content)

        def check(user):
            got, fields = without_trace(self.only_message(user))
            self.assertEqual(digest(got), want, user.address)
            self.assertIn(("delivered-to", user.address), fields)
        # Each first log-in costs a whole scrypt: with all processors, and a tenth of them.
        with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
            list(pool.map(check, users[::10]))

    def test_more_recipients_than_allowed(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<sender@elsewhere.example>", 250)
            codes = []
            for number in range(1, MANY + 2):
                codes.append(smtp.cmd(f"RCPT TO:<user{number}@post.example>").code)
            self.assertEqual(set(codes[:MANY]), {250})
            self.assertEqual(codes[MANY], 452)
            smtp.cmd("RSET", 250)

    def test_one_account_gets_one_copy(self):
        user = self.user()
        second = user.address.replace("@post.example", "@second.example")
        self.instance.account_set(user.address, **{"Internet-Addresses": [user.address, second]})
        content = random_content(500, 4)
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, to=[user.address, second, user.address.upper()])
        self.assert_arrived(user, content)

    def test_several_messages_in_one_session(self):
        user = self.user()
        contents = [random_content(700, seed) for seed in range(200, 210)]
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            for content in contents:
                smtp.deliver(content, to=user.address)
        self.assertEqual([without_trace(m)[0] for m in self.instance.fetch_all(user)], contents)


class Chunking(SystemTest):
    def send(self, *pieces, parameters="", separate_last=False):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            self.assertIn("CHUNKING", smtp.capabilities)
            smtp.cmd("MAIL FROM:<sender@elsewhere.example>" + parameters, 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            for n, piece in enumerate(pieces):
                smtp.expect(smtp.bdat(piece, last=n == len(pieces) - 1 and not separate_last), 250)
            if separate_last:
                smtp.expect(smtp.bdat(b"", last=True), 250)
            smtp.quit()
        return user

    def test_dots_are_nothing_special(self):
        content = b"Subject: chunks\r\n\r\n.\r\n..\r\nQUIT\r\n.\r\n"
        self.assert_arrived(self.send(content), content)

    def test_cut_anywhere(self):
        content = random_content(9000, 3)
        pieces = [content[:1], content[1:17], content[17:4096], content[4096:]]
        self.assert_arrived(self.send(*pieces), content)

    def test_cut_between_cr_and_lf(self):
        self.assert_arrived(self.send(b"Subject: cut\r", b"\n\r", b"\nbody\r\n"), b"Subject: cut\r\n\r\nbody\r\n")

    def test_last_without_octets(self):
        content = random_content(300, 8)
        self.assert_arrived(self.send(content, separate_last=True), content)
        self.assert_arrived(self.send(b""), b"")

    def test_unfinished_last_line_is_finished_at_retr(self):
        self.assert_arrived(self.send(b"Subject: open end\r\n\r\nno line end"),
                            b"Subject: open end\r\n\r\nno line end\r\n")

    def test_large(self):
        content = large_content(3_000_000, 12)
        self.assert_arrived(self.send(content[:1_000_001], content[1_000_001:]), content)

    def test_bare_line_feed_is_refused_and_the_session_goes_on(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<sender@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            reply = smtp.bdat(b"Subject: x\n\r\nbody\r\n", last=True)
            self.assertGreaterEqual(reply.code, 500, reply)
            smtp.cmd("RSET", 250)
            smtp.quit()
        self.assert_empty(user)

    def test_without_recipient_the_octets_are_still_read(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            reply = smtp.bdat(b"RSET\r\nQUIT\r\n", last=True)
            self.assertEqual(reply.code, 503, reply)
            smtp.cmd("NOOP", 250)
            smtp.quit()


class Parameters(SystemTest):
    def test_dsn_parameters_are_taken(self):
        user = self.user()
        content = random_content(400, 6)
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            self.assertIn("DSN", smtp.capabilities)
            smtp.deliver(content, to=user.address, parameters=" RET=HDRS ENVID=QQ314159",
                         rcpt_parameters=" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;user@other.example")
        self.assert_arrived(user, content)

    def test_wrong_parameters_are_refused(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            for wrong in (" RET=SOME", " BODY=9BIT", " SIZE=much", " NOSUCH=1", " RET=FULL RET=HDRS"):
                reply = smtp.cmd("MAIL FROM:<a@elsewhere.example>" + wrong)
                self.assertIn(reply.code, (501, 504, 555), f"{wrong}: {reply}")
            smtp.cmd("MAIL FROM:<a@elsewhere.example>", 250)
            for wrong in (" NOTIFY=NEVER,DELAY", " NOTIFY=SOMETIMES", " ORCPT=x", " NOSUCH=1"):
                reply = smtp.cmd(f"RCPT TO:<{user.address}>" + wrong)
                self.assertIn(reply.code, (501, 504, 555), f"{wrong}: {reply}")

    def test_declared_size_over_the_limit(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            limit = int(smtp.capabilities["SIZE"])
            smtp.cmd(f"MAIL FROM:<a@elsewhere.example> SIZE={limit + 1}", 552)
            smtp.cmd(f"MAIL FROM:<a@elsewhere.example> SIZE={limit}", 250)

    def test_smtputf8(self):
        user = self.user()
        own = f"j\u00fcrgen{user.number}@post.example"
        self.instance.account_set(user.address, **{"Internet-Addresses": [user.address, own]})
        content = "Subject: Gr\u00fc\u00dfe\r\nFrom: \u5f20\u4f1f <zhang@\u4f8b\u5b50.example>\r\n\r\n\u2713\r\n".encode()
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            self.assertIn("SMTPUTF8", smtp.capabilities)
            smtp.deliver(content, sender="\u5f20\u4f1f@\u4f8b\u5b50.example", to=own,
                         parameters=" SMTPUTF8 BODY=8BITMIME")
        self.assert_arrived(user, content)

    def test_utf8_address_without_smtputf8_is_refused(self):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            reply = smtp.cmd("MAIL FROM:<\u5f20@\u4f8b\u5b50.example>")
            self.assertIn(reply.code, (501, 550, 553), reply)
