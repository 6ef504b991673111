"""Hosts that misbehave in every way: nothing is lost, nothing is doubled but where a host took a message and the answer
did not arrive whole (RFC 1047), and nobody else waits for them."""
import collections
import json
import time

from faulty_server import HONEST, Cut, Endless, Late, Pieces, Say
from outbound import OutboundTest, letter

STEPS = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "end", "QUIT")
# Another answer than the protocol has there; for good or for now, it is not the yes that it was meant to look like.
WRONG = ("999 what", "abc", "", "2", "25", "250", "250-only the first of two\r\nno more", "250 \x00zero", "251 251 251", "100 go on",
         "300 more", "354", "221 bye", "421 4.3.2 closing", "450 4.2.0 later", "500 5.5.1 no", "550 5.1.1 never", "25O ok",
         "250-a\r\n550 b", " 250 ok", "-250", "250" + "x" * 3000, "\xff\xfe\xfd", "250 ok\n250 ok", "220 a\r\n220 b")


def agreed(what):
    """Whether a host that did this went on as after a yes: it may take what was already on its way to it, although its
    answer makes no sense to us; then the message comes again."""
    step, words = what.split(" ", 1)
    return step == "end" or words[1:2] in "23" and words[1:4].isdigit()


class FaultyHosts(OutboundTest):
    def retry_all(self, sent):
        """Has what waits of them tried again until none does; those that still wait after minutes of it."""
        deadline = time.monotonic() + 180
        while True:
            rows = self.queue("list", "--json", "--limit=100000").stdout.splitlines()
            left = set(sent.values()) & {json.loads(row)["id"] for row in rows}
            if not left or time.monotonic() > deadline:
                return left
            self.queue("retry", *left, check=False)
            time.sleep(0.5)

    def judge(self, sent):
        """`sent`: host -> id. Every message is at its host; twice only if the host took it and the client could not know."""
        left = self.retry_all(sent)
        problems = []
        for host, message in sent.items():
            taken = host.taken()
            known = [mail for mail in taken if mail.known]
            what = host.what
            if message in left:
                problems.append(f"{what}: still waits")
            elif not taken:
                problems.append(f"{what}: lost")
            if len(known) > 1:
                problems.append(f"{what}: sent again after a whole answer")
            if len(taken) > 1 and not any(mail.known is False for mail in taken):
                problems.append(f"{what}: doubled")
        self.assertFalse(problems, "\n".join(problems))
        return collections.Counter(len(host.taken()) for host in sent)

    def send_to(self, faults):
        """[(what, {step: faults})] -> host -> id: a letter to each of as many hosts."""
        sent = {}
        for what, fault in faults:
            host = self.world.extra_host(faults=fault)
            host.what = what
            sent[host] = self.send(letter(f"to a host that does {what}"), f"jane@{host.domain}")
        return sent

    def test_replies_cut_at_every_octet(self):
        faults = []
        for step in STEPS:
            honest = len(HONEST.get(step, "250-host.example\r\n250-PIPELINING\r\n250 SIZE").format(host="mx.x.example")) + 2
            faults += [(f"cut {step} after {n}", {step: Cut(n)}) for n in range(honest)]
        copies = self.judge(self.send_to(faults))
        print(f"     cut replies: {len(faults)} hosts, copies taken {dict(copies)}")

    def test_replies_in_single_octets(self):
        sent = self.send_to([("single octets", {step: Pieces() for step in STEPS})])
        self.judge(sent)

    def test_wrong_codes(self):
        """A refusal for good may bounce; all else must arrive."""
        faults = [(f"{step} {words!r}", {step: [Say(words.encode("latin-1") + b"\r\n"), Cut(0)]})
                  for step in STEPS[:-1] for words in WRONG]
        sent = self.send_to(faults)
        left = self.retry_all(sent)
        problems = []
        for host, message in sent.items():
            known = [mail for mail in host.taken() if mail.known]
            refused = any(code in host.what for code in ("'5", "b'", "550", "500"))
            if message in left:
                problems.append(f"{host.what}: still waits")
            elif not host.taken() and not refused:
                problems.append(f"{host.what}: lost")
            elif len(known) > 1 and not agreed(host.what):
                problems.append(f"{host.what}: doubled")
        self.assertFalse(problems, "\n".join(problems))

    def test_endless_replies(self):
        """A line, or a reply, without an end is cut off early, and the process stays small."""
        faults = [(f"endless {kind} at {step}", {step: Endless(lines=kind == "lines")})
                  for step in STEPS[:-1] for kind in ("line", "lines")]
        self.judge(self.send_to(faults))
        for pid in self.instance.processes()["smtp-deliver"]:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                private = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
            self.assertLess(private, 64 << 10, "KiB of private memory in smtp-deliver")

    def test_a_host_that_never_closes_is_left(self):
        """After QUIT nobody waits for the other side."""
        sent = self.send_to([("no end", {"QUIT": [Late(600)] * 3})])
        self.judge(sent)

    def test_slow_and_dead_hosts_delay_nobody(self):
        """Many recipients at hosts that do not answer, or answer in ten minutes; a letter to a healthy one passes them."""
        slow = [self.world.sink(faults={"connect": [Late(600)] * 50}) for _ in range(3)]
        waiting = [self.send(letter("to the silent"), [f"r{n}@silent.example" for n in range(100)] +
                             [f"s{n}@{host.domain}" for host in slow for n in range(30)]) for _ in range(5)]
        time.sleep(0.5)
        host = self.world.sink()
        self.send(letter("to the healthy"), f"jane@{host.domain}")
        self.taken(host)
        for message in waiting:
            self.queue("remove", "--discard", message, check=False)

    def test_a_burst_of_one_sender_delays_no_other(self):
        """At one host, too: its connections are shared by turns."""
        host = self.world.sink(faults={"end": [Late(1)] * 10_000})
        burst = [self.send(letter(f"burst {n}"), [f"b{n}.{m}@{host.domain}" for m in range(5)], sender="burst@elsewhere.example")
                 for n in range(100)]
        user = self.user()
        self.send(letter("between them"), f"jane@{host.domain}", user=user)
        self.until(lambda: any(b"between them" in c for c in host.contents()), "the other sender's letter")
        self.assertLess(len(host.contents()), 90, "the whole burst came before it")
        for message in burst:
            self.queue("remove", "--discard", message, check=False)

    def test_connections_are_kept_and_bounded(self):
        host = self.world.sink()
        for n in range(60):
            self.send(letter(f"one of sixty {n}"), f"jane{n}@{host.domain}")
        self.taken(host, 60)
        self.assertLess(len(host.sessions), 60, "a connection for each message")
        self.assertLessEqual(host.most_open, 20, "more connections at once than Deliveries-per-Host says")

    def test_a_host_that_wants_fewer_connections(self):
        host = self.world.sink(faults={"connect": [Say("421 4.7.0 too many connections")] * 6})
        for n in range(20):
            self.send(letter(f"to the shy {n}"), f"jane{n}@{host.domain}")
        deadline = time.monotonic() + 60
        while len(host.taken()) < 20 and time.monotonic() < deadline:
            self.queue("retry", "--domain", host.domain, check=False)
            time.sleep(1)
        self.taken(host, 20)
