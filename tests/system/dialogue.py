"""SMTP and POP3 spoken by hand, octet for octet, with a time limit on everything. Unlike smtplib and poplib nothing is
corrected, folded or retried: what a test sends is what crosses the wire, and the whole dialogue can be shown."""
import base64
import socket
import ssl
import time

LIMIT = 90.0  # seconds for one answer; generous, because two busy cores are slow, a sanitizer build on them more so


class Closed(Exception):
    """The server ended the connection where an answer was expected."""


def tls_context(**changes):
    """Accepts any certificate: the instance makes its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in changes.items():
        setattr(context, name, value)
    return context


class Reply:
    def __init__(self, code, lines):
        self.code, self.lines = code, lines

    @property
    def text(self):
        return "\n".join(self.lines)

    def __repr__(self):
        return f"{self.code} {self.text}"


class Wire:
    """A connection: lines in, octets out, a transcript."""

    def __init__(self, port, host="127.0.0.1", source=None, limit=LIMIT, tls=False):
        self.limit = limit
        self.transcript = []
        self.buffer = b""
        self.socket = socket.create_connection(
            (host, port), timeout=limit, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.start_tls()

    def start_tls(self, context=None):
        assert not self.buffer, f"clear text left before TLS: {self.buffer!r}"
        self.socket = (context or tls_context()).wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets):
        if isinstance(octets, str):
            octets = octets.encode()
        shown = octets if len(octets) <= 300 else octets[:200] + b"... (%d octets)" % len(octets)
        self.transcript.append("C: " + repr(shown)[2:-1])
        self.socket.settimeout(self.limit)
        self.socket.sendall(octets)

    def send_line(self, line):
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def read_until(self, enough):
        """Reads on until enough() holds."""
        deadline = time.monotonic() + self.limit
        while not enough():
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                piece = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLEOFError) as e:
                self.transcript.append(f"S: ({e})")
                raise Closed(self.shown()) from e
            except TimeoutError as e:
                raise AssertionError(f"no answer within {self.limit} s\n{self.shown()}") from e
            if not piece:
                self.transcript.append("S: (end of file)")
                raise Closed(self.shown())
            self.buffer += piece

    def read_octets(self, count):
        self.read_until(lambda: len(self.buffer) >= count)
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def read_line(self):
        self.read_until(lambda: b"\r\n" in self.buffer)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        self.transcript.append("S: " + repr(line[:300])[2:-1])
        return line

    def at_end(self):
        """Whether the server has closed (waits for it up to the limit)."""
        try:
            self.read_line()
            return False
        except Closed:
            return True

    def quiet_for(self, seconds):
        """Whether nothing arrives for so long."""
        if self.buffer:
            return False
        self.socket.settimeout(seconds)
        try:
            piece = self.socket.recv(1)
        except TimeoutError:
            return True
        self.buffer += piece
        return False

    def shown(self):
        return "\n".join(self.transcript[-40:])

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Smtp(Wire):
    def __init__(self, port, greet=True, **options):
        super().__init__(port, **options)
        self.capabilities = {}
        if greet:
            self.expect(self.reply(), 220)

    def reply(self):
        lines = []
        while True:
            line = self.read_line()
            text = line.decode("utf-8", "backslashreplace")
            assert len(line) <= 510, f"a reply line of {len(line) + 2} octets: RFC 5321 4.5.3.1.5"
            assert text[:3].isdigit() and text[3:4] in ("-", " ", ""), f"not a reply: {text!r}"
            lines.append(text[4:])
            if text[3:4] != "-":
                return Reply(int(text[:3]), lines)

    def expect(self, reply, *codes, containing=None):
        assert reply.code in codes, f"expected {codes}, got {reply}\n{self.shown()}"
        if containing is not None:
            assert containing.lower() in reply.text.lower(), f"no {containing!r} in {reply}\n{self.shown()}"
        return reply

    def cmd(self, line, *codes, containing=None):
        """Sends one line; with codes, the reply must be one of them."""
        self.send_line(line)
        reply = self.reply()
        return self.expect(reply, *codes, containing=containing) if codes else reply

    def ehlo(self, name="client.example.test"):
        reply = self.cmd("EHLO " + name, 250)
        self.capabilities = {}
        for line in reply.lines[1:]:
            word, _, rest = line.partition(" ")
            self.capabilities[word.upper()] = rest
        return self

    def starttls(self, context=None):
        self.cmd("STARTTLS", 220)
        self.start_tls(context)
        return self.ehlo()

    def auth(self, user, password, *codes):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.cmd("AUTH PLAIN " + token, *(codes or (235,)))

    def message(self, content, *, sender="sender@elsewhere.example", to, parameters="", rcpt_parameters=""):
        """MAIL, RCPT for each, DATA; returns the reply to the end of data. `content` has CRLF line ends."""
        recipients = [to] if isinstance(to, str) else to
        self.cmd(f"MAIL FROM:<{sender}>{parameters}", 250)
        for recipient in recipients:
            self.cmd(f"RCPT TO:<{recipient}>{rcpt_parameters}", 250)
        self.cmd("DATA", 354)
        self.send(dot_stuffed(content) + b".\r\n")
        return self.reply()

    def deliver(self, content, **how):
        return self.expect(self.message(content, **how), 250)

    def bdat(self, piece, last=False):
        self.send(b"BDAT %d%s\r\n" % (len(piece), b" LAST" if last else b"") + piece)
        return self.reply()

    def quit(self):
        self.cmd("QUIT", 221)
        self.close()


def dot_stuffed(content):
    """As a client sends it at DATA, without the final dot."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    assert not stuffed or stuffed.endswith(b"\r\n"), "DATA cannot carry an unfinished last line"
    return stuffed


