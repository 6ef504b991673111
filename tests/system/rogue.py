"""Servers that were taken over (tests/walls/rogue.cc), and the frames of lib/messages.h as octets. What is packed here
by hand is what a stranger would pack: the suite's own encoder refuses to make most of it."""
import contextlib
import itertools
import shutil
import socket
import struct
import time

from instance import Instance, free_ports, sanitized

CONTROL, ACCOUNTS, QUEUE, NOTICES, STORY = range(5)
DONE, TEMPORARY, PERMANENT = range(3)
GRANTED, DENIED, LOCKED, NOT_FROM, TOO_MANY = range(5)
TYPES = {
    "Welcome": 1, "Listen": 2, "Peer": 3, "LogFile": 4, "Certificates": 5, "Start": 6, "Ready": 7, "Stop": 8,
    "Administer": 9, "AdministerAnswer": 10, "PassCommand": 11, "AskConnection": 14, "MakeMaildrop": 17, "Authenticate": 20, "Verdict": 21, "Submit": 30,
    "Submitted": 31, "OpenBody": 32, "BodyFile": 33, "DropBody": 34, "AskStored": 35, "Stored": 36, "AskUsage": 37,
    "Usage": 38, "OpenMailbox": 40, "Mailbox": 41, "Retrieve": 42, "Message": 43, "Expunge": 44, "Expunged": 45,
    "CloseMailbox": 46, "StartDomain": 47, "Started": 48, "Command": 50, "CommandOutput": 51, "AskRelayPassword": 22,
    "RelayPassword": 23, "Job": 70, "JobDone": 71, "AskHosts": 72, "Hosts": 73}
MAX_FRAME = 16 << 20
NEXT_ADDRESS = itertools.count(1)


# ---- octets

def text(octets):
    octets = octets.encode() if isinstance(octets, str) else octets
    return struct.pack("<I", len(octets)) + octets


def listed(items):
    return struct.pack("<I", len(items)) + b"".join(items)


def frame(kind, payload=b"", serial=1, flags=0, length=None):
    number = TYPES[kind] if isinstance(kind, str) else kind
    return struct.pack("<IHHI", len(payload) if length is None else length, number, flags, serial) + payload


def client(address=(127, 0, 0, 1), port=4321):
    return struct.pack("<B16sH", 4, bytes(address), port)


def authenticate(login, password, session="s-1", mailbox=True, address=None):
    """From another address each time, as far as accounts can know."""
    if address is None:
        number = next(NEXT_ADDRESS)
        address = (10, number >> 16 & 255, number >> 8 & 255, number & 255)
    return frame("Authenticate", text(login) + text(password) + client(address) + text("") + b"\0" + text(session) +
                 bytes([mailbox]))


def open_mailbox(ticket, session="s-1"):
    return frame("OpenMailbox", text(ticket) + text(session))


def retrieve(handle, id):
    return frame("Retrieve", struct.pack("<Q", handle) + id)


def expunge(handle, ids):
    return frame("Expunge", struct.pack("<Q", handle) + listed(ids))


def checksum(octets):
    """lib/checksum.h."""
    def mix(value, word):
        value = (value ^ word) * 0x100000001b3 & (1 << 64) - 1
        return value ^ value >> 29
    value = 0xcbf29ce484222325
    for at in range(0, len(octets), 8):
        value = mix(value, int.from_bytes(octets[at:at + 8], "little"))
    return mix(value, len(octets))


def recipient(address, notify=0, orcpt=""):
    return text(address) + bytes([notify]) + text(orcpt)


def submit(id, recipients, body=b"", sender="any@name.example", session="s-1", size=None, sum=None, in_file=False,
           account=0, ret=0):
    return frame("Submit", b"".join([
        id, text(sender), bytes([ret]), text(""), b"\0\0", text(session), client(), struct.pack("<QI", account, 0xffffffff),
        listed([r if isinstance(r, bytes) else recipient(r) for r in recipients]),
        struct.pack("<QQ?", len(body) if size is None else size, checksum(body) if sum is None else sum, in_file),
        text(b"" if in_file else body)]))


class Reader:
    """The fields of an answer, in order."""

    def __init__(self, octets):
        self.octets = octets

    def take(self, layout):
        size = struct.calcsize("<" + layout)
        values = struct.unpack("<" + layout, self.octets[:size])
        self.octets = self.octets[size:]
        return values[0] if len(values) == 1 else values

    def text(self):
        size = self.take("I")
        value, self.octets = self.octets[:size], self.octets[size:]
        return value


class Verdict:
    def __init__(self, payload):
        r = Reader(payload)
        self.answer, self.account = r.take("BQ")
        self.address, self.ticket = r.text(), r.text()
        self.retry_after = r.take("I")


class Mailbox:
    def __init__(self, payload):
        r = Reader(payload)
        self.kind, self.text, self.handle = r.take("B"), r.text().decode(), r.take("Q")
        self.ids = [r.take("12sQ")[0] for _ in range(r.take("I"))]


class Message:
    def __init__(self, payload):
        r = Reader(payload)
        self.kind, self.id, self.prefix, self.body = r.take("B"), r.take("12s"), r.text(), r.text()
        self.size = r.take("Q")


