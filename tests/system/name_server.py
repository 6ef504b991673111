"""A real DNS server, nsd, with the zones that a test gives it, on port 53 of an address in the test's own network. It
knows the root, too: what is in no zone does not exist."""
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

from namespace import View

ROOT_ZONE = """$ORIGIN .
$TTL 5
@ IN SOA ns.test. root.test. 1 3600 600 86400 1
@ IN NS ns.test.
"""


def zone(origin, records, ttl=5):
    """A zone's text: `records` as in a zone file, with names relative to the origin or whole."""
    return (f"$ORIGIN {origin.rstrip('.')}.\n$TTL {ttl}\n@ IN SOA ns.test. root.test. 1 3600 600 86400 1\n"
            f"@ IN NS ns.test.\n{records}\n")


class NameServer:
    def __init__(self, folder, network, address, zones, silent=()):
        """`zones`: origin -> records. `silent`: origins that it should know but cannot tell of: SERVFAIL."""
        self.folder, self.network, self.address = folder / "nsd", network, address
        self.zones, self.silent = dict(zones), silent
        self.folder.mkdir()
        self.view = View(self.folder / "view", ["nsd"])
        self.serial = 1
        self.write()
        self.output = open(self.folder / "output", "wb")
        with network:
            self.process = subprocess.Popen(
                self.view.command("nsd", "-d", "-c", self.folder / "nsd.conf"), stdin=subprocess.DEVNULL,
                stdout=self.output, stderr=self.output, start_new_session=True)

    def write(self):
        conf = ["server:", f"  ip-address: {self.address}", "  port: 53", '  username: ""', '  chroot: ""', '  pidfile: ""',
                f'  zonesdir: "{self.folder}"', f'  xfrdfile: "{self.folder}/xfrd"', f'  xfrdir: "{self.folder}"',
                '  database: ""', f'  zonelistfile: "{self.folder}/zones"', "  server-count: 1", "  rrl-ratelimit: 0",
                "remote-control:", "  control-enable: no"]
        for origin in [".", *self.zones, *self.silent]:
            name = origin.strip(".") or "root"
            conf += ["zone:", f'  name: "{origin}"', f'  zonefile: "{name}.zone"']
            if origin in self.silent:
                continue
            text = ROOT_ZONE if name == "root" else zone(origin, self.zones[origin])
            (self.folder / f"{name}.zone").write_text(re.sub(r"(root\.test\.) 1 ", rf"\1 {self.serial} ", text))
        (self.folder / "nsd.conf").write_text("\n".join(conf) + "\n")

    def change(self, origin, records):
        """Other records from now on (caches may hold the old ones for as long as their TTL says)."""
        self.serial += 1
        self.zones[origin] = records
        self.write()
        self.process.send_signal(signal.SIGHUP)
        self.wait(origin, self.serial)

    def wait(self, origin=".", serial=None):
        """Until it answers; with a serial, until the zone has that."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            answer = self.ask(origin, 6)
            if answer and answer[3] & 15 == 0 and (serial is None or struct.pack(">I", serial) in answer):
                return self
            assert self.process.poll() is None, (self.folder / "output").read_text()
            time.sleep(0.05)
        raise AssertionError("nsd does not answer\n" + (self.folder / "output").read_text())

    def ask(self, name, kind):
        """The datagram that answers; None if none came soon."""
        labels = [label for label in name.split(".") if label]
        question = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + b"".join(
            bytes([len(label)]) + label.encode() for label in labels) + struct.pack(">BHH", 0, kind, 1)
        with self.network, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            try:
                s.sendto(question, (self.address, 53))
                return s.recv(65536)
            except OSError:
                return None

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.output.close()
        shutil.rmtree(self.folder, ignore_errors=True)
