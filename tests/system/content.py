"""Message contents for the tests, and what the suite puts before them taken off again."""
import hashlib
import random
import re

TRACE = (b"return-path", b"delivered-to", b"received")


def random_content(size, seed, eight_bit=False):
    """About `size` octets of header and lines that are awkward on purpose: dots at line starts, dots alone, lines
    that look like ends of data or like commands, empty lines, lines of 998 octets, and, if allowed, any octet but
    NUL, CR and LF."""
    dice = random.Random(seed)
    out = [b"Subject: content %d\r\n" % seed, b"From: <sender@elsewhere.example>\r\n", b"\r\n"]
    awkward = [b".", b"..", b".hidden", b"...", b"", b"QUIT", b".\t", b"From here on", b"\x7f", b" . "]
    alphabet = bytes(range(32, 127)) + (bytes(range(128, 256)) if eight_bit else b"")
    any_of = bytes(alphabet[n % len(alphabet)] for n in range(256))
    have = sum(map(len, out))
    while have < size:
        kind = dice.random()
        if kind < 0.15:
            line = dice.choice(awkward)
        elif kind < 0.2:
            line = b"." + dice.randbytes(997).translate(any_of)
        else:
            line = dice.randbytes(dice.randrange(1, 200)).translate(any_of)
        out.append(line + b"\r\n")
        have += len(line) + 2
    return b"".join(out)


def large_content(size, seed):
    """Quick to make: one block of awkward lines, repeated with a counter."""
    block = random_content(60_000, seed)
    body = block[block.index(b"\r\n\r\n") + 4:]
    out, have, n = [b"Subject: large %d\r\n\r\n" % seed], 0, 0
    while have < size:
        n += 1
        line = b".part %d\r\n" % n
        out += [line, body]
        have += len(line) + len(body)
    return b"".join(out)


def without_trace(fetched):
    """What follows the suite's trace fields, and these fields as (lower-case name, value)."""
    fields, rest = [], fetched
    while True:
        found = re.match(rb"([A-Za-z-]+):((?:[^\r\n]|\r\n[ \t])*)\r\n", rest)
        if not found or found[1].lower() not in TRACE:
            return rest, fields
        fields.append((found[1].lower().decode(), found[2].decode("utf-8", "backslashreplace").strip()))
        rest = rest[found.end():]


def marked(mark, body):
    """A message that can be known again, whole or not, after a header was put before it."""
    rest = b"\r\n" + body + b"\r\nX-End: " + mark.encode() + b"\r\n"
    return f"X-Token: {mark}\r\nX-Digest: {hashlib.sha256(rest).hexdigest()}\r\n".encode() + rest


def mark_of(message):
    """None if the message is not whole."""
    head = re.search(rb"^X-Token: (\S+)\r\nX-Digest: (\S+)\r\n", message, re.M)
    if not head or hashlib.sha256(message[head.end():]).hexdigest().encode() != head[2]:
        return None
    return head[1].decode()


def digest(octets):
    return hashlib.sha256(octets).hexdigest()
