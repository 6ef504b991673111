"""Which host a message is offered to: MX records of every kind, addresses, literals, and the hosts file."""
import re

from faulty_server import Say
from outbound import OutboundTest, letter, report_of


class Mx(OutboundTest):
    def bounced(self, to, **how):
        """(text, status) of the bounce for a letter to this address."""
        user = self.user()
        self.send(letter(f"to {to}"), to, user=user, **how)
        text, recipients, _, _ = report_of(self.notice(user))
        self.assertEqual(recipients[0]["Action"], "failed")
        return text, recipients[0]["Status"]

    def test_null_mx(self):
        text, status = self.bounced("jane@null.example")
        self.assertEqual(status, "5.1.10")
        self.assertIn("null.example", text)

    def test_a_domain_that_does_not_exist(self):
        _, status = self.bounced("jane@nowhere.example")
        self.assertEqual(status, "5.1.2")

    def test_a_name_without_mx_and_address(self):
        _, status = self.bounced("jane@empty.example")
        self.assertIn(status, ("5.1.2", "5.4.4"))

    def test_mx_to_hosts_that_do_not_exist(self):
        _, status = self.bounced("jane@gone.example")
        self.assertIn(status, ("5.1.2", "5.4.4"))

    def test_a_zone_that_cannot_be_asked_waits(self):
        message = self.send(letter("to a broken zone"), "jane@broken.test")
        waiting = self.until(lambda: self.attempted(message), "an attempt")
        self.assertIn("broken.test", waiting)
        self.queue("remove", "--discard", message)

    def test_mx_loop_is_told_to_sender_and_postmaster(self):
        never = self.world.host(240)
        user = self.user()
        self.send(letter("into a loop"), "jane@loop.example", user=user)
        text, recipients, _, _ = report_of(self.notice(user))
        self.assertIn("MX loop", text)
        self.assertEqual(recipients[0]["Status"], "5.4.6")
        self.until(lambda: [m for m in self.postmaster_mail(b"loop.example") if b"MX loop" in m], "the Postmaster's notice")
        self.assertFalse(never.sessions, "a host behind ourselves was tried")

    def test_backup_mx_passes_on_and_never_sends_to_worse_ones(self):
        """backup.example: 10 another, 20 ourselves, 30 a third. We take it for anybody, and wait for the first."""
        worse = self.world.host(242)
        with self.instance.smtp() as smtp:
            message = self.id_of(smtp.ehlo().deliver(letter("for the better MX"), to="jane@backup.example"))
        self.until(lambda: self.attempted(message), "the first attempt")
        better = self.world.host(241)
        self.queue("retry", message)
        self.taken(better)
        self.assertFalse(worse.sessions, "a host behind ourselves was tried")

    def test_the_next_mx_within_one_attempt(self):
        host = self.world.host(247)
        self.send(letter("to the second MX"), "jane@half.example")
        self.taken(host)

    def test_the_next_address_within_one_attempt(self):
        host = self.world.host(236)
        self.send(letter("to the second address"), "jane@many.example")
        self.taken(host)

    def test_equal_ones_share(self):
        """By connection; a connection that stands is used again, so the order of trying is asked for."""
        firsts = set()
        for _ in range(40):
            tried = re.findall(r"mx\.sink23[1-4]\.example", self.instance.command("route", "jane@equal.example").stdout)
            self.assertEqual(len(set(tried)), 4)
            firsts.add(tried[0])
            if len(firsts) > 1:
                return
        self.fail("of four equal hosts the same one is always the first")

    def test_a_host_that_sends_us_away_is_passed_over(self):
        hosts = [self.world.sink(faults={"connect": Say("554 5.7.1 not you")}), self.world.sink()]
        self.world.dns.change("example", self.world.dns.zones["example"] + "\n" + "\n".join(
            f"away IN MX {10 + n} {h.name}." for n, h in enumerate(hosts)))
        self.send(letter("not at the first door"), "jane@away.example")
        self.taken(hosts[1])

    def test_address_without_mx(self):
        host = self.world.host(243)
        self.send(letter("by address"), "jane@plain.example")
        self.taken(host)

    def test_wildcard_mx(self):
        host = self.world.host(244)
        self.send(letter("by wildcard"), "jane@any.thing.wild.example")
        self.taken(host)

    def test_alias_name(self):
        host = self.world.host(245)
        self.send(letter("by alias"), "jane@alias.example")
        self.assertEqual(self.taken(host)[0].recipients, ["jane@alias.example"])

    def test_ipv6(self):
        host = self.world.servers.listen("2001:db8::25", "mx.six.example")
        self.send(letter("by IPv6"), "jane@six.example")
        self.taken(host)

    def test_ipv4_where_ipv6_is_dead(self):
        host = self.world.host(248)
        self.send(letter("by IPv4 after all"), "jane@both.example")
        self.taken(host)

    def test_an_answer_that_needs_tcp(self):
        """51 MX records. The only one with a host is the best, and the last in the zone."""
        host = self.world.host(239)
        self.send(letter("by TCP"), "jane@large.example")
        self.taken(host)

    def test_domain_literal(self):
        host = self.world.sink()
        self.send(letter("by literal"), f"jane@[{host.address}]")
        self.assertEqual(self.taken(host)[0].recipients, [f"jane@[{host.address}]"])

    def test_the_hosts_that_are_tried_are_shown(self):
        shown = self.instance.command("route", "jane@equal.example").stdout
        for n in range(231, 235):
            self.assertIn(f"mx.sink{n}.example", shown)
            self.assertIn(f"203.0.113.{n}", shown)
        self.assertIn("MX loop", self.instance.command("route", "jane@loop.example", check=False).stdout)
        shown = self.instance.command("route", "jane@backup.example", check=False).stdout
        self.assertIn("mx.sink241.example", shown)
        self.assertNotIn("203.0.113.242", shown)
