"""Where an address leads: accounts, channel aliases, domains, the mail routing table; and how the next hop is spoken to."""
import base64

import accounts
from faulty_server import EXTENSIONS, Say
from outbound import RELAY_PASSWORD, RELAY_USER, STRANGER, OutboundTest, letter, report_of
from receivers import Authority


class RoutingTable(OutboundTest):
    def goes_to(self, to, host):
        """The letter is at that host, with its address as it was."""
        before = len(host.taken())
        self.send(letter(f"to {to}"), to)
        mail = self.taken(host, before + 1)[-1]
        self.assertEqual(mail.recipients, [to])

    def test_a_domain_itself(self):
        host = self.world.host(200)
        self.goes_to("jane@exact.routed.example", host)
        self.assertIn("mx.sink200.example", self.instance.command("route", "jane@exact.routed.example").stdout)

    def test_a_domain_is_not_what_is_under_it(self):
        user = self.user()
        self.send(letter("under exact"), "jane@sub.exact.routed.example", user=user)
        report_of(self.notice(user))

    def test_all_under_a_domain(self):
        host = self.world.host(201)
        self.goes_to("jane@a.under.routed.example", host)
        self.goes_to("jane@b.c.under.routed.example", host)
        self.goes_to("jane@UPPER.Under.Routed.Example".lower(), host)

    def test_a_port(self):
        self.goes_to("jane@port.routed.example", self.world.servers.listen("203.0.113.202", port=2525))

    def test_an_address_literal(self):
        self.goes_to("jane@literal.routed.example", self.world.servers.listen("203.0.113.203"))

    def test_an_address_literal_with_a_port(self):
        self.goes_to("jane@literalport.routed.example", self.world.servers.listen("203.0.113.204", port=2525))

    def test_an_ipv6_literal_with_a_port(self):
        self.goes_to("jane@six.routed.example", self.world.servers.listen("2001:db8::1", port=2525))

    def test_a_star_keeps_mx_routing(self):
        self.goes_to("jane@direct.starred.example", self.world.host(206))
        self.goes_to("jane@other.starred.example", self.world.host(205))

    def test_the_first_match_wins(self):
        first, second, third = (self.world.host(n) for n in (207, 208, 209))
        self.goes_to("jane@a.first.routed.example", first)
        self.goes_to("jane@b.first.routed.example", second)
        self.assertFalse(third.sessions, "an entry behind one that matches")

    def test_a_route_to_a_host_that_does_not_exist(self):
        """The table is the Postmaster's, and may be wrong for an hour: the mail must not bounce at once for that, or
        it must say so in words that lead to the table."""
        user = self.user()
        message = self.send(letter("to an unnamed host"), "jane@unnamed.routed.example", user=user)
        shown = self.until(lambda: self.waiting(message) or self.instance.fetch_all(user), "an attempt or a bounce")
        self.assertIn("nowhere.example", str(shown))
        self.queue("remove", "--discard", message, check=False)

    def test_source_and_greeting_of_a_route(self):
        host = self.world.host(220)
        self.goes_to("jane@sourced.example", host)
        self.assertEqual((host.mail[0].peer, host.mail[0].helo), ("192.0.2.2", "other.post.example"))

    def test_source_and_greeting_of_a_sender_domain(self):
        host = self.world.sink()
        self.send(letter("from the second domain"), f"jane@{host.domain}", sender="someone@second.example")
        mail = self.taken(host)[0]
        self.assertEqual((mail.peer, mail.helo), ("192.0.2.3", "mail.second.example"))
        self.send(letter("from the first domain"), f"jane@{host.domain}", sender="someone@post.example")
        self.assertEqual(self.taken(host, 2)[1].helo, "mx.post.example")

    def test_an_entry_permits_nothing(self):
        with self.instance.smtp(source=STRANGER) as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            for domain in ("exact.routed.example", "a.under.routed.example", "relayed.example", "direct.starred.example"):
                smtp.cmd(f"RCPT TO:<jane@{domain}>", 550, containing="5.7.1")


