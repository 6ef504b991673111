"""What tests of mail that leaves share: a network of their own with a DNS server, real mail servers of others, hosts
that misbehave, and an instance of the suite among them. Port 25 and the addresses are free there, because nothing
leads into it or out of it.

    192.0.2.1     mx.post.example, the suite           192.0.2.10-19   Postfix with and without extensions
    192.0.2.53    the DNS server                       192.0.2.20      Exim, and on port 587 the relay of a provider
    192.0.2.200   a client that may relay              192.0.2.30, 31  OpenSMTPD without TLS, and with broken TLS
    203.0.113.N   sinkN.example, on demand             198.51.100.N    nobody: what is sent there is never answered
    100.64.N.M    fX.many-hosts.example, X = 256 N + M"""
import email
import email.policy
import json
import re
import shutil
import ssl
import threading
import unittest

from faulty_server import FaultyServer
from harness import Pool, SystemTest, assert_no_crash
from instance import POSTMASTER_PASSWORD, PROGRAMS, Instance, make_base
from name_server import NameServer
from namespace import Network, View, Wire, lacking
from receivers import Authority, Exim, OpenSmtpd, Postfix

US, DNS, FRIEND, STRANGER = "192.0.2.1", "192.0.2.53", "192.0.2.200", "192.0.2.201"
PORTS = {"smtp": 25, "submission": 587, "smtps": 465, "pop3": 110, "pop3s": 995}
SINKS = 250
RELAY_USER, RELAY_PASSWORD = "xanadu", "secret words for a relay"
POSTFIX = {"postfix": ("192.0.2.10", {}),
           "sevenbit": ("192.0.2.11", {"smtpd_discard_ehlo_keywords": "8bitmime"}),
           "ascii": ("192.0.2.12", {"smtpd_discard_ehlo_keywords": "smtputf8"}),
           "nodsn": ("192.0.2.13", {"smtpd_discard_ehlo_keywords": "dsn"}),
           "bare": ("192.0.2.14", {"smtpd_discard_ehlo_keywords": "pipelining,chunking,size,dsn,8bitmime,smtputf8,etrn,enhancedstatuscodes,starttls"}),
           "small": ("192.0.2.15", {"message_size_limit": "20000"}),
           "insistent": ("192.0.2.16", {"smtpd_tls_security_level": "encrypt"})}
RECORDS = "\n".join([
    "post IN MX 10 mx.post", f"mx.post IN A {US}", "second IN MX 10 mx.post",
    *[f"{name} IN MX 10 mx.{name}\nmx.{name} IN A {address}" for name, (address, _) in POSTFIX.items()],
    "exim IN MX 10 mx.exim\nmx.exim IN A 192.0.2.20", "opensmtpd IN MX 10 mx.opensmtpd\nmx.opensmtpd IN A 192.0.2.30",
    "brokentls IN MX 10 mx.brokentls\nmx.brokentls IN A 192.0.2.31", "relay.exim IN A 192.0.2.20",
    *[f"sink{n} IN MX 10 mx.sink{n}\nmx.sink{n} IN A 203.0.113.{n}" for n in range(1, SINKS)],
    # no mail here (RFC 7505); best to ourselves; ourselves in the middle, twice
    "null IN MX 0 .", "loop IN MX 5 mx.post\nloop IN MX 50 mx.sink240",
    "backup IN MX 10 mx.sink241\nbackup IN MX 20 mx.post\nbackup IN MX 30 mx.sink242",
    # without MX; by an alias; a name that has none; hosts that are not there; one of two is
    "plain IN A 203.0.113.243", "*.wild IN MX 10 mx.sink244", "alias IN CNAME sink245", "empty IN TXT nothing",
    "gone IN MX 10 mx.nowhere", "refused IN MX 10 mx.refused\nmx.refused IN A 203.0.113.246",
    "refusedtoo IN MX 10 mx.refused", "silent IN MX 10 mx.silent\nmx.silent IN A 198.51.100.1",
    "half IN MX 10 mx.refused\nhalf IN MX 20 mx.sink247",
    "equal IN MX 10 mx.sink231\nequal IN MX 10 mx.sink232\nequal IN MX 10 mx.sink233\nequal IN MX 10 mx.sink234",
    "six IN MX 10 mx.six\nmx.six IN AAAA 2001:db8::25",
    "both IN MX 10 mx.both\nmx.both IN AAAA 2001:db8::bad\nmx.both IN A 203.0.113.248",
    "xn--bcher-kva IN MX 10 mx.sink249",
    "many IN MX 10 mx.many", *[f"mx.many IN A 203.0.113.{n}" for n in (235, 236)],
    *[f"large IN MX {n} a-host-with-a-name-that-fills-an-answer-number-{n}.of.large" for n in range(20, 70)],
    "large IN MX 10 mx.sink239", "direct.starred IN MX 10 mx.sink206"])
