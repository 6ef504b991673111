"""Clients that send nothing, too little, or garbage, while normal mail goes on."""
import os
import random
import re
import socket
import ssl
import threading
import time
from pathlib import Path

from content import random_content, without_trace
from dialogue import tls_context
from harness import SystemTest, needs_root

SILENT, SLOW, SECONDS = 500, 20, 15
PORTS = ("smtp", "submission", "smtps", "pop3", "pop3s")


class Crowd:
    """Hostile clients from several addresses, in few threads; ends in its with statement."""

    def __init__(self, instance, seed):
        self.instance, self.seed = instance, seed
        self.over = threading.Event()
        self.threads, self.sockets = [], []
        self.problems = []

    def connect(self, port, source):
        return socket.create_connection(("127.0.0.1", self.instance.ports[port]), timeout=20, source_address=(source, 0))

    def silent(self, count):
        """Connections that never send an octet: most to SMTP and POP3, from ten addresses."""
        for n in range(count):
            port = PORTS[(0, 0, 0, 3, 3, 0, 1, 0, 2, 4)[n % 10]]
            self.sockets.append(self.connect(port, f"127.0.20.{n // 50 + 1}"))

    def slow(self, count):
        """An octet a second each, all from one thread."""
        def run():
            clients = [(self.connect("smtp" if n % 2 else "pop3", f"127.0.21.{n % 5 + 1}"),
                        iter(b"EHLO a.very.slow.client.example\r\nMAIL FROM:<x@y.example>\r\n" * 10)) for n in range(count)]
            while not self.over.wait(1.0):
                for client, octets in clients:
                    try:
                        client.send(bytes([next(octets)]))
                    except OSError:
                        pass
            for client, _ in clients:
                client.close()
        self.start(run)

    def garbage(self, number):
        dice = random.Random(self.seed + number)
        openings = [b"", b"\x16\x03\x01\x02\x00\x01\x00", b"EHLO x\r\n", b"STARTTLS\r\n", b"STLS\r\n", b"GET / HTTP/1.1\r\n\r\n",
                    b"USER a\r\nPASS b\r\n", b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\n", b"AUTH PLAIN\r\n",
                    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nBDAT 4294967295\r\n", b"BDAT 99999999999999999999 LAST\r\n",
                    b"\0" * 64, b"\r\n" * 500, b"RETR " + b"9" * 400 + b"\r\n"]

        def run():
            while not self.over.wait(0.02):
                port = dice.choice(PORTS)
                try:
                    with self.connect(port, f"127.0.22.{number * 20 + dice.randrange(1, 20)}") as s:
                        if port in ("smtps", "pop3s") and dice.random() < 0.5:
                            s = tls_context().wrap_socket(s, server_hostname="localhost")
                        s.settimeout(2)
                        s.sendall(dice.choice(openings) + dice.randbytes(dice.randrange(0, 3000)))
                        if dice.random() < 0.7:
                            s.recv(4096)
                        s.close()
                except (OSError, ssl.SSLError, ValueError):
                    pass
        self.start(run)

    def local_garbage(self):
        """The two Unix sockets that anyone may reach."""
        dice = random.Random(self.seed)

        def run():
            while not self.over.wait(0.1):
                for name in ("command", "submission"):
                    with socket.socket(socket.AF_UNIX) as s:
                        s.settimeout(2)
                        try:
                            s.connect(str(self.instance.spool / "run" / name))
                            s.sendall(dice.choice([b"", b"\xff\xff\xff\xff", b"\x04\0\0\0\x32\0\0\0"]) + dice.randbytes(200))
                            s.recv(4096)
                        except OSError:
                            pass
        self.start(run)

    def start(self, run):
        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        for s in self.sockets:
            s.close()



