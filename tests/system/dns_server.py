"""A DNS server of our own on the loopback address: dnsmasq with records for 127.0.0.x."""
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from harness import needs_program

# Client address -> reverse name, and forward names -> address. 127.0.0.4's reverse name does not lead back to it.
REVERSE = {"127.0.0.2": "good.trusted.example", "127.0.0.3": "other.elsewhere.example",
           "127.0.0.4": "liar.trusted.example", "127.0.0.6": "large.trusted.example"}
FORWARD = {"good.trusted.example": ["127.0.0.2"], "other.elsewhere.example": ["127.0.0.3"],
           "liar.trusted.example": ["192.0.2.4"],
           # Too many for a datagram: the answer comes truncated, and the right one is only there over TCP.
           "large.trusted.example": [f"198.51.100.{n}" for n in range(1, 120)] + ["127.0.0.6"]}


class DnsServer:
    def __init__(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        conf = ["no-resolv", "no-hosts", "bind-interfaces", "listen-address=127.0.0.1", f"port={self.port}",
                "edns-packet-max=512", "cache-size=0", "local-ttl=300", "local=/example/", "local=/in-addr.arpa/", "log-queries",
                f"log-facility={folder}/dnsmasq.log", f"pid-file={folder}/dnsmasq.pid"]
        for address, name in REVERSE.items():
            conf.append(f"ptr-record={'.'.join(reversed(address.split('.')))}.in-addr.arpa,{name}")
        for name, addresses in FORWARD.items():
            conf += [f"host-record={name},{address}" for address in addresses]
        path = folder / "dnsmasq.conf"
        path.write_text("\n".join(conf) + "\n")
        self.log = folder / "dnsmasq.log"
        self.output = open(folder / "dnsmasq.out", "wb")
        self.process = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--user=root", f"--conf-file={path}"], stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=self.output)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, (folder / "dnsmasq.out").read_text()
                time.sleep(0.05)
        raise AssertionError("dnsmasq does not answer")

    def udp_answer(self, name):
        """The datagram that answers a question for A records."""
        question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0)
        question += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(question, ("127.0.0.1", self.port))
            return s.recv(65536)

    def questions(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.output.close()


class WithDns:
    """Mixed into a class of tests that has `own`: its instance asks cls.dns."""

    @classmethod
    @needs_program("dnsmasq")
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="post.office-dns-")
        cls.addClassCleanup(folder.cleanup)
        cls.dns = DnsServer(Path(folder.name))
        cls.addClassCleanup(cls.dns.stop)
        cls.own = {**cls.own, "resolvers": [f"127.0.0.1:{cls.dns.port}"]}
        super().setUpClass()
