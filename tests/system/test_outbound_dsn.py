"""Notices (RFC 3461, 3464): who gets one, what it says, and who gets none."""
from faulty_server import Say
from outbound import OutboundTest, letter, parsed, report_of

NOBODY = Say("550 5.1.1 nobody of that name")


class Notices(OutboundTest):
    def refusing(self, **options):
        """A host that knows nobody."""
        return self.world.sink(faults={"RCPT": [NOBODY] * 50}, **options)

    def test_dsn_parameters_are_passed_on(self):
        host = self.world.sink()
        self.send(letter("dsn"), f"jane@{host.domain}", parameters=" RET=HDRS ENVID=abc+2B123",
                  rcpt_parameters=" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Jane+2Bx@elsewhere.example")
        mail = self.taken(host)[0]
        self.assertIn("RET=HDRS", mail.sender_parameters)
        self.assertIn("ENVID=abc+2B123", mail.sender_parameters)
        self.assertIn("NOTIFY=SUCCESS,DELAY", mail.recipient_parameters[0])
        self.assertIn("ORCPT=rfc822;Jane+2Bx@elsewhere.example", mail.recipient_parameters[0])

    def test_success_is_the_hosts_to_report_if_it_promised(self):
        user = self.user()
        host = self.world.sink()
        self.send(letter("success elsewhere"), f"jane@{host.domain}", user=user, rcpt_parameters=" NOTIFY=SUCCESS,FAILURE")
        self.taken(host)
        self.assert_works()
        self.assert_empty(user)

    def test_relayed_where_the_host_has_no_dsn(self):
        user = self.user()
        host = self.world.sink(extensions=("8BITMIME",))
        self.send(letter("relayed"), f"jane@{host.domain}", user=user, parameters=" ENVID=qq1",
                  rcpt_parameters=" NOTIFY=SUCCESS ORCPT=rfc822;jane@first.example")
        text, recipients, message, _ = report_of(self.notice(user))
        self.assertEqual(recipients[0]["Action"], "relayed")
        self.assertTrue(recipients[0]["Status"].startswith("2."), recipients[0]["Status"])
        self.assertEqual(recipients[0]["Original-Recipient"], "rfc822; jane@first.example")
        self.assertEqual(message["Original-Envelope-Id"], "qq1")
        self.assertNotIn("NOTIFY", self.taken(host)[0].recipient_parameters[0])

    def test_success_of_a_local_delivery(self):
        user, other = self.user(), self.user()
        self.send(letter("delivered here"), other.address, user=user, rcpt_parameters=" NOTIFY=SUCCESS")
        _, recipients, _, _ = report_of(self.notice(user))
        self.assertEqual(recipients[0]["Action"], "delivered")
        self.assertIn(other.address, recipients[0]["Final-Recipient"])
        self.only_message(other)

    def test_never_means_never(self):
        user = self.user()
        host = self.refusing()
        message = self.send(letter("never"), f"jane@{host.domain}", user=user, rcpt_parameters=" NOTIFY=NEVER")
        self.until(lambda: host.sessions and not self.waiting(message), "the message to be gone")
        self.assert_empty(user)

    def test_success_alone_asks_for_no_failure(self):
        user = self.user()
        host = self.refusing()
        message = self.send(letter("success alone"), f"jane@{host.domain}", user=user, rcpt_parameters=" NOTIFY=SUCCESS")
        self.until(lambda: host.sessions and not self.waiting(message), "the message to be gone")
        self.assert_empty(user)

    def test_headers_or_all_of_it(self):
        for parameters, size, whole in ((" RET=HDRS", 300, False), (" RET=FULL", 300, True), ("", 300, True),
                                        (" RET=FULL", 200_000, False), ("", 200_000, False)):
            with self.subTest(parameters=parameters, size=size):
                user = self.user()
                host = self.refusing()
                self.send(letter("what comes back", "secret line\r\n" * (size // 13)), f"jane@{host.domain}", user=user,
                          parameters=parameters)
                *_, returned = report_of(self.notice(user))
                self.assertEqual(returned.get_content_type(), "message/rfc822" if whole else "text/rfc822-headers")
                self.assertEqual(b"secret line" in returned.as_bytes(), whole)
                self.assertIn(b"Subject: what comes back", returned.as_bytes())

    def test_one_notice_for_all_that_failed_at_once(self):
        user = self.user()
        host = self.refusing()
        self.send(letter("five refused"), [f"r{n}@{host.domain}" for n in range(5)], user=user)
        text, recipients, _, _ = report_of(self.notice(user))
        self.assertEqual(len(recipients), 5)
        for n in range(5):
            self.assertIn(f"r{n}@{host.domain}", text)

    def test_eight_bit_words_of_a_host(self):
        """What a host says is foreign: no control character and no line of its own gets into the notice."""
        user = self.user()
        host = self.world.sink(faults={"RCPT": Say(b"550-5.1.1 na\xefve\x1b[2J\r\n550 5.1.1 Subject: forged\r\n")})
        self.send(letter("strange words"), f"jane@{host.domain}", user=user)
        notice = self.notice(user)
        self.assertNotIn(b"\x1b", notice)
        self.assertNotIn(b"\r\nSubject: forged", notice)
        _, recipients, _, _ = report_of(notice)
        self.assertEqual(recipients[0]["Status"], "5.1.1")

    def test_a_bounce_that_bounces_goes_to_the_postmaster(self):
        host = self.refusing()
        message = self.send(letter("doubly"), f"jane@{host.domain}", sender=f"nobody@{host.domain}")
        self.until(lambda: self.postmaster_mail(b"Subject: doubly"), "the bounce of a bounce")
        self.assertEqual(len(self.postmaster_mail(b"Subject: doubly")), 1)
        self.assertFalse(self.waiting(message))
        self.assertEqual(len([m for m in host.sessions if any("MAIL FROM:<>" in line for line in m.lines)]), 1)

    def test_no_bounce_to_a_bounce(self):
        """A message from <> that is refused makes no notice to anybody outside; the Postmaster hears of it."""
        host = self.refusing()
        message = self.send(letter("from nobody at all"), f"jane@{host.domain}", sender="")
        self.until(lambda: host.sessions and not self.waiting(message), "the message to be gone")
        self.until(lambda: self.postmaster_mail(b"Subject: from nobody at all"), "the Postmaster's copy")

    def test_a_notice_leaves_by_the_null_sender(self):
        """A remote sender gets it where their domain's MX is."""
        home, host = self.world.sink(), self.refusing()
        self.send(letter("to a remote sender"), f"jane@{host.domain}", sender=f"them@{home.domain}")
        mail = self.taken(home)[0]
        self.assertEqual(mail.sender, "")
        self.assertEqual(mail.recipients, [f"them@{home.domain}"])
        _, recipients, _, _ = report_of(mail.content)
        self.assertEqual(recipients[0]["Action"], "failed")
        self.assertIn("NOTIFY=NEVER", mail.recipient_parameters[0])
        self.assertEqual(parsed(mail.content)["Auto-Submitted"], "auto-replied")