class HalfClosed(SystemTest):
    """A client that has said all it has to say may close its half: what it is owed still comes."""

    def test_the_reply_to_the_end_of_data(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<a@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"Subject: half\r\n\r\nclosed\r\n.\r\n")
            smtp.socket.shutdown(socket.SHUT_WR)
            smtp.expect(smtp.reply(), 250)
            self.assertTrue(smtp.at_end())
        self.only_message(user)

    def test_a_large_message(self):
        user, content = self.user(), random_content(2_000_000, 7)
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, to=user.address)
            smtp.quit()
        with self.instance.pop3() as pop:
            pop.send(f"USER {user.login}\r\nPASS {user.password}\r\nRETR 1\r\n".encode())
            pop.socket.shutdown(socket.SHUT_WR)
            for _ in range(3):
                pop.ok(pop.read_line())
            self.assertEqual(without_trace(b"".join(line + b"\r\n" for line in pop.lines()))[0], content)
            self.assertTrue(pop.at_end())


class Hostile(SystemTest):
    own = {"users": 30, "forms": {"system-configuration": {
        "SMTP-Sessions-per-Address": "100", "POP3-Sessions-per-Address": "100"}}}

    def restarts(self):
        return {row["name"]: (row["pid"], row["restarts"]) for row in self.instance.status()["processes"]}

    def test_normal_mail_goes_on(self):
        """500 silent clients, 20 at an octet a second, garbage on every port: mail arrives all the same."""
        users = [self.user() for _ in range(5)]
        before = self.restarts()
        sent, slowest, number = {user: [] for user in users}, 0.0, 0
        with Crowd(self.instance, 7) as crowd:
            crowd.silent(SILENT)
            crowd.slow(SLOW)
            for n in range(3):
                crowd.garbage(n)
            crowd.local_garbage()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                number += 1
                user, content = users[number % len(users)], random_content(2000, number)
                start = time.monotonic()
                with self.instance.smtp() as smtp:
                    smtp.ehlo().deliver(content, to=user.address)
                    smtp.quit()
                with self.instance.pop3(user) as pop:
                    pop.stat()
                    pop.quit()
                slowest = max(slowest, time.monotonic() - start)
                sent[user].append(content)
            still = sum(1 for s in crowd.sockets if self.is_open(s))
        self.assertGreater(number, 10)
        self.assertGreater(still, SILENT * 0.9, "silent clients that were still connected: the load was not there")
        for user in users:
            got = [without_trace(m)[0] for m in self.instance.fetch_all(user)]
            self.assertEqual(len(got), len(sent[user]))
            self.assertTrue(got == sent[user])
        self.assertEqual(self.restarts(), before, "a process died")
        print(f"     {number} messages while {still} clients were silent; the slowest took {slowest:.2f} s")

    @staticmethod
    def is_open(s):
        """Nothing to read but the greeting, and no end of file."""
        s.setblocking(False)
        try:
            while True:
                if not s.recv(4096):
                    return False
        except BlockingIOError:
            return True
        except OSError:
            return False

    def test_sessions_per_address(self):
        """The address with too many sessions hears 421 or -ERR; others are served."""
        refused, clients = 0, []
        try:
            for _ in range(2 * 100 + 30):  # two processes of smtpd, each with its own count
                s = socket.create_connection(("127.0.0.1", self.instance.ports["smtp"]), timeout=20,
                                             source_address=("127.0.30.1", 0))
                clients.append(s)
                refused += s.recv(4096).startswith(b"421")
            self.assertGreater(refused, 0)
            self.assert_works()
        finally:
            for s in clients:
                s.close()

    @needs_root
    def test_forged_notices(self):
        """Datagrams to the dispatcher and the modules have no authority."""
        before = self.restarts()
        inodes = set()
        for pids in self.instance.processes().values():
            for pid in pids:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}")))
        ports = [int(row.split()[1].split(":")[1], 16) for row in Path("/proc/net/udp").read_text().splitlines()[1:]
                 if row.split()[9] in inodes]
        self.assertTrue(ports, "no UDP socket found: the test looks at the wrong place")
        dice = random.Random(3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(300):
                for port in ports:
                    s.sendto(dice.randbytes(dice.randrange(0, 1400)), ("127.0.0.1", port))
        self.assert_works()
        self.assertEqual(self.restarts(), before)
