#!/usr/bin/env python3
"""tests/bench/queue_million.py --build BUILD --base DIRECTORY [--recipients N] [--domains N] [--per-message N]: a queue of
a million. In a network of its own an instance takes mail for --recipients recipients at --domains domains: a quarter of
these refuse connections, a quarter never answer, and the other half put every recipient off (450), so that all of it
waits. Printed are, beside what was asked of them:

  how long it took to take them, and what waits
  the private memory of queue, then and after a restart (without the store's map)
  from the start of the system to its first greeting with that queue
  from the 250 for a letter to a healthy domain, put in afterwards, to its arrival, the median and the worst of --letters
  to the first line of `post.office queue list`, of mailq, and the whole of `queue summary`; the memory of the first two

Needs root and the peers of tests/system/fetch_peers; --base must be a new directory on the disk in question, and is
removed."""
import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.dont_write_bytecode = True

import instance as instances  # noqa: E402
from dialogue import Smtp  # noqa: E402
from faulty_server import FaultyServer  # noqa: E402
from name_server import NameServer  # noqa: E402
from namespace import Network, Wire, lacking  # noqa: E402
from receivers import SmtpSink  # noqa: E402

US, DNS, PUT_OFF, HEALTHY = "192.0.2.1", "192.0.2.53", "192.0.2.10", "192.0.2.11"
REFUSED, SILENT = "203.0.113.1", "198.51.100.1"
PORTS = {"smtp": 25, "submission": 587, "smtps": 465, "pop3": 110, "pop3s": 995}
ZONE = f"""*.later IN MX 10 later
later IN A {PUT_OFF}
*.refused IN MX 10 refused
refused IN A {REFUSED}
*.silent IN MX 10 silent
silent IN A {SILENT}
healthy IN A {HEALTHY}"""
MIB = 1 << 20


def private_memory(pid):
    """Octets of private memory, without what is of a file: the store's map is the kernel's to take away."""
    total = 0
    private = anonymous = 0
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            if line.startswith("Private_"):
                private += int(line.split()[1])
            elif line.startswith("Anonymous:"):
                anonymous = int(line.split()[1])
            elif line.startswith("VmFlags:"):
                total += min(private, anonymous) << 10
                private = anonymous = 0
    return total