class Pop3(Wire):
    def __init__(self, port, **options):
        super().__init__(port, **options)
        self.greeting = self.ok(self.read_line())

    def ok(self, line):
        assert line.startswith(b"+OK"), f"expected +OK, got {line!r}\n{self.shown()}"
        return line.decode("utf-8", "backslashreplace")

    def cmd(self, line):
        self.send_line(line)
        return self.ok(self.read_line())

    def err(self, line, containing=""):
        self.send_line(line)
        answer = self.read_line()
        assert answer.startswith(b"-ERR"), f"expected -ERR, got {answer!r}\n{self.shown()}"
        assert containing.encode() in answer, f"no {containing!r} in {answer!r}\n{self.shown()}"
        return answer.decode("utf-8", "backslashreplace")

    def lines(self):
        """A multi-line answer after its +OK: dot-unstuffed lines."""
        found = []
        while (line := self.read_line()) != b".":
            found.append(line[1:] if line.startswith(b".") else line)
        return found

    def multi(self, line):
        self.cmd(line)
        return self.lines()

    def login(self, user, password):
        self.cmd("USER " + user)
        self.cmd("PASS " + password)
        return self

    def stls(self, context=None):
        self.cmd("STLS")
        self.start_tls(context)
        return self

    def stat(self):
        _, count, octets = self.cmd("STAT").split()[:3]
        return int(count), int(octets)

    def count(self):
        return self.stat()[0]

    def uidl(self):
        return {int(n): uid.decode() for n, uid in (line.split(b" ") for line in self.multi("UIDL"))}

    def retr(self, number):
        """The message as stored: every line with its CRLF. Reads fast: 30 MB are no trouble."""
        self.send_line(f"RETR {number}")
        self.ok(self.read_line())
        data, self.buffer = bytearray(self.buffer), b""
        deadline = time.monotonic() + 6 * self.limit
        while not (data.endswith(b"\r\n.\r\n") or data == b".\r\n"):
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise Closed(self.shown())
            data += piece
        octets = bytes(data[:-3])
        return octets[octets.startswith(b"."):].replace(b"\r\n.", b"\r\n")

    def quit(self):
        answer = self.cmd("QUIT")
        self.close()
        return answer
