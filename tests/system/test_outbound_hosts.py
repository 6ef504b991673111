"""Mail to real mail servers of others, found by MX: Postfix, Exim, OpenSMTPD, and Postfix's smtp-sink with its faults."""
import email
import re
import subprocess

from content import large_content, random_content
from outbound import FRIEND, US, OutboundTest, letter, parsed, report_of
from receivers import SmtpSink


class Hosts(OutboundTest):
    def test_swaks_to_postfix_by_mx_over_starttls(self):
        with self.world.network:
            done = subprocess.run(
                ["swaks", "--server", US, "--local-interface", FRIEND, "--from", "friend@elsewhere.example", "--to",
                 "jane@postfix.example", "--header", "Subject: by swaks to a remote host", "--body", ".\n..\nend\n"],
                capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        message = self.arrival(self.world.postfix, b"by swaks to a remote host")
        self.assertIn(b"Return-Path: <friend@elsewhere.example>\n", message)
        self.assertIn(b"X-Original-To: jane@postfix.example\n", message)
        self.assertRegex(message, rb"Received: from mx\.post\.example \(unknown \[192\.0\.2\.\d+\]\)\n\t\(using TLSv1\.3 ")
        self.assertRegex(message, rb"(?s)by mx\.post\.example .*with ESMTPS? id [0-9a-z]{20}")
        self.assertIn(b"\n\n.\n..\nend\n", message)

    def test_exim(self):
        self.send(letter("to exim"), "jane@exim.example")
        message = self.arrival(self.world.exim, b"Subject: to exim\n")
        self.assertRegex(message, rb"(?s)helo=mx\.post\.example\).*with esmtps .*TLS")

    def test_opensmtpd(self):
        self.send(letter("to opensmtpd"), "jane@opensmtpd.example")
        message = self.arrival(self.world.opensmtpd, b"Subject: to opensmtpd\n")
        self.assertRegex(message, rb"Received: from mx\.post\.example .*\[192\.0\.2\.")

    def test_a_host_whose_tls_fails_gets_it_in_clear(self):
        self.send(letter("to broken tls"), "jane@brokentls.example")
        self.arrival(self.world.opensmtpd, b"Subject: to broken tls\n")

    def test_a_host_that_insists_on_tls(self):
        self.send(letter("to an insistent host"), "jane@insistent.example")
        self.assertIn(b"using TLSv1", self.arrival(self.world.postfix, b"Subject: to an insistent host\n"))

    def test_a_host_without_any_extension(self):
        content = letter("to a bare host", "x\r\n" * 5000)
        self.send(content, "jane@bare.example")
        self.assertIn(b"\nx\nx\n", self.arrival(self.world.postfix, b"Subject: to a bare host\n"))

    def test_postfix_is_stopped_for_a_while(self):
        self.world.postfix.stop()
        try:
            message = self.send(letter("while postfix was stopped"), "jane@postfix.example")
            self.until(lambda: self.attempted(message), "the first attempt")
        finally:
            self.world.postfix.start()
        self.queue("retry", message)
        self.arrival(self.world.postfix, b"Subject: while postfix was stopped\n")
        self.until(lambda: not self.waiting(message), "the queue to forget it")

    def test_retry_of_all_after_a_host_was_away(self):
        self.world.exim.stop()
        try:
            sent = [self.send(letter(f"while exim was away {n}"), f"jane{n}@exim.example") for n in range(3)]
            self.until(lambda: self.attempted(sent[0]), "the first attempt")  # after it the host may be spared
        finally:
            self.world.exim.start()
        self.queue("retry", "--domain", "exim.example")
        for n in range(3):
            self.arrival(self.world.exim, b"Subject: while exim was away %d\n" % n)

    def test_permanent_refusal_and_the_bounce_by_pop3(self):
        user = self.user()
        self.send(letter("to nobody"), "nobody.here@postfix.example", user=user)
        notice = self.notice(user)
        self.assertIn(b"Return-Path: <>\r\n", notice)
        text, recipients, message, returned = report_of(notice)
        self.assertEqual(len(recipients), 1)
        self.assertEqual(recipients[0]["Action"], "failed")
        self.assertEqual(recipients[0]["Status"], "5.1.1")
        self.assertIn("nobody.here@postfix.example", recipients[0]["Final-Recipient"])
        self.assertIn("mx.postfix.example", recipients[0]["Remote-MTA"])
        self.assertIn("550 5.1.1", recipients[0]["Diagnostic-Code"])
        self.assertIn("mx.post.example", message["Reporting-MTA"])
        self.assertIn("nobody of that name lives here", re.sub(r"\s+", " ", text))
        self.assertIn("nobody.here@postfix.example", text)
        self.assertIn(b"Subject: to nobody", returned.as_bytes())
        head = parsed(notice)
        self.assertIn(user.address, head["To"])
        self.assertTrue(head["Date"] and head["Message-ID"] and head["Subject"] and head["From"], notice)
        self.assertEqual(head["Auto-Submitted"], "auto-replied")

    def test_refusal_after_the_data(self):
        user = self.user()
        self.send(letter("to a full box"), "full@postfix.example", user=user)
        _, recipients, _, _ = report_of(self.notice(user))
        self.assertEqual(recipients[0]["Status"], "5.2.2")

    def test_partial_success(self):
        """Of five recipients at one host: three get it once, one bounces, one waits, all from one transaction."""
        user = self.user()
        to = ["jane1@postfix.example", "nobody1@postfix.example", "jane2@postfix.example", "later1@postfix.example",
              "jane3@postfix.example"]
        message = self.send(letter("to some of five"), to, user=user)
        _, recipients, _, _ = report_of(self.notice(user))
        self.assertEqual(len(recipients), 1)
        self.assertIn("nobody1@postfix.example", recipients[0]["Final-Recipient"])
        got = self.until(lambda: len(self.world.postfix.messages(b"Subject: to some of five\n")) >= 3 and
                         self.world.postfix.messages(b"Subject: to some of five\n"), "three copies")
        to_whom = sorted(re.search(rb"X-Original-To: (\S+)", copy)[1].decode() for copy in got)
        self.assertEqual(to_whom, ["jane1@postfix.example", "jane2@postfix.example", "jane3@postfix.example"])
        ids = {re.search(rb"\(Postfix\) with ESMTPS id (\S+)", copy)[1] for copy in got}
        self.assertEqual(len(ids), 1, "one transaction for all recipients of one host")
        waiting = self.until(lambda: self.waiting(message), "the message in the queue")
        self.assertIn("later1@postfix.example", waiting)
        self.assertIn("450 4.2.0", waiting)
        for address in ("jane1@", "nobody1@"):
            self.assertNotIn(address, waiting)
        self.queue("remove", "--discard", message)
        self.until(lambda: not self.waiting(message), "the message to be gone")


class Bodies(OutboundTest):
    TEXT = "Grüße aus Köln: ÄÖÜ, = signs, a trailing blank \r\n.\r\n..dots\r\n" + "ß" * 300 + "\r\n"

    def eight_bit(self, mark, kind="text/plain; charset=utf-8"):
        return letter(mark, self.TEXT, MIME_Version="1.0", Content_Type=kind, Content_Transfer_Encoding="8bit")

    def test_8bit_to_an_8bitmime_host(self):
        self.send(self.eight_bit("8bit stays"), "jane@postfix.example", parameters=" BODY=8BITMIME")
        message = self.arrival(self.world.postfix, b"Subject: 8bit stays\n")
        self.assertIn(self.TEXT.replace("\r\n", "\n").encode(), message)

    def test_8bit_to_a_7bit_host(self):
        self.send(self.eight_bit("8bit is encoded"), "jane@sevenbit.example", parameters=" BODY=8BITMIME")
        message = self.arrival(self.world.postfix, b"Subject: 8bit is encoded\n")
        self.assertTrue(message.isascii(), "octets over 127 for a host that did not offer 8BITMIME")
        self.assertTrue(all(len(line) <= 998 for line in message.split(b"\n")))
        got = email.message_from_bytes(message)
        self.assertIn(got["Content-Transfer-Encoding"].lower(), ("quoted-printable", "base64"))
        self.assertEqual(got.get_payload(decode=True).decode().replace("\r\n", "\n"), self.TEXT.replace("\r\n", "\n"))

    def test_8bit_multipart_to_a_7bit_host(self):
        body = ("--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + self.TEXT +
                "--b\r\nContent-Type: text/plain\r\n\r\nseven bits\r\n--b\r\nContent-Type: message/rfc822\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: inner\r\nMIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + self.TEXT + "--b--\r\n")
        self.send(letter("8bit parts are encoded", body, MIME_Version="1.0", Content_Type='multipart/mixed; boundary="b"',
                         Content_Transfer_Encoding="8bit"), "jane@sevenbit.example", parameters=" BODY=8BITMIME")
        message = self.arrival(self.world.postfix, b"Subject: 8bit parts are encoded\n")
        self.assertTrue(message.isascii())
        first, second, third = email.message_from_bytes(message).get_payload()
        wanted = self.TEXT.replace("\r\n", "\n").strip()
        self.assertEqual(first.get_payload(decode=True).decode().replace("\r\n", "\n").strip(), wanted)
        self.assertEqual(second.get_payload(decode=True).strip(), b"seven bits")
        inner = third.get_payload()[0]
        self.assertEqual(inner.get_payload(decode=True).decode().replace("\r\n", "\n").strip(), wanted)

    def test_smtputf8(self):
        self.send(letter("smtputf8"), "jäne@postfix.example", parameters=" SMTPUTF8 BODY=8BITMIME")
        message = self.arrival(self.world.postfix, b"Subject: smtputf8\n")
        self.assertIn("X-Original-To: jäne@postfix.example\n".encode(), message)
        self.assertIn(b"with UTF8SMTPS", message)

    def test_smtputf8_to_a_host_without_it_bounces(self):
        user = self.user()
        self.send(letter("smtputf8 is lacking"), "jäne@ascii.example", user=user, parameters=" SMTPUTF8 BODY=8BITMIME")
        _, recipients, _, _ = report_of(self.notice(user))
        self.assertEqual(recipients[0]["Action"], "failed")
        self.assertEqual(recipients[0]["Status"], "5.6.7")
        self.assertFalse(self.world.postfix.messages(b"Subject: smtputf8 is lacking\n"))

    def test_an_internationalised_domain(self):
        host = self.world.host(249)
        self.send(letter("to the books"), "jane@bücher.example", parameters=" SMTPUTF8")
        mail = self.taken(host)[0]
        self.assertIn(mail.recipients[0], ("jane@bücher.example", "jane@xn--bcher-kva.example"))

    def test_a_big_body(self):
        content = large_content(20_000_000, 7)
        self.send(content, "jane@postfix.example")
        message = self.arrival(self.world.postfix, b"Subject: large 7\n", limit=60)
        body = content[content.index(b"\r\n\r\n") + 4:].replace(b"\r\n", b"\n")
        self.assertTrue(message.endswith(body), "the body is not what was sent")

    def test_octet_for_octet(self):
        """By DATA and by BDAT, with dots, long lines and empty lines."""
        for extensions in (("8BITMIME",), ("8BITMIME", "CHUNKING", "PIPELINING")):
            for size in (0, 900, 70_000, 1_500_000):
                host = self.world.sink(extensions=extensions)
                content = random_content(size, size + len(extensions), eight_bit=True)
                self.send(content, f"jane@{host.domain}", parameters=" BODY=8BITMIME")
                got = self.taken(host)[0].content
                self.assertTrue(got.endswith(content), f"{size} octets by {extensions}: not what was sent")
                self.assertRegex(got[:-len(content)], rb"(?s)\AReceived: from .*\r\n\Z")

    def test_too_large_for_the_host(self):
        """Its SIZE says so: nothing is sent, and the sender hears it."""
        user = self.user()
        self.send(letter("too large", "x" * 70 + "\r\n" + "y\r\n" * 20_000), "jane@small.example", user=user)
        _, recipients, _, _ = report_of(self.notice(user))
        self.assertEqual(recipients[0]["Action"], "failed")
        self.assertEqual(recipients[0]["Status"], "5.3.4")


class SinkFaults(OutboundTest):
    """smtp-sink without ESMTP, and with commands that it refuses, puts off, or hangs up at."""

    def sink_with(self, *options):
        self.world.next_sink += 1
        number = self.world.next_sink
        sink = SmtpSink(self.world.base / f"smtp-sink-{number}", self.world.network, f"203.0.113.{number}", *options)
        self.addCleanup(sink.remove)
        sink.domain = f"sink{number}.example"
        return sink.start()

    def test_a_host_without_esmtp(self):
        sink = self.sink_with("-e")
        self.send(letter("to an old host"), f"jane@{sink.domain}")
        self.assertIn(b"X-Client-Proto: SMTP\n", self.arrival(sink, b"Subject: to an old host\n"))

    def test_hard_refusals(self):
        for command in ("mail", "rcpt", "data", "."):
            with self.subTest(command=command):
                user = self.user()
                sink = self.sink_with("-f", command)
                self.send(letter(f"refused at {command}"), f"jane@{sink.domain}", user=user)
                _, recipients, _, _ = report_of(self.notice(user))
                self.assertEqual(recipients[0]["Action"], "failed")

    def test_soft_refusals_and_hang_ups_wait(self):
        """Put off, hung up on, or sent away at the door: it waits, and arrives when the host has come to its senses."""
        sinks = {}
        for fault in ("-r", "-q"):
            for command in ("connect", "ehlo,helo", "mail", "rcpt", "data", "."):
                if (fault, command) == ("-q", "."):
                    continue  # the data may be kept before it hangs up
                sink = self.sink_with(fault, command)
                sinks[sink] = self.send(letter(f"later at {fault} {command}"), f"jane@{sink.domain}")
        for sink, message in sinks.items():
            self.until(lambda m=message: self.attempted(m), "a first attempt")
            sink.stop()
            for path in (sink.mail / "new").iterdir():
                path.unlink()  # what a refused "." had left there
            sink.options = ()
            sink.start()
        for sink, message in sinks.items():
            self.queue("retry", message)
        for sink in sinks:
            self.arrival(sink, b"Subject: later at")
