"""An SMTP server that does what a test tells it, also what none should: replies cut off at any octet, wrong codes,
lines without an end, connections closed at any step, answers that come too late. It writes down all that it was given,
and of each message whether the client could know that it was taken.

A test listens on an address, and gives the host `faults`: step -> what to do there, the first time, the second time and
so on; afterwards it is honest. The steps: connect, EHLO, HELO, STARTTLS, TLS, AUTH, MAIL, RCPT, DATA, end, BDAT, RSET,
NOOP, QUIT."""
import contextlib
import selectors
import socket
import ssl
import threading
import time

HONEST = {"connect": "220 {host} ESMTP", "HELO": "250 {host}", "STARTTLS": "220 2.0.0 go ahead", "AUTH": "235 2.7.0 welcome",
          "MAIL": "250 2.1.0 sender noted", "RCPT": "250 2.1.5 recipient noted", "DATA": "354 go ahead",
          "end": "250 2.0.0 taken", "BDAT": "250 2.0.0 octets noted", "RSET": "250 2.0.0 forgotten", "NOOP": "250 2.0.0 yes",
          "QUIT": "221 2.0.0 {host} closing connection"}
EXTENSIONS = ("PIPELINING", "SIZE 60000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING")


class Say:
    """Another reply: text with or without line ends (CRLF is put between lines and at the end)."""

    def __init__(self, text):
        self.octets = text if isinstance(text, bytes) else "".join(line + "\r\n" for line in text.splitlines()).encode()

    def at(self, session, honest):
        session.write(self.octets)
        return self.octets[:1] in b"23" and self.octets[:3].isdigit()


class Cut:
    """So many octets of the honest reply, then the end of the connection; Cut(0) is to hang up."""

    def __init__(self, octets):
        self.octets = octets

    def at(self, session, honest):
        session.write(honest[:self.octets])
        session.whole = self.octets >= len(honest)
        raise EOFError