class TlsLevels(OutboundTest):
    def put_off(self, domain, host):
        """The letter waits; the host was asked, and got nothing. Returns what the queue says."""
        message = self.send(letter(f"to {domain}"), f"jane@{domain}")
        waiting = self.until(lambda: self.attempted(message), "an attempt")
        self.assertTrue(host.sessions)
        self.assertFalse(host.mail, "mail was sent to a host that it must not be sent to")
        self.queue("remove", "--discard", message)
        return waiting

    def test_none(self):
        host = self.world.host(210, tls=True)
        self.send(letter("no TLS"), "jane@none.tls.example")
        self.assertIsNone(self.taken(host)[0].tls)

    def test_opportunistic(self):
        host = self.world.host(211, tls=True, names=("some.other.name",))
        self.send(letter("TLS if there is some"), "jane@opportunistic.tls.example")
        self.assertEqual(self.taken(host)[0].tls, "TLSv1.3")

    def test_by_mx_it_is_opportunistic(self):
        with_tls, without = self.world.sink(tls=True), self.world.sink()
        for host, tls in ((with_tls, "TLSv1.3"), (without, None)):
            self.send(letter("TLS or not"), f"jane@{host.domain}")
            self.assertEqual(self.taken(host)[0].tls, tls)

    def test_opportunistic_in_clear_after_a_failed_handshake(self):
        host = self.world.sink(tls=True, faults={"TLS": [True]})
        self.send(letter("TLS fails"), f"jane@{host.domain}")
        self.assertIsNone(self.taken(host)[0].tls)

    def test_opportunistic_in_clear_after_a_refused_starttls(self):
        host = self.world.sink(tls=True, faults={"STARTTLS": [Say("454 4.7.0 not now")] * 3})
        self.send(letter("STARTTLS refused"), f"jane@{host.domain}")
        self.assertIsNone(self.taken(host)[0].tls)

    def test_required(self):
        host = self.world.host(212, tls=True, names=("some.other.name",))
        self.send(letter("TLS required"), "jane@required.tls.example")
        self.assertEqual(self.taken(host)[0].tls, "TLSv1.3")

    def test_required_of_a_host_without_it(self):
        self.assertIn("TLS", self.put_off("requiredclear.tls.example", self.world.host(213)))

    def test_required_of_a_host_whose_tls_fails(self):
        self.put_off("liar.tls.example", self.world.host(217, tls=True, faults={"TLS": [True] * 20}))

    def test_verified(self):
        host = self.world.host(214, tls=True)
        self.send(letter("TLS verified"), "jane@verified.tls.example")
        self.assertEqual(self.taken(host)[0].tls, "TLSv1.3")

    def test_verified_against_another_name(self):
        waiting = self.put_off("wrongname.tls.example", self.world.host(215, tls=True, names=("mx.other.example",)))
        self.assertIn("certificate", waiting)

    def test_verified_against_an_authority_nobody_trusts(self):
        other = Authority(self.world.base / "other-authority")
        waiting = self.put_off("untrusted.tls.example", self.world.host(216, tls=True, authority=other))
        self.assertIn("certificate", waiting)

    def test_words_before_the_handshake_are_forgotten(self):
        """What a man in the middle puts behind the 220 to STARTTLS is not taken for an answer under TLS."""
        host = self.world.sink(tls=True, faults={"STARTTLS": [Say("220 go ahead\r\n250-injected.example\r\n250 SIZE 1")]})
        content = letter("after STARTTLS", "x" * 5000 + "\r\n")
        self.send(content, f"jane@{host.domain}")
        self.assertTrue(self.taken(host)[0].content.endswith(content))