MANY = "\n".join(f"f{n} IN A 100.64.{n >> 8}.{n & 255}" for n in range(1, 1000))
# Patterns and hosts of every kind (test_routing.py). No two have the same host, so a host tells which entry matched.
ROUTES = [
    "exact.routed.example:mx.sink200.example", "*.under.routed.example:mx.sink201.example",
    "port.routed.example:mx.sink202.example:2525", "literal.routed.example:[203.0.113.203]",
    "literalport.routed.example:[203.0.113.204]:2525", "six.routed.example:[IPv6:2001:db8::1]:2525",
    "direct.starred.example:*", "*.starred.example:mx.sink205.example",
    "a.first.routed.example:mx.sink207.example", "*.first.routed.example:mx.sink208.example",
    "b.first.routed.example:mx.sink209.example",
    "none.tls.example:mx.sink210.example tls=none", "opportunistic.tls.example:mx.sink211.example tls=opportunistic",
    "required.tls.example:mx.sink212.example tls=required", "requiredclear.tls.example:mx.sink213.example tls=required",
    "verified.tls.example:mx.sink214.example tls=verified", "wrongname.tls.example:mx.sink215.example tls=verified",
    "untrusted.tls.example:mx.sink216.example tls=verified", "liar.tls.example:mx.sink217.example tls=required",
    f"relayed.example:relay.exim.example:587 tls=required user={RELAY_USER}",
    f"wrongpassword.example:mx.sink218.example:587 tls=required user={RELAY_USER}",
    f"clearpassword.example:mx.sink219.example:587 user={RELAY_USER}",
    "sourced.example:mx.sink220.example source=192.0.2.2 helo=other.post.example",
    "unnamed.routed.example:nowhere.example"]
SENDER_OPTIONS = ["second.example source=192.0.2.3 helo=mail.second.example"]


