"""The frames of lib/web_messages.h as octets, as a wwwd that was taken over would send them."""
import struct

from rogue import ACCOUNTS, Reader, frame, listed, text, TYPES

TYPES |= {
    "WebLogIn": 100, "WebLoggedIn": 101, "WebLook": 102, "WebSession": 103, "WebLogOut": 104, "WebDone": 105,
    "WebShowForm": 106, "WebForm": 107, "WebSubmitForm": 108, "WebAskHistory": 109, "WebHistory": 110, "WebUndo": 111,
    "WebAskAccounts": 112, "WebAccounts": 113, "WebRemove": 114, "WebAskAccess": 115, "WebAccess": 116,
    "WebMakePassword": 117, "WebRevokePassword": 118, "WebCommand": 119, "WebAskStatus": 120, "WebStatus": 121,
    "WebAskOrder": 122, "WebOrder": 123, "CarryOut": 124, "Abandon": 125, "WebMoreOutput": 126}
GOOD, NOBODY, NOT_ALLOWED, FORGED, UNAVAILABLE = range(5)
CHECK, SET = range(2)
GRANTED = 0
HERE = (192, 0, 2, 1)


def address(octets):
    return struct.pack("<B16sH", 4, bytes(octets), 4321)


class Caller:
    """Whoever asks: with a token, from somewhere, with the seal of a page."""

    def __init__(self, token=b"", seal=b"", client=HERE):
        self.token, self.seal, self.client = token, seal, client

    def octets(self):
        return text(self.token) + address(self.client) + text(self.seal)


def log_in(rogue, login, password, client=HERE):
    """(answer, token)"""
    answer = Reader(rogue.ask(ACCOUNTS, frame("WebLogIn", text(login) + text(password) + address(client) + text("") +
                                              b"\1" + text("w-1")), "WebLoggedIn"))
    return answer.take("B"), answer.text()


class Session:
    def __init__(self, payload):
        r = Reader(payload)
        self.standing, self.account = r.take("BQ")
        self.address, self.name = r.text().decode(), r.text().decode()
        self.postmaster, self.seal = r.take("?"), r.text()
        self.idle_seconds = r.take("I")


def look(rogue, caller):
    return Session(rogue.ask(ACCOUNTS, frame("WebLook", caller.octets()), "WebSession"))


def logged_in(rogue, login, password, client=HERE):
    answer, token = log_in(rogue, login, password, client)
    assert answer == GRANTED, f"log-in of {login}: {answer}"
    caller = Caller(token, client=client)
    caller.seal = look(rogue, caller).seal
    return caller


def values(**fields):
    return listed([text(name.replace("_", "-")) + listed([text(v) for v in items]) for name, items in fields.items()])


def submit_form(form, subject, what=SET, revision=0, **fields):
    return lambda caller: frame("WebSubmitForm", caller.octets() + bytes([what]) + text(form) +
                                struct.pack("<QQ", subject, revision) + values(**fields))


def of_form(kind, form, subject, last=None):
    return lambda caller: frame(kind, caller.octets() + text(form) + struct.pack("<Q", subject) +
                                (b"" if last is None else struct.pack("<Q", last)))


def ask_history(form, subject):
    return lambda caller: frame("WebAskHistory", caller.octets() + text(form) + struct.pack("<QQI", subject, 0, 50))


def command(*words, input=b"", more=False):
    return lambda caller: frame("WebCommand", caller.octets() + listed([text(w) for w in words]) + text(input) +
                                bytes([more]))


def order(*words):
    return lambda caller: frame("WebAskOrder", caller.octets() + listed([text(w) for w in words]))


def of_subject(kind, subject, rest=b""):
    return lambda caller: frame(kind, caller.octets() + struct.pack("<Q", subject) + rest)


def list_accounts():
    return lambda caller: frame("WebAskAccounts", caller.octets() + text("") + b"\0\0" + struct.pack("<II", 0, 50))


def plain(kind):
    return lambda caller: frame(kind, caller.octets())


def carry_out(sealed):
    return frame("CarryOut", text(sealed))
