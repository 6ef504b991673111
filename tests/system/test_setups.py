"""The four sample set-ups of the Guide (section 2.4): hosts xanadu, hub, firewall, provider and client, each an instance
of the suite in a network of its own, with the zones, accounts, aliases, local mail domains and routing tables as printed.
One test for each set-up; and one for a site without DNS."""
import contextlib
import email
import re
import shutil
import threading
import unittest

import accounts
from dialogue import Smtp
from faulty_server import FaultyServer
from harness import Pool, SystemTest, assert_no_crash
from instance import PROGRAMS, Instance, make_base
from name_server import NameServer
from namespace import Network, View, Wire, lacking
from outbound import PORTS, letter

XANADU, HUB, CLIENT, FIREWALL, INSIDE_DNS = (f"123.45.6.{n}" for n in (78, 80, 82, 90, 53))
PROVIDER, OUTSIDE, OUTSIDE_DNS = "198.51.100.1", "198.51.100.7", "198.51.100.53"
JANIE = {"User's-Real-Name": "Janie Lee", "From-Address-Rewrite": "comment", "POP3-Delivery": "yes", "POP-Login-Name": "janie"}
BOB = {"User's-Real-Name": "Bob Roe", "From-Address-Rewrite": "comment", "POP3-Delivery": "yes", "POP-Login-Name": "bob"}
PAT = {"User's-Real-Name": "Pat Poe", "Internet-Addresses": ["pat@outside.example"], "POP-Login-Name": "pat"}
HOSTS = f"""xanadu.podunk.edu. IN A {XANADU}
hub.podunk.edu. IN A {HUB}
client.podunk.edu. IN A {CLIENT}
firewall.podunk.edu. IN A {FIREWALL}
"""
ELSEWHERE = {"provider.net": f"@ IN A {PROVIDER}\n@ IN MX 10 provider.net.",
             "outside.example": f"@ IN MX 10 mail\nmail IN A {OUTSIDE}"}


class Person:
    def __init__(self, host, login, address):
        self.host, self.login, self.address, self.password = host, login, address, accounts.PASSWORD

    def send(self, to, subject, sender=None):
        with self.host.submission(self) as smtp:
            smtp.deliver(letter(subject, author=sender or self.address),
                         sender=sender or self.address, to=to)
            smtp.quit()

    def finds(self, subject, limit=40):
        """The message of that subject, when it is in the mailbox, parsed."""
        found = []

        def look():
            found[:] = [m for m in map(email.message_from_bytes, self.host.fetch_all(self)) if m["Subject"] == subject]
            return found
        self.host.until(look, limit, f"{subject!r} in the mailbox of {self.address}")
        assert len(found) == 1, f"{len(found)} copies of {subject!r}"
        return found[0]


def way_of(message):
    """The hosts that a message went through, in order, by its Received fields."""
    return [re.search(r"\bby (\S+)", field)[1] for field in reversed(message.get_all("Received"))]