class World:
    shared, trouble = None, None

    @classmethod
    def common(cls):
        if cls.trouble:
            raise AssertionError(f"the network of the outbound tests could not be made: {cls.trouble}")
        if cls.shared is None:
            cls.shared = cls(Pool.build)
            Pool.others.append(cls.shared)
            try:
                cls.shared.start()
            except BaseException as e:
                cls.trouble = e
                raise
        return cls.shared

    def __init__(self, build):
        self.base, self.build = make_base(build), build
        self.network, self.wire = Network(), Wire()
        self.parts, self.dns, self.instance = [], None, None
        self.servers = FaultyServer(self.network)
        self.next_sink = self.next_extra = 0

    def start(self):
        self.network.own("192.0.2.0/24", "203.0.113.0/24", "100.64.0.0/16", "2001:db8::25/128", "2001:db8::1/128")
        # Nobody else is on that wire: it takes what is sent there, and that was it. Without the entries the lack of an
        # answer to ARP would be told after three seconds.
        self.wire.plug(self.network, "198.51.100.254/24", name="nobody")
        for n in range(1, 20):
            self.network.ip(f"neigh add 198.51.100.{n} lladdr 02:00:00:00:00:01 dev nobody")
        self.dns = NameServer(self.base, self.network, DNS, {"example": RECORDS, "many-hosts.example": MANY}, silent=["broken.test"])
        self.authority = Authority(self.base / "authority")
        self.postfix = self.receiver(Postfix, "postfix", {address: options for address, options in POSTFIX.values()})
        self.exim = self.receiver(Exim, "exim", "192.0.2.20", f"{RELAY_USER}:{RELAY_PASSWORD}")
        self.opensmtpd = self.receiver(OpenSmtpd, "opensmtpd", ("192.0.2.30", "192.0.2.31"))
        self.view = View(self.base / "view", etc={
            **self.authority.trust(), "resolv.conf": f"nameserver {DNS}\n", "hosts": "127.0.0.1 localhost\n"})
        self.instance = Instance(
            self.build, users=400, network=self.network, address=US, ports=PORTS, resolvers=[DNS],
            launcher=self.view.command(), forms={
                "mail-routing": {"Local-Mail-Domains": ["post.example", "second.example"],
                                 "Relay-Domains": ["backup.example", "held.example"],
                                 "Mail-Routing-Table": ROUTES, "Sender-Options": SENDER_OPTIONS},
                "system-configuration": {"POP3-Clear-Text-Log-In": "always"},
                "system-security": {"Relay-Networks": [FRIEND]}})
        self.dns.wait()
        self.instance.start()
        for part in self.parts:
            part.wait()

    def receiver(self, kind, name, *options):
        certificate = self.authority.issue(f"mx.{name}.example", *([f"mx.{n}.example" for n in POSTFIX] if kind is Postfix else []))
        part = kind(self.base / name, self.network, certificate, f"mx.{name}.example", *options)
        self.parts.append(part.start(wait=False))
        return part

    def sink(self, **options):
        """A host of its own for a test; its domain has it as MX."""
        self.next_sink += 1
        assert self.next_sink < 230, "the world has too few addresses for its tests"
        return self.host(self.next_sink, **options)

    def host(self, number, tls=False, names=None, authority=None, **options):
        """The host at 203.0.113.NUMBER, mx.sinkNUMBER.example."""
        name = f"mx.sink{number}.example"
        if tls:
            options["context"] = self.tls_of(*(names or (name,)), authority=authority)
        host = self.servers.listen(f"203.0.113.{number}", name, **options)
        host.domain = f"sink{number}.example"
        return host

    def extra_host(self, **options):
        """As sink(), of those that are there by the hundred: fN.many-hosts.example, at 100.64.0.0/16."""
        self.next_extra += 1
        host = self.servers.listen(f"100.64.{self.next_extra >> 8}.{self.next_extra & 255}", "mx.x.example", **options)
        host.domain = f"f{self.next_extra}.many-hosts.example"
        return host

    def tls_of(self, *names, authority=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(authority or self.authority).issue(*names))
        return context

    def close(self):
        status = self.instance.stop() if self.instance else 0
        try:
            assert status == 0, f"the dispatcher of the outbound tests ended with {status} when told to stop"
            if self.instance:
                assert_no_crash(self.instance)
        finally:
            if self.instance:
                Pool.discard(self.instance)
            self.servers.close()
            stopping = [threading.Thread(target=part.remove) for part in self.parts]
            for thread in stopping:
                thread.start()
            if self.dns:
                self.dns.stop()
            for thread in stopping:
                thread.join()
            self.network.close()
            self.wire.close()
            if not Pool.keep:
                shutil.rmtree(self.base, ignore_errors=True)


FRIENDLY = "From: Friend <friend@elsewhere.example>"


def letter(mark, body="A line.\r\n", author=None, **fields):
    """A plain message that can be told from others by its subject."""
    lines = [f"Subject: {mark}", f"From: <{author}>" if author else FRIENDLY]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.SMTP)