class Late:
    """The honest reply, after so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    def at(self, session, honest):
        session.server.over.wait(self.seconds)
        session.write(honest)
        return True


class Pieces:
    """The honest reply, octet by octet."""

    def at(self, session, honest):
        for n in range(len(honest)):
            session.write(honest[n:n + 1])
            time.sleep(0.002)
        return True


class Endless:
    """A reply without an end: one line, or line after line."""

    def __init__(self, lines=False, most=64 << 20):
        self.piece = b"250-and so on\r\n" * 4096 if lines else b"250 " + b"x" * 65536
        self.most = most

    def at(self, session, honest):
        for _ in range(0, self.most, len(self.piece)):
            session.write(self.piece)
        session.whole = False
        raise EOFError


class Mail:
    """What a host was given. `known`: the client read the whole answer that it was taken; `taken`: it was taken, but
    whether the client knows is open."""

    def __init__(self, session, content, taken, known):
        self.sender, self.sender_parameters = session.sender
        self.recipients = [path for path, _ in session.recipients]
        self.recipient_parameters = [parameters for _, parameters in session.recipients]
        self.content, self.taken, self.known = content, taken, known
        self.tls, self.user, self.peer, self.helo = session.tls, session.user, session.peer, session.helo
        self.session, self.at = session, time.monotonic()  # `at` is when the answer was sent


class Host:
    def __init__(self, server, address, name, faults=None, extensions=EXTENSIONS, context=None, credentials=None):
        self.server, self.address, self.name = server, address, name
        self.faults = {step: list(what) if isinstance(what, (list, tuple)) else [what] for step, what in (faults or {}).items()}
        self.extensions, self.context, self.credentials = list(extensions), context, credentials
        self.refuses = {}  # recipient -> reply
        self.mail, self.sessions, self.lock = [], [], threading.Lock()
        self.open = self.most_open = 0

    def next_fault(self, step):
        with self.lock:
            waiting = self.faults.get(step)
            return waiting.pop(0) if waiting else None

    def taken(self):
        return [mail for mail in self.mail if mail.taken]

    def contents(self):
        return [mail.content for mail in self.taken()]


class Session:
    def __init__(self, host, connection, peer):
        self.host, self.server, self.connection, self.peer = host, host.server, connection, peer
        self.buffer, self.whole, self.tls, self.user, self.helo = b"", True, None, None, None
        self.lines = []  # what the client said, but for the messages
        self.forget()

    def forget(self):
        self.sender, self.recipients, self.chunks = (None, ""), [], b""

    def write(self, octets):
        self.connection.sendall(octets)

    def reply(self, step, honest=None):
        """Says it, or what was ordered; whether the client was told yes."""
        honest = (honest or HONEST[step].format(host=self.host.name)).encode() + b"\r\n"
        fault = self.host.next_fault(step)
        if fault is None:
            self.write(honest)
            return honest[:1] in b"23"
        return fault.at(self, honest)

    def line(self):
        while b"\n" not in self.buffer:
            piece = self.connection.recv(1 << 16)
            if not piece:
                raise EOFError
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def octets(self, count):
        while len(self.buffer) < count:
            piece = self.connection.recv(1 << 20)
            if not piece:
                raise EOFError
            self.buffer += piece
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def serve(self):
        try:
            self.reply("connect")
            while True:
                line = self.line().decode("utf-8", "backslashreplace")
                self.lines.append(line)
                word, _, rest = line.partition(" ")
                act = getattr(self, "on_" + word.lower(), None)
                if act is None:
                    self.write(b"500 5.5.1 no such command\r\n")
                elif act(rest):
                    return
        except (EOFError, OSError, ssl.SSLError):
            pass
        finally:
            with contextlib.suppress(OSError):
                self.connection.close()
            with self.host.lock:
                self.host.open -= 1

    def on_ehlo(self, rest):
        self.helo = rest
        words = list(self.host.extensions)
        if self.host.context and not self.tls:
            words.append("STARTTLS")
        if self.host.credentials and (self.tls or not self.host.context):
            words.append("AUTH PLAIN LOGIN")
        lines = [self.host.name, *words]
        text = "\r\n".join(f"250{'-' if n + 1 < len(lines) else ' '}{line}" for n, line in enumerate(lines))
        self.reply("EHLO", text)
        self.forget()

    def on_helo(self, rest):
        self.helo = rest
        self.reply("HELO")

    def on_starttls(self, _):
        if not self.reply("STARTTLS"):
            return
        if self.host.next_fault("TLS") is not None:
            self.write(b"this is not TLS\r\n" * 10)
            raise EOFError
        self.connection = self.host.context.wrap_socket(self.connection, server_side=True)
        self.tls, self.buffer = self.connection.version(), b""

    def on_auth(self, rest):
        import base64
        kind, _, first = rest.partition(" ")
        try:
            if kind.upper() == "PLAIN":
                if not first:
                    self.write(b"334 \r\n")
                    first = self.line().decode()
                _, user, password = base64.b64decode(first).decode().split("\0")
            else:
                self.write(b"334 VXNlcm5hbWU6\r\n")
                user = base64.b64decode(self.line()).decode()
                self.write(b"334 UGFzc3dvcmQ6\r\n")
                password = base64.b64decode(self.line()).decode()
        except ValueError:
            user, password = None, None
        good = (user, password) == self.host.credentials
        self.user = user if good else None
        self.reply("AUTH", None if good else "535 5.7.8 no")

    @staticmethod
    def path(rest):
        """(address, parameters) of FROM:<address> parameters."""
        address, _, parameters = rest.partition("<")[2].partition(">")
        return address, parameters.strip()

    def on_mail(self, rest):
        self.forget()
        if self.host.credentials and not self.user:
            self.write(b"530 5.7.0 log in first\r\n")
        elif self.reply("MAIL"):
            self.sender = self.path(rest)

    def on_rcpt(self, rest):
        address, parameters = self.path(rest)
        refusal = self.host.refuses.get(address)
        if self.sender[0] is None:
            refusal = "503 5.5.1 no sender"
        if refusal:
            self.write(refusal.encode() + b"\r\n")
        elif self.reply("RCPT"):
            self.recipients.append((address, parameters))

    def on_data(self, _):
        if not self.recipients:
            self.write(b"554 5.5.1 no recipient\r\n")
            return
        if not self.reply("DATA"):
            return
        lines = []
        while (line := self.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        self.end(b"".join(line + b"\r\n" for line in lines))

    def on_bdat(self, rest):
        size, _, last = rest.partition(" ")
        self.chunks += self.octets(int(size))
        if not self.recipients:
            self.write(b"554 5.5.1 no recipient\r\n")
        elif last.upper() == "LAST":
            self.end(self.chunks)
        else:
            self.reply("BDAT")

    def end(self, content):
        mail = Mail(self, content, True, False)
        self.host.mail.append(mail)
        self.forget()
        try:
            mail.taken = bool(self.reply("end"))
            mail.known, mail.at = mail.taken, time.monotonic()
        except EOFError:
            mail.known = self.whole
            raise

    def on_rset(self, _):
        self.forget()
        self.reply("RSET")

    def on_noop(self, _):
        self.reply("NOOP")

    def on_quit(self, _):
        self.reply("QUIT")
        return True


class FaultyServer:
    """All hosts of a network, or of this machine's own: one thread that accepts, one for each connection."""

    def __init__(self, network=None):
        self.network, self.over = network or contextlib.nullcontext(), threading.Event()
        self.selector = selectors.DefaultSelector()
        self.wake, waker = socket.socketpair()
        self.selector.register(waker, selectors.EVENT_READ, None)
        self.hosts = {}
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def listen(self, address, name="host.example", port=25, **options):
        host = Host(self, address, name, **options)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.network:
            listener = socket.create_server((address, port), family=family, backlog=500)
        self.hosts[address, port] = (host, listener)
        self.selector.register(listener, selectors.EVENT_READ, host)
        self.wake.send(b"x")
        return host

    def deaf(self, host, port=25):
        """It listens no more: connections are refused, those that stand are shut."""
        _, listener = self.hosts.pop((host.address, port))
        self.selector.unregister(listener)
        listener.close()
        for session in host.sessions:
            with contextlib.suppress(OSError):
                session.connection.shutdown(socket.SHUT_RDWR)

    def accept(self):
        while not self.over.is_set():
            for key, _ in self.selector.select():
                if key.data is None:
                    key.fileobj.recv(100)
                    continue
                try:
                    connection, peer = key.fileobj.accept()
                except OSError:
                    continue
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                host = key.data
                session = Session(host, connection, peer[0])
                with host.lock:
                    host.sessions.append(session)
                    host.open += 1
                    host.most_open = max(host.most_open, host.open)
                threading.Thread(target=session.serve, daemon=True).start()

    def close(self):
        self.over.set()
        self.wake.send(b"x")
        self.thread.join(10)
        for _, listener in self.hosts.values():
            listener.close()