class Submitted:
    def __init__(self, payload):
        r = Reader(payload)
        self.id, self.kind, self.no_space, self.too_many = r.take("12sB??")
        self.text = r.text().decode()


class BodyFile:
    def __init__(self, payload):
        r = Reader(payload)
        self.id, self.kind, self.no_space = r.take("12sB?")
        self.text = r.text().decode()


class Dropped(Exception):
    """The pipe was closed where an answer was expected."""


# ---- the process

class Rogue:
    """The master's end. One process serves one master, so as many connections reach as many processes."""

    def __init__(self, connection, name):
        self.socket, self.name = connection, name
        self.buffers = {}
        self.kept = 0
        self.dropped = False
        self.learn()

    def order(self, what, target=0, a=0, b=0, octets=b""):
        body = struct.pack("<cBHI", what.encode(), target, a, b) + octets
        self.socket.sendall(struct.pack("<I", len(body)) + body)
        head = self.exactly(4)
        return self.exactly(struct.unpack("<I", head)[0])

    def exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError(f"{self.name} has ended")
            data += piece
        return data

    def learn(self):
        r = Reader(self.order("i"))
        self.incarnation, self.notice_key, self.ticket_key = r.take("I32s32s")
        self.pipes = dict(zip((ACCOUNTS, QUEUE), r.take("II")))
        self.name = r.text().decode()

    def send(self, target, octets, descriptors=0):
        """How many octets the kernel took."""
        return struct.unpack("<Q", self.order("s", target, descriptors, 0, octets))[0]

    def flood(self, target, octets, times):
        """How often they went out whole; nothing is read meanwhile."""
        return struct.unpack("<Q", self.order("f", target, 0, times, octets))[0]

    def receive(self, target, limit=20.0):
        """One frame: (type, serial, payload); descriptors are counted in `kept`."""
        deadline = time.monotonic() + limit
        while not (got := self.receive_soon(target, 1000)):
            assert time.monotonic() < deadline, f"{self.name}: no answer within {limit} s"
        return got

    def receive_soon(self, target, ms):
        """The same, or None if there is no whole one and nothing more comes for so long."""
        buffer = self.buffers.get(target, b"")
        while len(buffer) < 12 or len(buffer) < 12 + struct.unpack("<I", buffer[:4])[0]:
            closed, self.kept, octets = self.read_some(target, ms)
            if closed:
                self.buffers[target] = b""
                self.dropped = True
                raise Dropped(f"{self.name}: the pipe was closed")
            buffer += octets
            self.buffers[target] = buffer
            if not octets:
                return None
        length, kind, _, serial = struct.unpack("<IHHI", buffer[:12])
        self.buffers[target] = buffer[12 + length:]
        return kind, serial, buffer[12:12 + length]

    def read_some(self, target, ms):
        answer = self.order("r", target, 0, ms)
        return bool(answer[0]), struct.unpack("<I", answer[1:5])[0], answer[5:]

    def ask(self, target, octets, answer):
        """The answer of that type to this frame."""
        self.send(target, octets)
        kind, serial, payload = self.receive(target)
        assert kind == TYPES[answer], f"{self.name}: a frame of type {kind} instead of {answer}"
        assert serial == struct.unpack("<I", octets[8:12])[0]
        return payload

    def is_dropped(self, target, limit=20.0):
        """Reads whatever comes until the pipe is closed."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.read_some(target, 1000)[0]:
                self.buffers[target] = b""
                self.dropped = True
                return True
        return False

    def is_gone(self, limit=20.0):
        """Whether this process was killed: its connection ends."""
        self.socket.settimeout(limit)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def write(self, descriptor, octets):
        return struct.unpack("<Q", self.order("w", 0, descriptor, 0, octets))[0]

    def park(self, descriptors):
        """How many it could leave lying in pipes of its own."""
        return struct.unpack("<Q", self.order("k", 0, 0, descriptors))[0]

    def truncate(self, descriptor, size):
        return struct.unpack("<Q", self.order("t", 0, descriptor, size))[0]

    def pread(self, descriptor, size):
        return self.order("p", 0, descriptor, size)

    def give_away_connection(self, target, octets, copies, seconds):
        """This connection, full and lingering, rides along; the process then waits for its next master."""
        body = struct.pack("<cBHI", b"l", target, copies, seconds) + octets
        self.socket.sendall(struct.pack("<I", len(body)) + body)

    def message_id(self, number=0, ms=None, incarnation=None):
        """As lib/id.h makes them."""
        ms = int(time.time() * 1000) if ms is None else ms
        maker = self.incarnation if incarnation is None else incarnation
        return ms.to_bytes(6, "big") + (maker & 0xffffff).to_bytes(3, "big") + number.to_bytes(3, "big")

    def end(self):
        """It exits, to be started anew with new pipes."""
        body = struct.pack("<cBHI", b"x", 0, 0, 0)
        with contextlib.suppress(OSError):
            self.socket.sendall(struct.pack("<I", len(body)) + body)
            self.is_gone()
        self.socket.close()

    def close(self):
        """It serves the next master, who must not get one that lost a pipe: such a one ends."""
        if self.dropped:
            self.end()
        self.socket.close()


def job_done(job, outcomes, serial=None, hop=0, host="mx.example[192.0.2.1]:25", tls="", dsn=False):
    """`outcomes`: (n, kind, words, status)."""
    return frame("JobDone", job.id + bytes([hop]) + text(host) + text(tls) + bytes([dsn]) + listed(
        [struct.pack("<IB?", n, kind, True) + text(words) + text(status) for n, kind, words, status in outcomes]),
        job.serial if serial is None else serial)


class Job:
    def __init__(self, serial, payload):
        r = Reader(payload)
        self.serial, self.id, self.hop = serial, r.take("12s"), r.text()
        r.take("B")  # by MX
        r.text(), r.take("HB")  # host, port, TLS
        r.text(), r.text(), r.text()  # user, source, HELO
        self.sender = r.text()
        r.take("B"), r.text(), r.take("??")  # RET, ENVID, SMTPUTF8, 8BITMIME
        self.recipients = {}
        for _ in range(r.take("I")):
            n = r.take("I")
            self.recipients[n] = r.text().decode()
            r.take("B"), r.text()  # NOTIFY, ORCPT


class RogueInstance(Instance):
    """smtpd.1 and pop3d.1 are the real ones; all others are taken over, and every smtp-deliver and wwwd if there is to
    be any, and lmtp-deliver if there is a socket for its store."""

    def __init__(self, build, smtpd, pop3d, deliver=0, wwwd=0, **options):
        self.rogue_ports = dict(zip(("smtpd", "pop3d", "wwwd"), free_ports(3)))
        self.taken = ["smtpd", "pop3d"]
        self.rogue_services = [("smtpd", "smtp", 1 + smtpd), ("pop3d", "pop3", 1 + pop3d)]
        if wwwd:
            self.taken.append("wwwd")
            self.rogue_services.append(("wwwd", "http", wwwd))
            options |= {"web": True}
        if deliver:  # they come to us: we are where their name server would be
            self.taken.append("smtp-deliver")
            self.deliverers = socket.create_server(("127.0.0.1", 0))
            self.deliverers.settimeout(30)
            options |= {"resolvers": [f"127.0.0.1:{self.deliverers.getsockname()[1]}"],
                        "extra": [*options.get("extra", ()), f"smtp-deliver {deliver}"]}
        if options.get("store"):  # the dispatcher connects it to us: we are its store
            self.taken.append("lmtp-deliver")
            self.store_socket = socket.socket(socket.AF_UNIX)
            self.store_socket.bind(str(options["store"]))
            options["store"].chmod(0o666)
            self.store_socket.listen(10)
            self.store_socket.settimeout(30)
        super().__init__(build, smtpd=1 + smtpd, pop3d=1 + pop3d, **options)

    def _install(self):
        super()._install()
        for name in self.taken:
            path = self.program / name
            path.rename(path.with_name(name + ".real"))
            shutil.copyfile(self.build / "tests" / "rogue", path)
            path.chmod(0o755 if sanitized(self.build) else 0o711)

    def write_conf(self):
        super().write_conf()
        with open(self.conf, "a") as conf:
            for name, protocol, processes in self.rogue_services:
                conf.write(f"service rogue-{name} {protocol} 127.0.0.1:{self.rogue_ports[name]} {name} "
                           f"processes={processes} sessions={self.sessions}\n")

    def rogue(self, name, receive_buffer=None, limit=30):
        """A taken-over process that serves no master yet. The real one listens there as well: then once more."""
        deadline = time.monotonic() + limit
        while True:
            s = self.connection(name, receive_buffer)
            greeting = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                while not greeting.endswith(b"\r\n") and (piece := s.recv(1)):
                    greeting += piece
            if greeting.startswith(b"rogue "):
                s.settimeout(25)
                return Rogue(s, greeting.decode().split()[1])
            s.close()
            time.sleep(0.03)
            assert time.monotonic() < deadline, f"no rogue {name} within {limit} s\n{self.tail()}"

    def connection(self, name, receive_buffer):
        """To, or from, one of them; it may be broken."""
        if name in ("smtp-deliver", "lmtp-deliver"):
            s = (self.deliverers if name == "smtp-deliver" else self.store_socket).accept()[0]
            s.settimeout(3)
            return s
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(3)
        with contextlib.suppress(TimeoutError, ConnectionError):
            s.connect(("127.0.0.1", self.rogue_ports[name]))
        return s

    def remove(self):
        if "smtp-deliver" in self.taken:
            self.deliverers.close()
        if "lmtp-deliver" in self.taken:
            self.store_socket.close()
        super().remove()

    def whole_rogue(self, name):
        """One that has its pipes: both, but lmtp-deliver's is queue's alone."""
        rogue = self.rogue(name)
        wanted = (QUEUE,) if name == "lmtp-deliver" else (ACCOUNTS, QUEUE)
        self.until(lambda: rogue.learn() or all(rogue.pipes[p] for p in wanted), 20, "its pipes")
        return rogue