def report_of(notice):
    """(text, fields of each recipient, fields of the message, returned part) of a delivery status notification."""
    message = parsed(notice)
    assert message.get_content_type() == "multipart/report", message.get_content_type()
    text, status, returned = message.get_payload()
    kind = message.get_param("report-type")
    assert kind in ("delivery-status", "global-delivery-status"), notice
    assert status.get_content_type() == f"message/{kind}", status.get_content_type()
    octets = notice[notice.index(b"\r\n\r\n", notice.index(b"Content-Type: message/" + kind.encode())) + 4:]
    blocks = [parsed(block.strip() + b"\r\n\r\n") for block in octets.split(b"\r\n--")[0].split(b"\r\n\r\n") if block.strip()]
    return text.get_content(), blocks[1:], blocks[0], returned


class OutboundTest(SystemTest):
    """A test in the common world."""

    @classmethod
    def setUpClass(cls):
        why = lacking("postfix", "exim4-daemon-light", "opensmtpd", "nsd")
        if not why and "smtp-deliver" not in PROGRAMS:
            why = "this suite does not deliver to other hosts"
        if why:
            raise unittest.SkipTest(why)
        cls.world = World.common()
        cls.instance = cls.world.instance

    # ---- sending

    def send(self, content, to, sender=None, user=None, **how):
        """As a client that may relay; with a user, by submission as that one. Returns the message's id."""
        if user:  # who may write as nobody else
            content = content.replace(FRIENDLY.encode(), f"From: <{user.address}>".encode())
        client = self.instance.submission(user) if user else self.instance.smtp(source=FRIEND).ehlo()
        with client:
            reply = client.deliver(content, to=to, sender=sender if sender is not None else
                                   user.address if user else "friend@elsewhere.example", **how)
            client.quit()
        return self.id_of(reply)

    def id_of(self, reply):
        found = re.search(r"\b[0-9a-z]{20}\b", reply.text)
        self.assertTrue(found, f"no message id in {reply}")
        return found[0]

    # ---- waiting

    def until(self, condition, what, limit=60):
        """Polls; returns what the condition gave in the end."""
        found = None

        def holds():
            nonlocal found
            found = condition()
            return found
        self.instance.until(holds, limit, what)
        return found

    def arrival(self, receiver, mark, limit=60):
        """The one message with this mark that a real receiver took."""
        self.until(lambda: receiver.messages(mark), f"{mark!r} at {receiver.hostname}", limit)
        found = receiver.messages(mark)
        self.assertEqual(len(found), 1, f"{mark!r} at {receiver.hostname}")
        return found[0]

    def taken(self, host, count=1, limit=60):
        """What a sink took, when it is that many."""
        self.until(lambda: len(host.taken()) >= count, f"{count} messages at {host.name}", limit)
        self.assertEqual(len(host.taken()), count, f"messages at {host.name}")
        return host.taken()

    def notice(self, user, limit=60):
        """The one message in the user's mailbox, when it is there."""
        def look():
            messages = self.instance.fetch_all(user)
            return messages
        return self.until(look, f"a notice to {user.address}", limit)[0]

    def postmaster_mail(self, containing):
        with self.instance.pop3() as pop:
            pop.login("postmaster", POSTMASTER_PASSWORD)
            found = [pop.retr(n) for n in range(1, pop.count() + 1)]
            pop.quit()
        return [message for message in found if containing in message]

    def waiting(self, message):
        """What `queue show --json` tells of a message; empty if nothing of it waits."""
        done = self.instance.command("queue", "show", message, "--json", check=False)
        return done.stdout if done.returncode == 0 else ""

    def attempted(self, message):
        """The same, after the first attempt."""
        shown = self.waiting(message)
        return shown if shown and any(r["attempts"] for r in json.loads(shown)["recipients"]) else ""

    def recipients(self, message):
        """recipient -> what `queue show` tells of it"""
        return {r["recipient"]: r for r in json.loads(self.waiting(message))["recipients"]}

    def queue(self, *words, **options):
        return self.instance.command("queue", *words, **options)