class Setup(unittest.TestCase):
    """A test of a set-up makes its wires, its hosts and its DNS, and takes them down."""
    instance = None  # what a failure shows the log of

    def setUp(self):
        why = lacking("nsd")
        if not why and "smtp-deliver" not in PROGRAMS:
            why = "this suite does not deliver to other hosts"
        if why:
            self.skipTest(why)
        self.base = make_base(Pool.build)
        self.hosts, self.networks, self.servers = [], {}, []
        self.addCleanup(self.take_down)

    def take_down(self):
        def stop(host):
            host.status = host.stop()
        threads = [threading.Thread(target=stop, args=(host,)) for host in self.hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        try:
            for host in self.hosts:
                self.assertEqual(host.status, 0, f"{host.hostname} when told to stop")
                assert_no_crash(host)
        finally:
            for host in self.hosts:
                Pool.discard(host)
            for server in self.servers:
                server.stop()
            for network in self.networks.values():
                network.close()
            if not Pool.keep:
                shutil.rmtree(self.base, ignore_errors=True)

    def network(self, address):
        if address not in self.networks:
            self.networks[address] = Network()
        return self.networks[address]

    def dns(self, address, zones):
        self.servers.append(NameServer(self.base, self.network(address), address, zones).wait())

    def host(self, hostname, address, resolver, people=(), aliases=(), **routing):
        """Prepared, not started. `routing`: fields of the Mail Routing form; Relay_Networks is System Security's."""
        networks = routing.pop("Relay_Networks", [])
        started_by = routing.pop("Queue_Start_Permissions", [])
        forms = {"system-configuration": {"POP3-Clear-Text-Log-In": "always"},
                 "system-security": {"Relay-Networks": networks, "Queue-Start-Permissions": started_by},
                 "mail-routing": {"Local-Mail-Domains": [], **routing}}
        if aliases:
            forms["channel-aliases"] = {"Aliases": aliases}
        host = Instance(Pool.build, users=0, smtpd=1, network=self.network(address), address=address, ports=PORTS,
                        hostname=hostname, resolvers=[resolver], forms=forms,
                        people=[accounts.form({**fields, "Mail-Account-Password": accounts.READY_HASH}) for fields in people])
        self.hosts.append(host)
        self.instance = host
        return host

    def start_all(self):
        threads = [threading.Thread(target=host.start) for host in self.hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for host in self.hosts:
            host.wait_ready(5)

    def outside(self):
        """A correspondent somewhere in the world."""
        host = self.host("mail.outside.example", OUTSIDE, OUTSIDE_DNS, people=[PAT],
                         Local_Mail_Domains=["outside.example"])
        return Person(host, "pat", "pat@outside.example")

    def code_from(self, source, to, address):
        """What a client at that address hears there for this recipient."""
        with self.network(source), Smtp(25, host=to.address) as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@outside.example>", 250)
            return smtp.cmd(f"RCPT TO:<{address}>").code

    def plug_all(self, wire, *addresses):
        """One Internet: everybody reaches everybody."""
        plugs = {}
        for address in addresses:
            plugs[address] = wire.plug(self.network(address), f"{address}/24")
            other = "198.51.100.0/24" if address.startswith("123.") else "123.45.6.0/24"
            self.network(address).ip(f"route add {other} dev eth0")
        return plugs

    def assert_from_janie(self, message, address):
        self.assertEqual(message["From"], f"{address} (Janie Lee)")
        self.assertEqual(message["Return-Path"], f"<{address}>")

    # ---- 2.4.1

    def test_basic_setup(self):
        """Every machine by itself: Janie's address is janie@xanadu.podunk.edu (figs 2-5, 2-6)."""
        wire = Wire()
        self.networks["wire"] = wire
        self.plug_all(wire, XANADU, CLIENT, OUTSIDE, OUTSIDE_DNS)
        self.dns(OUTSIDE_DNS, {**ELSEWHERE, "podunk.edu": HOSTS + """
xanadu.podunk.edu.      IN MX   10 xanadu.podunk.edu.
                        IN MX   20 hub.podunk.edu."""})
        pat = self.outside()
        xanadu = self.host("xanadu.podunk.edu", XANADU, OUTSIDE_DNS,
                           people=[{**JANIE, "Internet-Addresses": ["janie@xanadu.podunk.edu"]}])
        client = self.host("client.podunk.edu", CLIENT, OUTSIDE_DNS,
                           people=[{**BOB, "Internet-Addresses": ["bob@client.podunk.edu"]}])
        self.start_all()
        janie = Person(xanadu, "janie", "janie@xanadu.podunk.edu")
        bob = Person(client, "bob", "bob@client.podunk.edu")

        pat.send(janie.address, "from outside to xanadu")
        self.assertEqual(way_of(janie.finds("from outside to xanadu")), ["mail.outside.example", "xanadu.podunk.edu"])
        janie.send(pat.address, "from xanadu to outside", sender="janie@xanadu.podunk.edu")
        message = pat.finds("from xanadu to outside")
        self.assertEqual(way_of(message), ["xanadu.podunk.edu", "mail.outside.example"])
        self.assert_from_janie(message, "janie@xanadu.podunk.edu")
        pat.send(email.utils.parseaddr(message["From"])[1], "a reply")
        janie.finds("a reply")
        janie.send(bob.address, "from xanadu to client")  # which has an address, and no MX
        self.assertEqual(way_of(bob.finds("from xanadu to client")), ["xanadu.podunk.edu", "client.podunk.edu"])
        bob.send(janie.address, "from client to xanadu")
        self.assertEqual(way_of(janie.finds("from client to xanadu")), ["client.podunk.edu", "xanadu.podunk.edu"])
        self.assertEqual(self.code_from(OUTSIDE, xanadu, "nobody@xanadu.podunk.edu"), 550)  # implied local domain
        self.assertEqual(self.code_from(OUTSIDE, xanadu, "pat@outside.example"), 550)
        pat.send("nobody@xanadu.podunk.edu", "to nobody")
        bounce = pat.host.until(lambda: len(pat.host.fetch_all(pat)) >= 2, 40, "the bounce")
        self.assertIsNotNone(bounce)

    # ---- 2.4.2

    def test_hostname_hiding(self):
        """Addresses without a host: mail for podunk.edu goes to the hub, which knows where everyone is (figs 2-8, 2-9)."""
        wire = Wire()
        self.networks["wire"] = wire
        self.plug_all(wire, XANADU, CLIENT, HUB, OUTSIDE, OUTSIDE_DNS)
        self.dns(OUTSIDE_DNS, {**ELSEWHERE, "podunk.edu": HOSTS + f"""
podunk.edu.             IN A    {HUB}
                        IN MX   10 hub.podunk.edu.
xanadu.podunk.edu.      IN MX   10 xanadu.podunk.edu.
                        IN MX   20 hub.podunk.edu."""})
        pat = self.outside()
        xanadu = self.host("xanadu.podunk.edu", XANADU, OUTSIDE_DNS, people=[
            {**JANIE, "Internet-Addresses": ["janie@podunk.edu", "janie@xanadu.podunk.edu"]}])
        client = self.host("client.podunk.edu", CLIENT, OUTSIDE_DNS, people=[
            {**BOB, "Internet-Addresses": ["bob@podunk.edu", "bob@client.podunk.edu"]}])
        hub = self.host("hub.podunk.edu", HUB, OUTSIDE_DNS, Local_Mail_Domains=["podunk.edu"], aliases=[
            "<janie@podunk.edu> <janie@xanadu.podunk.edu>", "<bob@podunk.edu> <bob@client.podunk.edu>"])
        self.start_all()
        janie, bob = Person(xanadu, "janie", "janie@podunk.edu"), Person(client, "bob", "bob@podunk.edu")

        pat.send("janie@podunk.edu", "to the domain")
        message = janie.finds("to the domain")
        self.assertEqual(way_of(message), ["mail.outside.example", "hub.podunk.edu", "xanadu.podunk.edu"])
        self.assertEqual(message["Return-Path"], "<pat@outside.example>")
        pat.send("janie@xanadu.podunk.edu", "to the host")
        self.assertEqual(way_of(janie.finds("to the host")), ["mail.outside.example", "xanadu.podunk.edu"])
        janie.send(pat.address, "to the world", sender="janie@xanadu.podunk.edu")
        message = pat.finds("to the world")
        self.assert_from_janie(message, "janie@podunk.edu")
        pat.send(email.utils.parseaddr(message["From"])[1], "a reply")
        janie.finds("a reply")
        janie.send("bob@podunk.edu", "to a colleague")
        message = bob.finds("to a colleague")
        self.assertEqual(way_of(message), ["xanadu.podunk.edu", "hub.podunk.edu", "client.podunk.edu"])
        self.assert_from_janie(message, "janie@podunk.edu")
        bob.send("janie@podunk.edu", "back to Janie")
        janie.finds("back to Janie")
        # The hub knows every account: who is not among them is an error, and mail is never sent on to find out.
        self.assertEqual(self.code_from(OUTSIDE, hub, "nobody@podunk.edu"), 550)
        # Without its local mail domain the hub, the best MX of podunk.edu, would send to itself (item 83).
        hub.form_set("mail-routing", **{"Local-Mail-Domains": [], "Relay-Domains": ["podunk.edu"]})
        janie.send("carol@podunk.edu", "into the loop")
        hub.until(lambda: "MX loop" in hub.log_text(), 40, "the hub to see the loop")
        bounce = janie.host.until(lambda: any(b"MX loop" in m for m in janie.host.fetch_all(janie)), 40, "Janie's bounce")
        self.assertIsNotNone(bounce)

    # ---- 2.4.3

    def test_firewall(self):
        """Inside and outside meet in one host alone (figs 2-10, 2-11)."""
        inside, outside = Wire(), Wire()
        self.networks.update(inside=inside, outside=outside)
        for address in (XANADU, CLIENT, FIREWALL):
            inside.plug(self.network(address), f"{address}/24")
        for address in (OUTSIDE, PROVIDER):
            outside.plug(self.network(address), f"{address}/24")
            self.network(address).ip(f"route add {FIREWALL}/32 dev eth0")
        outside.plug(self.network(FIREWALL), f"{FIREWALL}/32", name="eth1")
        self.network(FIREWALL).ip("route add 198.51.100.0/24 dev eth1")
        # One DNS server, on the firewall, for both sides.
        self.dns(FIREWALL, {**ELSEWHERE, "podunk.edu": HOSTS + """
xanadu.podunk.edu.      IN MX   10 xanadu.podunk.edu.
                        IN MX   20 firewall.podunk.edu.
                        IN MX   40 provider.net.
client.podunk.edu.      IN MX   10 client.podunk.edu.
                        IN MX   20 firewall.podunk.edu.
                        IN MX   40 provider.net.
podunk.edu.             IN MX   20 firewall.podunk.edu.
                        IN MX   40 provider.net."""})
        table = ["podunk.edu:*", "*.podunk.edu:*", "*:firewall.podunk.edu"]
        host = self.host("mail.outside.example", OUTSIDE, FIREWALL, people=[PAT], Local_Mail_Domains=["outside.example"])
        pat = Person(host, "pat", "pat@outside.example")
        xanadu = self.host("xanadu.podunk.edu", XANADU, FIREWALL, Mail_Routing_Table=table, people=[
            {**JANIE, "Internet-Addresses": ["janie@podunk.edu", "janie@xanadu.podunk.edu"]}])
        client = self.host("client.podunk.edu", CLIENT, FIREWALL, Mail_Routing_Table=table, people=[
            {**BOB, "Internet-Addresses": ["bob@podunk.edu", "bob@client.podunk.edu"]}])
        firewall = self.host("firewall.podunk.edu", FIREWALL, FIREWALL, Local_Mail_Domains=["podunk.edu"],
                             Relay_Domains=["xanadu.podunk.edu", "client.podunk.edu"], Relay_Networks=["123.45.6.0/24"],
                             aliases=["<janie@podunk.edu> <janie@xanadu.podunk.edu>", "<bob@podunk.edu> <bob@client.podunk.edu>"])
        self.start_all()
        janie, bob = Person(xanadu, "janie", "janie@podunk.edu"), Person(client, "bob", "bob@podunk.edu")

        with self.network(OUTSIDE), contextlib.suppress(OSError):
            Smtp(25, host=XANADU, limit=5).close()
            self.fail("xanadu can be reached from outside")
        pat.send("janie@xanadu.podunk.edu", "in, to the host")
        self.assertEqual(way_of(janie.finds("in, to the host")),
                         ["mail.outside.example", "firewall.podunk.edu", "xanadu.podunk.edu"])
        pat.send("bob@podunk.edu", "in, to the domain")
        self.assertEqual(way_of(bob.finds("in, to the domain")),
                         ["mail.outside.example", "firewall.podunk.edu", "client.podunk.edu"])
        janie.send(pat.address, "out")
        message = pat.finds("out")
        self.assertEqual(way_of(message), ["xanadu.podunk.edu", "firewall.podunk.edu", "mail.outside.example"])
        self.assert_from_janie(message, "janie@podunk.edu")
        janie.send("bob@client.podunk.edu", "within")
        self.assertEqual(way_of(bob.finds("within")), ["xanadu.podunk.edu", "client.podunk.edu"])
        bob.send("janie@podunk.edu", "within, to the domain")
        self.assertEqual(way_of(janie.finds("within, to the domain")),
                         ["client.podunk.edu", "firewall.podunk.edu", "xanadu.podunk.edu"])
        # The firewall carries mail out for those inside, and for nobody else.
        self.assertEqual(self.code_from(OUTSIDE, firewall, "someone@provider.net"), 550)
        self.assertEqual(self.code_from(OUTSIDE, firewall, "nobody@podunk.edu"), 550)

    # ---- 2.4.4

    def test_intermittently_connected_site(self):
        """A site on a line that is seldom up: its provider holds its mail until it asks (figs 2-12, 2-13)."""
        wire = Wire()
        self.networks["wire"] = wire
        plugs = self.plug_all(wire, XANADU, CLIENT, PROVIDER, OUTSIDE, OUTSIDE_DNS)
        self.dns(OUTSIDE_DNS, {**ELSEWHERE, "podunk.edu": HOSTS + """
xanadu.podunk.edu.      IN MX   10 xanadu.podunk.edu.
                        IN MX   20 hub.podunk.edu.
                        IN MX   40 provider.net.
client.podunk.edu.      IN MX   10 client.podunk.edu.
                        IN MX   40 provider.net."""})
        for address in (PROVIDER, OUTSIDE):  # nobody answers for the hub; that is told at once, not after three seconds
            self.network(address).ip(f"route add unreachable {HUB}/32")
        table = ["podunk.edu:*", "*.podunk.edu:*", "*:provider.net"]
        pat = self.outside()
        xanadu = self.host("xanadu.podunk.edu", XANADU, OUTSIDE_DNS, Mail_Routing_Table=table, people=[
            {**JANIE, "Internet-Addresses": ["janie@xanadu.podunk.edu"]}])
        client = self.host("client.podunk.edu", CLIENT, OUTSIDE_DNS, Mail_Routing_Table=table, people=[
            {**BOB, "Internet-Addresses": ["bob@client.podunk.edu"]}])
        provider = self.host("provider.net", PROVIDER, OUTSIDE_DNS, Relay_Domains=["xanadu.podunk.edu", "client.podunk.edu"],
                             Relay_Networks=["123.45.6.0/24"],
                             Queue_Start_Permissions=["xanadu.podunk.edu 123.45.6.0", "client.podunk.edu 123.45.6.0"])
        self.start_all()
        janie = Person(xanadu, "janie", "janie@xanadu.podunk.edu")
        bob = Person(client, "bob", "bob@client.podunk.edu")

        janie.send(pat.address, "out, by the provider")
        message = pat.finds("out, by the provider")
        self.assertEqual(way_of(message), ["xanadu.podunk.edu", "provider.net", "mail.outside.example"])
        self.assert_from_janie(message, "janie@xanadu.podunk.edu")
        janie.send(bob.address, "within, direct")
        self.assertEqual(way_of(bob.finds("within, direct")), ["xanadu.podunk.edu", "client.podunk.edu"])

        wire.cut(plugs[XANADU])
        for n in range(2):
            pat.send(janie.address, f"while the line is down {n}")
        provider.until(lambda: provider.command("queue", "list").stdout.count("janie@xanadu.podunk.edu") >= 2, 60,
                       "the provider to hold the mail")
        self.assertEqual(provider.hostname, "provider.net")
        wire.mend(plugs[XANADU])
        self.assertFalse(xanadu.fetch_all(janie), "it came before it was asked for")
        with self.network(OUTSIDE), Smtp(25, host=PROVIDER) as smtp:  # not for everybody
            self.assertGreaterEqual(smtp.ehlo().cmd("qsnd xanadu.podunk.edu").code, 400)
        with self.network(XANADU), Smtp(25, host=PROVIDER) as smtp:
            reply = smtp.cmd("qsnd xanadu.podunk.edu", 250, 251, 252, 253)
            self.assertIn("2", reply.text)
        for n in range(2):
            self.assertEqual(way_of(janie.finds(f"while the line is down {n}")),
                             ["mail.outside.example", "provider.net", "xanadu.podunk.edu"])
        pat.send(janie.address, "while the line is up")
        # That xanadu could not be reached is remembered for some minutes, and the provider is there.
        self.assertIn(way_of(janie.finds("while the line is up")),
                      (["mail.outside.example", "xanadu.podunk.edu"],
                       ["mail.outside.example", "provider.net", "xanadu.podunk.edu"]))


class WithoutDns(SystemTest):
    """`resolver none`: an invented domain, names from the hosts file alone."""

    @classmethod
    def setUpClass(cls):
        why = lacking() or ("" if "smtp-deliver" in PROGRAMS else "this suite does not deliver to other hosts")
        if why:
            raise unittest.SkipTest(why)
        cls.base = make_base(Pool.build)
        cls.network = Network()
        cls.network.own("192.0.2.0/24")
        cls.view = View(cls.base / "view", etc={
            "hosts": "127.0.0.1 localhost\n192.0.2.1 mx.post.example\n192.0.2.9 relay.invented relay\n192.0.2.8 other.invented\n"})
        cls.servers = FaultyServer(cls.network)
        cls.instance = Instance(Pool.build, users=10, network=cls.network, address="192.0.2.1", ports=PORTS, resolvers=["none"],
                                launcher=cls.view.command(), forms={
                                    "system-configuration": {"POP3-Clear-Text-Log-In": "always"},
                                    "mail-routing": {"Mail-Routing-Table": ["*.invented:*", "*:relay.invented"]}})
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.instance.stop()
            assert_no_crash(cls.instance)
        finally:
            Pool.discard(cls.instance)
            cls.servers.close()
            cls.network.close()
            shutil.rmtree(cls.base, ignore_errors=True)

    def test_names_come_from_the_hosts_file(self):
        other, relay = self.servers.listen("192.0.2.8"), self.servers.listen("192.0.2.9")
        user = self.user()
        with self.instance.submission(user) as smtp:
            smtp.deliver(letter("by the hosts file", author=user.address), sender=user.address, to=["jane@other.invented", "joe@far.away.example"])
        self.instance.until(lambda: other.taken() and relay.taken(), 30, "both messages")
        self.assertEqual(other.taken()[0].recipients, ["jane@other.invented"])
        self.assertEqual(relay.taken()[0].recipients, ["joe@far.away.example"])

    def test_a_name_that_is_not_there(self):
        user = self.user()
        with self.instance.submission(user) as smtp:
            smtp.deliver(letter("to nowhere", author=user.address), sender=user.address, to="jane@nowhere.invented")
        self.instance.until(lambda: self.instance.fetch_all(user), 30, "the bounce")