class Million:
    def __init__(self, options):
        self.options, self.base = options, Path(options.base)
        self.base.mkdir(parents=True)
        self.base.chmod(0o755)
        self.network, self.wire = Network(), Wire()
        self.network.own("192.0.2.0/24", "203.0.113.0/24")
        self.wire.plug(self.network, "198.51.100.254/24", name="nobody")
        self.network.ip(f"neigh add {SILENT} lladdr 02:00:00:00:00:01 dev nobody")
        self.dns = NameServer(self.base, self.network, DNS, {"many.example": ZONE}).wait()
        self.put_off = SmtpSink(self.base / "sink", self.network, PUT_OFF, "-r", "rcpt", "-m", "10000").start()
        self.servers = FaultyServer(self.network)
        self.healthy = self.servers.listen(HEALTHY)
        instances.make_base = lambda _: self.base / "instance"
        (self.base / "instance").mkdir()
        self.instance = instances.Instance(
            options.build, users=1, network=self.network, address=US, ports=PORTS, resolvers=[DNS], forms={
                "system-configuration": {"SMTP-Idle-Command-Limit": "1000000", "Maximum-Messages-per-Session": "1000000"},
                "system-security": {"Relay-Networks": ["192.0.2.0"]}})

    def domain(self, n):
        return f"d{n}.{('later', 'refused', 'later', 'silent')[n % 4]}.many.example"

    def fill(self):
        """Every message has recipients at as many domains as it can, so that every domain has its share of each."""
        with self.instance.smtp(limit=600) as smtp:
            smtp.ehlo()
            sent, n = 0, 0
            while sent < self.options.recipients:
                count = min(self.options.per_message, self.options.recipients - sent)
                lines = [f"RCPT TO:<r{sent + i}@{self.domain((sent + i) % self.options.domains)}>" for i in range(count)]
                smtp.send("\r\n".join([f"MAIL FROM:<s{n % 1000}@elsewhere.example>", *lines, "DATA"]) + "\r\n")
                replies = [smtp.reply() for _ in range(count + 2)]
                assert replies[-1].code == 354, replies[-1]
                smtp.send(b"Subject: one of many\r\n\r\nA line.\r\n.\r\n")
                smtp.expect(smtp.reply(), 250)
                sent += count
                n += 1
        return n

    def letter(self, number):
        """Seconds from its 250 to its arrival."""
        before = len(self.healthy.mail)
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: healthy\r\n\r\n", to=f"jane{number}@healthy.many.example")
            begun = time.monotonic()
        while len(self.healthy.mail) == before:
            if time.monotonic() - begun > 60:
                return float("inf")
            time.sleep(0.002)
        return time.monotonic() - begun

    def letters(self):
        times = []
        for number in range(self.options.letters):
            times.append(self.letter(number))
            time.sleep(0.1)
        return f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s"

    def first_line(self, *command):
        """Seconds to the first line of a command, and to its end (or to 20 s), and its largest memory."""
        begun = time.monotonic()
        process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, cwd="/")
        process.stdout.readline()
        first = time.monotonic() - begun
        most = 0
        while process.stdout.read(1 << 20) and time.monotonic() - begun < 20:
            most = max(most, instances.peak_kib(process.pid))
        whole = time.monotonic() - begun
        process.kill()
        process.stdout.close()
        process.wait()
        return f"first line after {first:.3f} s, {'all' if whole < 20 else 'stopped'} after {whole:.1f} s, {most >> 10} MiB"

    def queue_pid(self):
        return self.instance.processes()["queue"][0]

    def waiting(self):
        return json.loads(self.instance.command("queue", "status", "--json").stdout)["waiting"]

    def run(self):
        program = [self.instance.program / "post.office", "-c", self.instance.conf]
        mailq = self.instance.program / "mailq"
        mailq.symlink_to("sendmail")
        self.instance.start()
        begun = time.monotonic()
        messages = self.fill()
        took = time.monotonic() - begun
        print(f"{self.options.recipients} recipients at {self.options.domains} domains in {messages} messages: taken in {took:.1f} s "
              f"({self.options.recipients / took:.0f} a second); {self.waiting()} wait", flush=True)
        for when in ("after taking them", "after a restart"):
            if when == "after a restart":
                self.instance.stop(60)
                begun = time.monotonic()
                self.instance.start()
                print(f"start with such a queue (at most 5 s): {time.monotonic() - begun:.2f} s", flush=True)
            print(f"private memory of queue {when} (at most 200 MiB): {private_memory(self.queue_pid()) / MIB:.0f} MiB", flush=True)
            print(f"letters to a healthy domain {when} (at most 2 s): {self.letters()}", flush=True)
            print(f"queue list (at most 1 s): {self.first_line(*program, 'queue', 'list')}", flush=True)
            print(f"mailq (at most 1 s): {self.first_line(mailq, '-C', self.instance.conf)}", flush=True)
            print(f"queue summary: {self.first_line(*program, 'queue', 'summary')}", flush=True)
            print(f"private memory of queue then: {private_memory(self.queue_pid()) / MIB:.0f} MiB; {self.waiting()} wait", flush=True)

    def close(self):
        self.instance.stop(60)
        self.servers.close()
        self.put_off.stop()
        self.dns.stop()
        self.network.close()
        self.wire.close()
        shutil.rmtree(self.base, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("build", "base"):
        parser.add_argument("--" + name, required=True)
    for name, value in (("recipients", 1_000_000), ("domains", 10_000), ("per-message", 100), ("letters", 20)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    if Path(options.base).exists():
        raise SystemExit(f"{options.base} is there already")
    why = lacking("nsd", "postfix")
    if why:
        raise SystemExit(why)
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    instances.adopt_orphans()
    million = None
    try:
        million = Million(options)
        million.run()
    finally:
        if million:
            million.close()
        instances.end_all_descendants()


if __name__ == "__main__":
    main()