class Relay(OutboundTest):
    """A provider's relay with user and password."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for host in ("relay.exim.example", "mx.sink218.example", "mx.sink219.example"):
            cls.instance.set_relay_password(host, RELAY_USER, RELAY_PASSWORD)

    def test_log_in(self):
        self.send(letter("by the relay"), "jane@relayed.example")
        message = self.arrival(self.world.exim, b"Subject: by the relay\n")
        self.assertIn(f"X-Authenticated: {RELAY_USER}\n".encode(), message)
        self.assertIn(b"with esmtpsa", message)

    def test_a_wrong_password_waits(self):
        host = self.world.servers.listen("203.0.113.218", "mx.sink218.example", port=587, credentials=(RELAY_USER, "another"),
                                         context=self.world.tls_of("mx.sink218.example"))
        message = self.send(letter("with a wrong password"), "jane@wrongpassword.example")
        waiting = self.until(lambda: self.attempted(message), "an attempt")
        self.assertIn("535", waiting)
        self.assertFalse(host.mail)
        self.queue("remove", "--discard", message)

    def test_no_password_in_clear(self):
        host = self.world.servers.listen("203.0.113.219", "mx.sink219.example", port=587,
                                         credentials=(RELAY_USER, RELAY_PASSWORD), extensions=EXTENSIONS)
        message = self.send(letter("not in clear"), "jane@clearpassword.example")
        self.until(lambda: self.attempted(message), "an attempt")
        self.assertFalse([line for s in host.sessions for line in s.lines if line.upper().startswith("AUTH")])
        self.assertFalse(host.mail)
        self.queue("remove", "--discard", message)

    def test_the_password_is_shown_nowhere(self):
        token = base64.b64encode(f"\0{RELAY_USER}\0{RELAY_PASSWORD}".encode()).decode()
        for text in (self.instance.command("form", "show", "mail-routing").stdout, self.instance.log_text(),
                     self.instance.command("route", "jane@relayed.example").stdout):
            self.assertNotIn(RELAY_PASSWORD, text)
            self.assertNotIn(token, text)


class Addresses(OutboundTest):
    def add_account(self, name, *addresses, **fields):
        address = addresses or (f"{name}@post.example",)
        self.instance.command("account", "add", input=accounts.form({
            "User's-Real-Name": name, "Internet-Addresses": list(address), **fields}))
        return address[0]

    def test_forwarding_without_a_mailbox(self):
        host = self.world.sink()
        address = self.add_account("forward1", Forwarding_Addresses=[f"out@{host.domain}"])
        with self.instance.smtp(source=STRANGER) as smtp:  # from anybody: the address is ours
            smtp.ehlo().deliver(letter("forwarded"), to=address, sender="someone@elsewhere.example")
        mail = self.taken(host)[0]
        self.assertEqual((mail.sender, mail.recipients), ("someone@elsewhere.example", [f"out@{host.domain}"]))

    def test_forwarding_beside_a_mailbox_and_to_several(self):
        host, user, other = self.world.sink(), self.user(), self.user()
        self.instance.account_set(user.address, Forwarding_Addresses=[f"a@{host.domain}", f"b@{host.domain}", other.address])
        self.send(letter("to all of them"), user.address)
        self.assertEqual(sorted(self.taken(host)[0].recipients), [f"a@{host.domain}", f"b@{host.domain}"])
        self.only_message(user)
        self.only_message(other)

    def test_forwarding_reaches_nobody_twice(self):
        user, other = self.user(), self.user()
        host = self.world.sink()
        for each in (user, other):
            self.instance.account_set(each.address, Forwarding_Addresses=[f"same@{host.domain}"])
        self.send(letter("by two ways"), [user.address, other.address, f"same@{host.domain}"])
        self.assertEqual(self.taken(host)[0].recipients, [f"same@{host.domain}"])

    def test_forwarding_in_a_circle(self):
        one, two = self.user(), self.user()
        self.instance.account_set(one.address, Forwarding_Addresses=[two.address])
        self.instance.account_set(two.address, Forwarding_Addresses=[one.address])
        self.send(letter("round and round"), one.address)
        self.only_message(one)
        self.only_message(two)

    def test_a_forwarding_that_bounces_tells_the_sender(self):
        user, host = self.user(), self.world.sink(faults={"RCPT": Say("550 5.1.1 unknown")})
        address = self.add_account("forward2", Forwarding_Addresses=[f"gone@{host.domain}"])
        self.send(letter("forwarded to nobody"), address, user=user)
        text, recipients, _, _ = report_of(self.notice(user))
        self.assertIn(f"gone@{host.domain}", recipients[0]["Final-Recipient"])
        self.assertIn(address, text)

    def test_channel_alias_to_another_host(self):
        host = self.world.sink()
        self.instance.add_alias("jane@post.example", f"jane@{host.domain}")
        with self.instance.smtp(source=STRANGER) as smtp:
            smtp.ehlo().deliver(letter("by alias"), to="Jane@post.example")
        self.assertEqual(self.taken(host)[0].recipients, [f"jane@{host.domain}"])

    def test_channel_alias_to_an_account_and_through_another_alias(self):
        user = self.user()
        self.instance.add_alias("first@second.example", "second@second.example")
        self.instance.add_alias("second@second.example", user.address)
        self.send(letter("by two aliases"), "first@second.example")
        self.only_message(user)

    def test_channel_aliases_in_a_circle(self):
        self.instance.add_alias("ring1@post.example", "ring2@post.example")
        refused = self.instance.command("form", "set", "channel-aliases", "Aliases+=<ring2@post.example> <ring1@post.example>",
                                        check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the aliases lead in a circle", refused.stdout + refused.stderr)

    def test_an_account_comes_before_an_alias(self):
        user, host = self.user(), self.world.sink()
        self.instance.add_alias(user.address, f"jane@{host.domain}")
        self.send(letter("mine"), user.address)
        self.only_message(user)
        self.assertFalse(host.sessions)

    def test_plus_addresses(self):
        user = self.user()
        self.send(letter("with a plus"), f"{user.login}+lists@post.example")
        self.assertIn(f"Delivered-To: {user.login}+lists@post.example".encode(), self.only_message(user))
        self.instance.form_set("mail-routing", **{"Plus-Addresses": "no"})
        try:
            self.assertEqual(self.rcpt_code(f"{user.login}+lists@post.example"), 550)
        finally:
            self.instance.form_set("mail-routing", **{"Plus-Addresses": "yes"})

    def test_virtual_domains_are_independent(self):
        one, two = self.user(), self.user()
        self.instance.account_set(one.address, Internet_Addresses=[one.address, "joe@post.example"])
        self.instance.account_set(two.address, Internet_Addresses=[two.address, "joe@second.example"])
        self.send(letter("to joe at post"), "joe@post.example")
        self.send(letter("to joe at second"), "joe@second.example")
        self.assertIn(b"to joe at post", self.only_message(one))
        self.assertIn(b"to joe at second", self.only_message(two))

    def test_an_unknown_local_user_is_never_sent_on(self):
        """post.example has an MX, and it is us: unknown there is an error, whoever asks."""
        for address in ("no.such.user@post.example", "no.such.user@mx.post.example"):
            self.assertEqual(self.rcpt_code(address), 550)

    def test_catch_all_delivers(self):
        user = self.user()
        self.instance.form_set("mail-routing", **{"Unknown-Local-Users": "deliver", "Catch-All-Address": user.address})
        try:
            self.send(letter("for whom it may concern"), "no.such.user@second.example")
            self.assertIn(b"Delivered-To: no.such.user@second.example", self.only_message(user))
        finally:
            self.instance.form_set("mail-routing", **{"Unknown-Local-Users": "refuse", "Catch-All-Address": ""})

    def test_catch_all_holds_for_the_postmaster(self):
        user = self.user()
        self.instance.form_set("mail-routing", **{"Unknown-Local-Users": "hold"})
        try:
            message = self.send(letter("held for the Postmaster"), "no.such.user@second.example")
        finally:
            self.instance.form_set("mail-routing", **{"Unknown-Local-Users": "refuse"})
        self.assertEqual(self.recipients(message)["no.such.user@second.example"]["state"], "held")
        self.instance.account_set(user.address, Internet_Addresses=[user.address, "no.such.user@second.example"])
        self.queue("release", message)
        self.until(lambda: self.instance.fetch_all(user), "the message in the mailbox that its address has now")
        self.assertFalse(self.waiting(message))

    def test_route_tells_every_step(self):
        host, user = self.world.sink(), self.user()
        self.instance.add_alias("steps@second.example", user.address)
        self.instance.account_set(user.address, Forwarding_Addresses=[f"out@{host.domain}"])
        shown = self.instance.command("route", "steps@second.example").stdout
        for word in ("steps@second.example", user.address, f"out@{host.domain}", host.name, host.address):
            self.assertIn(word, shown)
        shown = self.instance.command("route", "no.such.user@post.example", check=False).stdout
        self.assertIn("no.such.user@post.example", shown)
