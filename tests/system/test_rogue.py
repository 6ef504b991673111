"""What a server that was taken over can do to the others is what internals(7) says, and no more: real dispatcher,
accounts and queue, and an smtpd and a pop3d that send whatever they are told to."""
import contextlib
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import tempfile
import time
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

from content import random_content, without_trace
from harness import Pool, SystemTest, assert_no_crash, needs_root
from instance import peak_kib, sanitized
from rogue import (ACCOUNTS, CONTROL, DENIED, DONE, GRANTED, MAX_FRAME, NOTICES, PERMANENT, QUEUE, TEMPORARY, TOO_MANY,
                   TYPES, BodyFile, Dropped, Job, Mailbox, Message, Reader, RogueInstance, Submitted, Verdict, authenticate,
                   expunge, frame, job_done, listed, open_mailbox, recipient, retrieve, submit, text)

NOT_IN_BASE = (1 << 32) + 38  # ENOSYS: the call is not in the row
ALLOWED = {("smtpd", ACCOUNTS): {"Authenticate"}, ("pop3d", ACCOUNTS): {"Authenticate"},
           ("smtpd", QUEUE): {"Submit", "OpenBody", "DropBody", "AskStored", "AskUsage", "StartDomain"},
           ("pop3d", QUEUE): {"OpenMailbox", "Retrieve", "Expunge", "CloseMailbox"},
           ("smtp-deliver", ACCOUNTS): {"AskRelayPassword"}, ("smtp-deliver", QUEUE): {"JobDone", "Hosts"},
           ("smtpd", CONTROL): {"Ready"}, ("pop3d", CONTROL): {"Ready"}, ("smtp-deliver", CONTROL): {"Ready"}}
ID = bytes(range(1, 13))
# A whole and right frame of each type, as the role that may send it would.
WHOLE = {
    "Welcome": frame("Welcome", b"\1\0"), "Listen": frame("Listen", b"\0\0" + struct.pack("<I", 1) + text("x")),
    "Peer": frame("Peer", b"\2" + text("queue")), "LogFile": frame("LogFile"),
    "Certificates": frame("Certificates", listed([]) * 2), "Start": frame("Start"), "Ready": frame("Ready"),
    "Stop": frame("Stop", struct.pack("<I", 5)), "Administer": frame("Administer", b"\0"),
    "AdministerAnswer": frame("AdministerAnswer", b"\0" + text("done")),
    "AskConnection": frame("AskConnection"), "MakeMaildrop": frame("MakeMaildrop", text("jane")),
    "PassCommand": frame("PassCommand", listed([text("queue"), text("status")])),
    "Authenticate": authenticate("nobody", "guess", mailbox=False),
    "Verdict": frame("Verdict", b"\0" + struct.pack("<Q", 1) + text("a@b") + text("t") + struct.pack("<I", 0)),
    "Submit": submit(ID, ["user1@post.example"], b"Subject: x\r\n\r\n"),
    "Submitted": frame("Submitted", ID + b"\0\0\0" + text("")), "OpenBody": frame("OpenBody", ID),
    "BodyFile": frame("BodyFile", ID + b"\0\0" + text("")), "DropBody": frame("DropBody", ID),
    "AskStored": frame("AskStored", ID), "Stored": frame("Stored", ID + b"\1\1"),
    "AskUsage": frame("AskUsage", struct.pack("<Q", 1)),
    "Usage": frame("Usage", b"\1" + struct.pack("<QQQ", 1, 1, 1)), "OpenMailbox": open_mailbox(b"t" * 80),
    "Mailbox": frame("Mailbox", b"\0" + text("") + struct.pack("<Q", 1) + listed([]) + b"\0"),
    "Retrieve": retrieve(1, ID), "Message": frame("Message", b"\0" + ID + text("") * 2 + struct.pack("<Q", 0)),
    "Expunge": expunge(1, [ID]), "Expunged": frame("Expunged", b"\0" + text("")),
    "CloseMailbox": frame("CloseMailbox", struct.pack("<Q", 1)),
    "StartDomain": frame("StartDomain", text("podunk.edu") + b"\1"), "Started": frame("Started", b"\1" + struct.pack("<Q", 1)),
    "AskRelayPassword": frame("AskRelayPassword", text("relay.example") + text("janie")),
    "RelayPassword": frame("RelayPassword", b"\1" + text("secret")),
    "JobDone": frame("JobDone", ID + b"\0" + text("") * 2 + b"\0" + listed([])),
    "AskHosts": frame("AskHosts", text("a.example") + b"\1" + text("a.example") + struct.pack("<HB", 25, 1) + text("") * 3),
    "Hosts": frame("Hosts", b"\0" + listed([])),
    "Command": frame("Command", listed([text("status")]) + text("") + b"\0" + text("")),
    "CommandOutput": frame("CommandOutput", text("") * 2 + b"\1\0")}
# (name, octets, descriptors that ride along) that no receiver may take
MALFORMED = [
    ("4 GiB announced", frame("Authenticate", length=0xffffffff), 0),
    ("a frame over the bound", frame("Submit", length=MAX_FRAME + 1), 0),
    ("flags that nobody knows", frame("AskStored", ID, flags=2), 0),
    ("a descriptor that is missing", frame("AskStored", ID, flags=1), 0),
    ("200 descriptors", frame("AskStored", ID, flags=1), 200),
    ("type 0", frame(0), 0), ("type 65535", frame(65535), 0),
    ("random octets", random.Random(5).randbytes(5000), 0), ("zeros", bytes(5000), 0)]


def altered(role, target):
    """Frames of a right type, whole but for something."""
    for name in sorted(ALLOWED[role, target]):
        whole = WHOLE[name]
        payload = whole[12:]
        if payload:
            yield f"{name} cut short", frame(name, payload[:-1]), 0
        yield f"{name} with an octet too many", frame(name, payload + b"\0"), 0
    if target == ACCOUNTS:
        yield "a bool of 7", frame("Authenticate", WHOLE["Authenticate"][12:-1] + b"\7"), 0
        yield "a string beyond the end", frame("Authenticate", struct.pack("<I", 0xffffffff) + b"x" * 60), 0
        yield "8 KiB and one octet", authenticate("x" * 9000, "y"), 0


def attacks(role, target):
    for name, whole in WHOLE.items():
        if name not in ALLOWED[role, target]:
            yield f"{name} from {role}", whole, 0
    yield from MALFORMED
    yield from altered(role, target)


class RogueTest(SystemTest):
    taken = {"smtpd": 2, "pop3d": 2}  # how many of each
    security = {}

    @classmethod
    def setUpClass(cls):
        if sanitized(Pool.build):
            raise unittest.SkipTest("release build only")
        cls.instance = RogueInstance(Pool.build, **cls.taken, users=60, forms={
            "system-security": {**cls.security, "Log-In-Failures-per-Account": "5"}})
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        try:
            status = cls.instance.stop()
            assert status == 0, f"the dispatcher ended with {status} when told to stop"
            assert_no_crash(cls.instance)
        finally:
            Pool.discard(cls.instance)

    def rogue(self, name):
        rogue = self.instance.whole_rogue(name)
        self.addCleanup(rogue.close)
        return rogue

    def owners(self):
        found = self.instance.processes()
        return {name: found[name] for name in ("dispatcher", "accounts", "queue")}

    @contextlib.contextmanager
    def unharmed(self):
        """dispatcher, accounts and queue live on as the same processes, and mail goes through."""
        before = self.owners()
        yield
        self.assertEqual(self.owners(), before, "a process died")
        self.assert_works()

    def deliver(self, user, content=b"Subject: theirs\r\n\r\nsecret\r\n"):
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, to=user.address)
            smtp.quit()

    def log_lines(self, *parts):
        text = self.instance.log_text()
        if not all(p in text for p in parts):  # often asked until it is there, of a log that has grown by floods
            return []
        return [line for line in text.splitlines() if all(p in line for p in parts)]

    def verdict(self, rogue, user, session="s-1", password=None, **more):
        return Verdict(rogue.ask(ACCOUNTS, authenticate(user.login, password or user.password, session, **more), "Verdict"))

    def ticket(self, rogue, user, session="s-1"):
        verdict = self.verdict(rogue, user, session)
        self.assertEqual(verdict.answer, GRANTED)
        self.assertTrue(verdict.ticket)
        return verdict.ticket

    def open(self, rogue, ticket, session="s-1"):
        return Mailbox(rogue.ask(QUEUE, open_mailbox(ticket, session), "Mailbox"))

    def peak_kib(self, name):
        """The most memory that this process ever had."""
        return peak_kib(self.instance.processes()[name][0])

    def memory_bound_kib(self, mib):
        return mib * 1024 * (4 if sanitized(self.instance.build) else 1)

    def drop_attacks(self, role, target, log_event):
        """Each attack on a pipe of its own: the receiver drops it and writes one line."""
        for what, octets, descriptors in attacks(role, target):
            yield what, target, octets, descriptors, log_event

    def flood(self, role, target, octets, times):
        """Half a frame may be in the pipe at the end, so the process ends as well."""
        rogue = self.instance.whole_rogue(role)
        rogue.flood(target, octets, times)
        rogue.end()

    def run_drop_attacks(self, role):
        """Both pipes of a process are good for one attack each; then it begins anew."""
        pairs = zip(self.padded(attacks(role, ACCOUNTS)), self.padded(attacks(role, QUEUE)))
        accounts_before = len(self.log_lines("event=peer-gone", "garbage", f"peer={role}"))
        queue_before = len(self.log_lines("event=pipe-closed", "garbage", f"peer={role}"))
        count = {ACCOUNTS: 0, QUEUE: 0}
        for on_accounts, on_queue in pairs:
            if on_accounts is None and on_queue is None:
                break
            rogue = self.instance.whole_rogue(role)
            for target, attack in ((ACCOUNTS, on_accounts), (QUEUE, on_queue)):
                if attack is not None:
                    what, octets, descriptors = attack
                    rogue.send(target, octets, descriptors)
                    self.assertTrue(rogue.is_dropped(target), f"{what}: the pipe stayed")
                    count[target] += 1
            rogue.end()
        self.assertGreater(min(count.values()), 30)
        for event, before, target in (("peer-gone", accounts_before, ACCOUNTS), ("pipe-closed", queue_before, QUEUE)):
            lines = len(self.log_lines(f"event={event}", "garbage", f"peer={role}")) - before
            self.assertGreater(lines, 30)
            self.assertLessEqual(lines, count[target], "more than one line for an attack")

    @staticmethod
    def padded(items):
        yield from items
        for _ in range(100):
            yield None

    def run_control_attacks(self, role):
        """Who sends the dispatcher such a thing is killed."""
        administered = len(self.log_lines("event=administer "))
        names = ["Administer", "PassCommand", "AskConnection", "MakeMaildrop", "Peer", "Stop", "Start", "Welcome", "Submit",
                 "AdministerAnswer"]
        for what, octets, descriptors in [(n, WHOLE[n], 0) for n in names] + MALFORMED + [
                ("PassCommand with a descriptor", frame("PassCommand", WHOLE["PassCommand"][12:], flags=1), 1),
                ("Administer for each verb", b"".join(frame("Administer", bytes([v])) for v in (1, 2, 3, 4)), 0)]:
            rogue = self.instance.rogue(role)
            with contextlib.suppress(ConnectionError):  # killed before it could report
                rogue.send(CONTROL, octets, descriptors)
            self.assertTrue(rogue.is_gone(), f"{what} from {role}: it was not killed")
            rogue.close()
            self.instance.until(lambda n=rogue.name: self.log_lines("event=child-", f"name={n}", "garbage"), 5, f"a line: {what}")
        self.assertEqual(len(self.log_lines("event=administer ")), administered, "a server administered")


class WrongFrames:
    """Of `role`, to everybody who has a pipe to it."""

    def test_wrong_frames(self):
        with self.unharmed():
            self.run_drop_attacks(self.role)

    def test_wrong_frames_to_the_dispatcher(self):
        with self.unharmed():
            self.run_control_attacks(self.role)


class Pop3dTaken(WrongFrames, RogueTest):
    """No mailbox without a ticket, none of another account with one, none twice, none late."""
    role = "pop3d"
    taken = {"smtpd": 0, "pop3d": 14}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with contextlib.closing(cls.instance.whole_rogue("pop3d")) as rogue:
            user = cls.instance.take_user()
            cls.early_ticket = Verdict(rogue.ask(ACCOUNTS, authenticate(user.login, user.password), "Verdict")).ticket
        cls.early = time.monotonic()

    def assert_refused(self, mailbox, kind=PERMANENT, why=""):
        self.assertEqual((mailbox.kind, mailbox.handle, mailbox.ids), (kind, 0, []), mailbox.text)
        self.assertIn(why, mailbox.text)

    def test_no_mailbox_without_a_ticket(self):
        rogue, user = self.rogue("pop3d"), self.user()
        ticket, dice = self.ticket(rogue, user), random.Random(1)
        with self.unharmed():
            for forged in (b"", b"\0", b"x" * 32, bytes(33), dice.randbytes(64), dice.randbytes(512), dice.randbytes(4000),
                           ticket[:-1], ticket + b"\0", ticket[:-32] + bytes(32), ticket[-32:] + ticket[:-32], ticket * 2,
                           struct.pack("<Q", 7) + ticket[8:]):
                self.assert_refused(self.open(rogue, forged), why="not a mailbox ticket")
            for at in range(0, len(ticket), 3):
                forged = bytearray(ticket)
                forged[at] ^= 1 << at % 8
                self.assert_refused(self.open(rogue, bytes(forged)), why="not a mailbox ticket")
            # The keys that this process has seal none.
            body = ticket[:-32]
            for key in (rogue.notice_key, rogue.ticket_key, bytes(32)):
                for purpose in (b"", b"post.office mailbox ticket"):
                    seal = hmac.digest(key, purpose + body, "sha256")
                    self.assert_refused(self.open(rogue, body + seal), why="not a mailbox ticket")
            self.assertEqual(rogue.ticket_key, bytes(32))

    def test_no_ticket_without_the_password(self):
        rogue, user = self.rogue("pop3d"), self.user()
        verdict = self.verdict(rogue, user, password="a guess")
        self.assertEqual((verdict.answer, verdict.account, verdict.address, verdict.ticket), (DENIED, 0, b"", b""))

    def test_a_ticket_opens_its_account_once(self):
        one, other = self.rogue("pop3d"), self.rogue("pop3d")
        mine, theirs = self.user(), self.user()
        for user in (mine, theirs, theirs):
            self.deliver(user)
        their_box = self.open(other, self.ticket(other, theirs, "theirs"), "theirs")
        self.assertEqual(len(their_box.ids), 2)
        self.assertEqual(Message(other.ask(QUEUE, retrieve(their_box.handle, their_box.ids[0]), "Message")).kind, DONE)

        self.assert_refused(self.open(one, self.ticket(one, mine, "s-1"), "s-2"), why="another session")
        ticket = self.ticket(one, mine)
        box = self.open(one, ticket)
        self.assertEqual((box.kind, len(box.ids)), (DONE, 1))
        self.assertFalse(set(box.ids) & set(their_box.ids))
        for rogue in (one, other, one):
            self.assert_refused(self.open(rogue, ticket), why="used before")
            self.assert_refused(self.open(rogue, ticket, "s-2"), why="used before")

        for id in their_box.ids + [bytes(12), b"\xff" * 12, ID]:
            got = Message(one.ask(QUEUE, retrieve(box.handle, id), "Message"))
            self.assertEqual((got.kind, got.body, got.prefix), (PERMANENT, b"", b""))
        gone = Reader(one.ask(QUEUE, expunge(box.handle, their_box.ids), "Expunged"))
        self.assertEqual(gone.take("B"), DONE)  # what is not in this mailbox is gone already
        self.assertEqual(len(self.instance.fetch_all(theirs)), 2)
        one.send(QUEUE, frame("CloseMailbox", struct.pack("<Q", box.handle)))
        self.assertEqual(Message(one.ask(QUEUE, retrieve(box.handle, box.ids[0]), "Message")).kind, PERMANENT)

    def test_a_handle_is_good_on_its_pipe_alone(self):
        one, other, user = self.rogue("pop3d"), self.rogue("pop3d"), self.user()
        self.deliver(user)
        box = self.open(one, self.ticket(one, user))
        dice = random.Random(2)
        for handle in [box.handle, 0, *range(1, 60), (1 << 64) - 1, 1 << 32, *(dice.getrandbits(64) for _ in range(20))]:
            got = Message(other.ask(QUEUE, retrieve(handle, box.ids[0]), "Message"))
            self.assertEqual((got.kind, got.body), (PERMANENT, b""), handle)
            gone = Reader(other.ask(QUEUE, expunge(handle, box.ids), "Expunged"))
            self.assertEqual(gone.take("B"), PERMANENT, handle)
            other.send(QUEUE, frame("CloseMailbox", struct.pack("<Q", handle)))
        self.assertEqual(Message(one.ask(QUEUE, retrieve(box.handle, box.ids[0]), "Message")).kind, DONE)

    def test_two_pipes_at_once(self):
        one, other, user = self.rogue("pop3d"), self.rogue("pop3d"), self.user()
        for n in range(20):
            ask = open_mailbox(self.ticket(one, user))
            for rogue in (one, other):
                rogue.send(QUEUE, ask * 3)
            kinds = [Mailbox(rogue.receive(QUEUE)[2]).kind for rogue in (one, other) for _ in range(3)]
            self.assertEqual(sorted(kinds), [DONE] + [PERMANENT] * 5, n)

    def test_one_serial_for_all(self):
        """The serial is the asker's own matter: each frame gets its own answer, in order."""
        rogue, user = self.rogue("pop3d"), self.user()
        with self.unharmed():
            ticket = self.ticket(rogue, user)
            rogue.send(QUEUE, open_mailbox(b"none") + open_mailbox(ticket) + retrieve(99, ID))
            self.assertEqual(Mailbox(rogue.receive(QUEUE)[2]).kind, PERMANENT)
            self.assertEqual(Mailbox(rogue.receive(QUEUE)[2]).kind, DONE)
            self.assertEqual(Message(rogue.receive(QUEUE)[2]).kind, PERMANENT)

    def test_descriptors_that_nobody_asked_for(self):
        rogue = self.rogue("pop3d")
        with self.unharmed():
            for _ in range(500):
                rogue.send(QUEUE, frame("Retrieve", struct.pack("<Q", 1) + ID, flags=1), 1)
                self.assertEqual(Message(rogue.receive(QUEUE)[2]).kind, PERMANENT)
            self.assert_few_descriptors("queue")

    def assert_few_descriptors(self, name, limit=400):
        if os.geteuid() == 0:
            self.assertLess(len(os.listdir(f"/proc/{self.instance.processes()[name][0]}/fd")), limit)

    def test_flood_of_questions(self):
        """100,000 of each, and no answer read. Who is not read waits; who waits for ever is dropped."""
        with self.unharmed():
            for ask in (open_mailbox(b"t" * 70), retrieve(7, ID), expunge(7, [ID])):
                self.flood("pop3d", QUEUE, ask * 500, 200)
            self.flood("pop3d", ACCOUNTS, authenticate("nobody", "guess") * 500, 200)
            self.assertLess(self.peak_kib("queue"), self.memory_bound_kib(200))
            self.assertLess(self.peak_kib("accounts"), self.memory_bound_kib(400))

    def test_flood_of_large_messages(self):
        """Each answer holds a descriptor: few of them wait."""
        rogue, user = self.rogue("pop3d"), self.user()
        self.deliver(user, random_content(200_000, 3))
        box = self.open(rogue, self.ticket(rogue, user))
        with self.unharmed():
            sent = rogue.flood(QUEUE, retrieve(box.handle, box.ids[0]) * 500, 200)
            self.assertLess(sent, 200)
            self.assert_few_descriptors("queue")
            large = self.user()
            content = random_content(300_000, 4)
            self.deliver(large, content)
            self.assert_arrived(large, content)
            rogue.end()  # another test's questions would find its answers in the pipe

    def test_y_late(self):
        """After 31 s, without anything in between that would spoil it."""
        rogue = self.rogue("pop3d")
        time.sleep(max(0.0, self.early + 31 - time.monotonic()))
        self.assert_refused(self.open(rogue, self.early_ticket), TEMPORARY, "too old")

    def test_z_queue_killed(self):
        """queue forgets which tickets were used: so it takes none of before."""
        rogue, user = self.rogue("pop3d"), self.user()
        used, unused = self.ticket(rogue, user), self.ticket(rogue, user)
        self.assertEqual(self.open(rogue, used).kind, DONE)
        pipes = rogue.pipes[QUEUE]
        self.instance.signal(self.instance.processes()["queue"][0], signal.SIGKILL)
        self.instance.until(lambda: rogue.learn() or rogue.pipes[QUEUE] > pipes, 20, "a new pipe")
        for ticket in (used, unused):
            self.assert_refused(self.open(rogue, ticket), TEMPORARY, "just started")
        self.assertEqual(Message(rogue.ask(QUEUE, retrieve(1, ID), "Message")).kind, PERMANENT)
        self.assertEqual(self.open(rogue, self.ticket(rogue, user)).kind, DONE)
        self.assert_works()


class SmtpdTaken(WrongFrames, RogueTest):
    """It submits mail, in any name; nothing else."""
    role = "smtpd"
    taken = {"smtpd": 14, "pop3d": 0}

    def submitted(self, rogue, *arguments, **more):
        return Submitted(rogue.ask(QUEUE, submit(*arguments, **more), "Submitted"))

    def body_file(self, rogue, id):
        """(answer, number of the descriptor)"""
        answer = BodyFile(rogue.ask(QUEUE, frame("OpenBody", id), "BodyFile"))
        return answer, rogue.kept - 1

    def stored(self, rogue, id):
        r = Reader(rogue.ask(QUEUE, frame("AskStored", id), "Stored"))
        return r.take("12s??")[1:]

    def assert_not(self, answer, *kinds):
        self.assertIn(answer.kind, kinds or (PERMANENT,), answer.text)
        self.assertTrue(answer.text)

    def test_it_submits(self):
        rogue, user = self.rogue("smtpd"), self.user()
        body = b"Subject: in any name\r\n\r\n"
        self.assertEqual(self.submitted(rogue, rogue.message_id(), [user.address], body, "president@xanadu.example").kind, DONE)
        self.assertIn(b"<president@xanadu.example>", self.only_message(user))

    def test_no_mailbox_ticket(self):
        """accounts gives tickets to pop3d alone, whatever the password."""
        rogue, user = self.rogue("smtpd"), self.user()
        with self.unharmed():
            verdict = self.verdict(rogue, user, mailbox=False)
            self.assertEqual((verdict.answer, verdict.ticket), (GRANTED, b""))
            rogue.send(ACCOUNTS, authenticate(user.login, user.password, mailbox=True))
            self.assertTrue(rogue.is_dropped(ACCOUNTS))
        self.assertTrue(self.log_lines("event=peer-gone", f"peer={rogue.name}", "garbage"))

    def test_envelopes_that_are_refused(self):
        rogue, user = self.rogue("smtpd"), self.user()
        body = b"Subject: x\r\n\r\n"
        ids = iter(range(1, 1000))
        with self.unharmed():
            for kinds, changes in [
                    ((TEMPORARY,), {"recipients": ["nobody@post.example"]}),
                    ((TEMPORARY,), {"recipients": ["@elsewhere.example:" + user.address]}),
                    ((PERMANENT,), {"recipients": []}), ((PERMANENT,), {"recipients": [""]}),
                    ((PERMANENT,), {"recipients": [user.address + "\r\nX: y"]}),
                    ((PERMANENT,), {"recipients": ["x" * 600 + "@post.example"]}),
                    ((PERMANENT,), {"recipients": [recipient(user.address, notify=255)]}),
                    ((PERMANENT,), {"recipients": [recipient(user.address, orcpt="rfc822;x\r\ny")]}),
                    ((PERMANENT,), {"sender": "a@b.example>\r\nSubject: forged"}), ((PERMANENT,), {"sender": "s" * 600}),
                    ((PERMANENT,), {"session": "s\nevent=forged"}), ((PERMANENT,), {"session": "s" * 70}),
                    ((PERMANENT,), {"ret": 9}), ((PERMANENT,), {"size": 5}), ((PERMANENT,), {"size": (1 << 64) - 1}),
                    ((PERMANENT,), {"sum": 5}), ((PERMANENT,), {"body": b"x" * 70_000}),
                    ((PERMANENT,), {"in_file": True})]:
                arguments = {"id": rogue.message_id(next(ids)), "recipients": [user.address], "body": body, **changes}
                self.assert_not(Submitted(rogue.ask(QUEUE, submit(**arguments), "Submitted")), *kinds)
        self.assert_empty(user)

    def test_ids_of_others(self):
        """An id of another maker would have its message refused as one that is there: only one's own are taken."""
        user = self.user()
        with self.unharmed():
            honest = self.instance.status()["processes"]
            self.assertTrue(honest)
            for octets in ("Submit", "OpenBody"):
                rogue, other = self.rogue("smtpd"), self.rogue("smtpd")
                foreign = other.message_id(77)
                rogue.send(QUEUE, submit(foreign, [user.address], b"x: y\r\n\r\n") if octets == "Submit" else
                           frame("OpenBody", foreign))
                self.assertTrue(rogue.is_dropped(QUEUE), octets)
                self.assertEqual(self.stored(other, foreign), (True, False))
                self.assertEqual(self.submitted(other, foreign, [user.address], b"a: b\r\n\r\n").kind, DONE)
                other.close()
        self.assertEqual(len(self.instance.fetch_all(user)), 2)

    def test_an_id_twice(self):
        rogue, user, other = self.rogue("smtpd"), self.user(), self.user()
        id = rogue.message_id(1)
        self.assertEqual(self.submitted(rogue, id, [user.address], b"a: first\r\n\r\n").kind, DONE)
        self.assert_not(self.submitted(rogue, id, [user.address], b"a: second\r\n\r\n"))
        self.submitted(rogue, id, [other.address], b"a: first\r\n\r\n")
        answer, file = self.body_file(rogue, id)
        if answer.kind == DONE:
            body = random_content(100_000, 1)
            rogue.write(file, body)
            self.assert_not(self.submitted(rogue, id, [user.address], body, in_file=True))
        self.assertIn(b"a: first", self.only_message(user))
        self.assert_empty(other)
        self.assertEqual(self.stored(rogue, id), (True, True))

    def test_bodies_of_others(self):
        """The file of a body belongs to the pipe that asked for it."""
        one, other = self.rogue("smtpd"), self.rogue("smtpd")
        user, body = self.user(), random_content(100_000, 2)
        id = one.message_id(2)
        answer, file = self.body_file(one, id)
        self.assertEqual(answer.kind, DONE)
        self.assertEqual(one.write(file, body), len(body))
        for _ in range(3):
            other.send(QUEUE, frame("DropBody", id))
            self.assertEqual(self.stored(other, id), (True, False))
        other.send(QUEUE, submit(id, [user.address], body, in_file=True))
        with contextlib.suppress(Dropped):
            self.assert_not(Submitted(other.receive(QUEUE)[2]))
        self.assertEqual(self.body_file(one, id)[0].kind, PERMANENT)  # the name is taken
        self.assertEqual(self.submitted(one, id, [user.address], body, in_file=True).kind, DONE)
        self.assert_arrived(user, body) if without_trace(body)[0] == body else self.only_message(user)

    def test_bodies_that_are_not_as_announced(self):
        rogue, user, body = self.rogue("smtpd"), self.user(), random_content(100_000, 3)
        with self.unharmed():
            for n, changes in enumerate(({"size": len(body) + 1}, {"size": len(body) - 1}, {"size": 0}, {"size": 1 << 63},
                                         {"sum": 1})):
                id = rogue.message_id(10 + n)
                answer, file = self.body_file(rogue, id)
                self.assertEqual(answer.kind, DONE)
                rogue.write(file, body)
                self.assert_not(self.submitted(rogue, id, [user.address], body, in_file=True, **changes))
                self.assertEqual(self.stored(rogue, id), (True, False))
            id = rogue.message_id(20)
            _, file = self.body_file(rogue, id)
            rogue.write(file, body)
            rogue.send(QUEUE, frame("DropBody", id))
            self.assert_not(self.submitted(rogue, id, [user.address], body, in_file=True))
        self.assert_empty(user)

    def test_a_body_changed_after_its_acceptance(self):
        """Harms that message alone."""
        rogue, victim, user, body = self.rogue("smtpd"), self.user(), self.user(), random_content(150_000, 4)
        self.deliver(user)
        with self.unharmed():
            id = rogue.message_id(30)
            _, file = self.body_file(rogue, id)
            rogue.write(file, body)
            self.assertEqual(self.submitted(rogue, id, [victim.address], body, in_file=True).kind, DONE)
            self.assertEqual(rogue.write(file, b"longer\r\n" * 10_000), 80_000)
            if not sanitized(self.instance.build):
                self.assertEqual(rogue.truncate(file, 0), NOT_IN_BASE)
            self.assertEqual(rogue.pread(file, 10), b"")  # open for writing alone
            self.assertEqual(len(self.instance.fetch_all(victim)), 1)
        self.only_message(user)

    def test_is_it_stored(self):
        """Yes or no, about any id."""
        rogue, user = self.rogue("smtpd"), self.user()
        self.deliver(user)
        id = self.instance.pop3(user).uidl()[1]
        self.assertEqual(len(id), 20)
        for octets in (ID, bytes(12), b"\xff" * 12):
            self.assertEqual(self.stored(rogue, octets), (True, False))

    def test_passwords_are_slowed_down(self):
        """Whatever addresses it makes up for its guesses: after five an account is slow."""
        rogue, user = self.rogue("smtpd"), self.user()
        answers = []
        for n in range(12):
            password = user.password if n == 11 else f"guess {n}"
            answers.append(self.verdict(rogue, user, password=password, mailbox=False, address=(10, 1, n, 1)).answer)
        denied = answers.count(DENIED)
        self.assertLessEqual(denied, 7)
        self.assertEqual(answers[-1], TOO_MANY, "the right password told itself")

    def test_answers_to_nobody(self):
        """Half a frame at the end of a process, and a pipe closed in the middle of work."""
        with self.unharmed():
            for cut in (1, 11, 12, 13, 500):
                rogue = self.instance.whole_rogue("smtpd")
                rogue.send(QUEUE, (submit(rogue.message_id(cut), ["user1@post.example"], b"x" * 5000) * 2)[:cut])
                rogue.send(ACCOUNTS, (authenticate("nobody", "guess", mailbox=False) * 30)[:cut])
                rogue.end()

    def test_z_flood(self):  # after those that count lines: its own push older ones out of the log
        user = self.user()
        with self.unharmed():
            self.flood("smtpd", QUEUE, frame("AskUsage", struct.pack("<Q", 1)) * 500, 200)
            self.flood("smtpd", QUEUE, frame("DropBody", ID) * 500, 200)
            self.flood("smtpd", ACCOUNTS, authenticate("nobody", "guess", mailbox=False) * 500, 200)
            rogue = self.instance.whole_rogue("smtpd")
            rogue.flood(QUEUE, b"".join(frame("OpenBody", rogue.message_id(n)) for n in range(5000)), 1)
            rogue.end()
            # Recipients by the hundred thousand, of which each takes more room decoded than sent.
            rogue = self.instance.whole_rogue("smtpd")
            many = submit(rogue.message_id(), [recipient(user.address)] * 100_000, b"a: b\r\n\r\n", "s" * 500)
            rogue.flood(QUEUE, many, 3)
            rogue.end()
            rogue = self.rogue("smtpd")
            short = submit(rogue.message_id(), [recipient("")] * 1_800_000, b"a: b\r\n\r\n")
            self.assertEqual(Submitted(rogue.ask(QUEUE, short, "Submitted")).kind, PERMANENT)
            print(f"     queue's memory rose to {self.peak_kib('queue') // 1024} MiB, that of accounts to "
                  f"{self.peak_kib('accounts') // 1024} MiB")
            self.assertLess(self.peak_kib("queue"), self.memory_bound_kib(700))
            self.assertLess(self.peak_kib("accounts"), self.memory_bound_kib(400))

    def test_no_pipes_of_its_own(self):
        """The kernel counts descriptors on their way by user: left lying about in pipes, they would hold up everybody's."""
        self.assertEqual(self.rogue("smtpd").park(100_000), 0)

    def test_zz_a_descriptor_that_is_slow_to_close(self):
        """A connection whose close would wait for its client (no row may set that) must not hold up who was given it."""
        with self.unharmed():
            for target in (QUEUE, ACCOUNTS, CONTROL):
                for copies, octets in ((1, frame("AskStored", ID)), (1, frame("AskStored", ID, flags=1)),
                                       (60, frame("AskStored", ID)), (200, b"")):
                    rogue = self.instance.rogue("smtpd", receive_buffer=4096)
                    rogue.give_away_connection(target, octets or frame(0), copies, 600)
                    self.addCleanup(rogue.close)
                start = time.monotonic()
                self.assert_works()
                self.instance.status()
                self.assertLess(time.monotonic() - start, 400)


UNSEEN = 3  # of HopState


class DelivererTaken(RogueTest):
    """What it says counts for its own jobs, and is made plain."""
    taken = {"smtpd": 0, "pop3d": 0, "deliver": 3}
    security = {"Relay-Networks": ["127.0.0.0/8"]}

    def setUp(self):
        super().setUp()
        self.rogues = [self.rogue("smtp-deliver") for _ in range(3)]

    def send_mail(self, *recipients):
        """From a user of ours; returns the user."""
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: for elsewhere\r\n\r\nhere it is\r\n", to=list(recipients), sender=user.address)
            smtp.quit()
        return user

    def job(self, rogues=None):
        """(who got it, the job)"""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for rogue in rogues or self.rogues:
                if got := rogue.receive_soon(QUEUE, 20):
                    self.assertEqual(got[0], TYPES["Job"])
                    return rogue, Job(*got[1:])
        self.fail("no job came")

    def waiting(self, address):
        rows = [json.loads(line) for line in self.instance.command("queue", "list", "--json").stdout.splitlines()]
        return next((row for row in rows if row["recipient"] == address), None)

    def until_gone(self, address):
        self.instance.until(lambda: not self.waiting(address), 10, f"{address} to leave the queue")

    def test_answers_for_jobs_of_others(self):
        with self.unharmed():
            self.send_mail("a@one.example")
            owner, job = self.job()
            others = [r for r in self.rogues if r is not owner]
            others[0].send(QUEUE, job_done(job, [(n, DONE, "250 ok", "2.0.0") for n in job.recipients]))
            self.assertTrue(others[0].is_dropped(QUEUE), "another's answer was taken")
            self.assertTrue(self.waiting("a@one.example"))
            owner.send(QUEUE, job_done(job, [(99, DONE, "250 ok", "2.0.0")]))
            self.assertTrue(owner.is_dropped(QUEUE), "an answer about nobody was taken")
            self.assertTrue(self.waiting("a@one.example"))
            last, again = self.job(others[1:])
            self.assertEqual((again.id, again.recipients), (job.id, job.recipients))
            last.send(QUEUE, job_done(again, [(n, DONE, "250 ok", "2.0.0") for n in again.recipients]))
            self.until_gone("a@one.example")
            # The second answer to a job is passed over, whatever it says.
            last.send(QUEUE, job_done(again, [(n, PERMANENT, "550 no", "5.0.0") for n in again.recipients]))
            self.send_mail("b@one.example")
            last, job = self.job(others[1:])
            last.send(QUEUE, job_done(job, [(n, DONE, "250 ok", "2.0.0") for n in job.recipients]))
            self.until_gone("b@one.example")

    def test_answers_that_nobody_asked_for(self):
        with self.unharmed():
            for octets in (frame("JobDone", WHOLE["JobDone"][12:], serial=0xfffffff0),
                           frame("Hosts", WHOLE["Hosts"][12:], serial=0xfffffff0)):
                self.rogues[0].send(QUEUE, octets)
                self.assertTrue(self.rogues[0].is_dropped(QUEUE))
                self.rogues[0].end()
                self.rogues[0] = self.rogue("smtp-deliver")

    def test_its_words_are_made_plain(self):
        words = "550 no\r\nX-Forged: yes\r\n\r\n\0\x1b[2J\n--=_boundary\n" + "x" * 100_000
        with self.unharmed():
            user = self.send_mail("plain@two.example")
            rogue, job = self.job()
            rogue.send(QUEUE, job_done(job, [(n, PERMANENT, words, "5.9999.\r\n") for n in job.recipients],
                                       host="mx\r\nX-Forged: yes", tls="\0\n"))
            self.until_gone("plain@two.example")
            self.instance.until(lambda: self.instance.fetch_all(user), 10, "the bounce")
            notice = self.only_message(user)
            self.assertNotIn(b"\nX-Forged", notice)
            self.assertNotIn(b"\x1b", notice)
            self.assertLess(len(notice), 10_000)
            lines = self.log_lines("event=bounced", "to=plain@two.example")
            self.assertEqual(len(lines), 1)
            self.assertLess(len(lines[0]), 2000)

    def test_stopped_for_ever(self):
        """No attempt is counted, and it is not offered again at once."""
        with self.unharmed():
            self.send_mail("later@three.example")
            rogue, job = self.job()
            done = job_done(job, [(n, TEMPORARY, "stopping", "4.3.2") for n in job.recipients], hop=UNSEEN)
            rogue.send(QUEUE, done.replace(struct.pack("<IB?", 0, TEMPORARY, True), struct.pack("<IB?", 0, TEMPORARY, False)))
            soon = (datetime.now(timezone.utc) + timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%S")
            self.instance.until(lambda: self.waiting("later@three.example")["next"] > soon, 5, "its next attempt")
            row = self.waiting("later@three.example")
            self.assertEqual((row["attempts"], row["reply"]), (0, None))
            self.instance.command("queue", "remove", "--discard", row["id"])

    def test_passwords_of_relays(self):
        self.instance.set_relay_password("relay.example", "janie", "a secret of the relay")
        ask = lambda host, user: Reader(self.rogues[0].ask(
            ACCOUNTS, frame("AskRelayPassword", text(host) + text(user)), "RelayPassword"))
        with self.unharmed():
            got = ask("relay.example", "janie")
            self.assertEqual((got.take("?"), got.text()), (True, b"a secret of the relay"))
            for host, user in (("relay.example", "joe"), ("other.example", "janie"), ("", ""), ("../relay.example", "janie"),
                               ("relay.example\0", "janie"), ("x" * 500, "y" * 500)):
                got = ask(host, user)
                self.assertEqual((got.take("?"), got.text()), (False, b""), host)

    def test_z_flood(self):
        with self.unharmed():
            self.rogues[0].flood(ACCOUNTS, frame("AskRelayPassword", text("relay.example") + text("janie")) * 500, 100)
            large = listed([struct.pack("<IB?", n, DONE, True) + text("") * 2 for n in range(120_000)])
            self.rogues[1].flood(QUEUE, frame("JobDone", ID + b"\0" + text("") * 2 + b"\0" + large, serial=1), 50)
            for rogue in self.rogues[:2]:
                rogue.end()
            self.assertLess(self.peak_kib("queue"), self.memory_bound_kib(200))
            self.assertLess(self.peak_kib("accounts"), self.memory_bound_kib(400))


class DelivererFrames(WrongFrames, RogueTest):
    role = "smtp-deliver"
    taken = {"smtpd": 0, "pop3d": 0, "deliver": 14}


class StoreDelivererFrames(RogueTest):
    """lmtp-deliver has a pipe to queue alone, and of the dispatcher it gets connections to the store and nothing else.
    There is one process of it, which is started anew after a longer time each time, so a few attacks stand for all."""

    @classmethod
    def setUpClass(cls):
        folder = Path(tempfile.mkdtemp(prefix="rogue-", dir="/var/tmp"))
        folder.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.taken = {"smtpd": 0, "pop3d": 0, "store": folder / "lmtp"}
        super().setUpClass()

    def test_wrong_frames(self):
        to_queue = {"Hosts": WHOLE["Hosts"], "Submit": WHOLE["Submit"], "JobDone cut short": frame("JobDone", WHOLE["JobDone"][12:-1])}
        to_dispatcher = {"Administer": WHOLE["Administer"], "MakeMaildrop": WHOLE["MakeMaildrop"],
                         "a socket of its choice": frame("AskConnection", text("/run/command"))}
        with self.unharmed():
            for what, octets in to_queue.items():
                rogue = self.instance.whole_rogue("lmtp-deliver")
                rogue.send(QUEUE, octets)
                self.assertTrue(rogue.is_dropped(QUEUE), f"{what}: the pipe stayed")
                rogue.end()
            for what, octets in to_dispatcher.items():
                rogue = self.instance.rogue("lmtp-deliver")
                with contextlib.suppress(ConnectionError):  # killed before it could report
                    rogue.send(CONTROL, octets)
                self.assertTrue(rogue.is_gone(), f"{what}: it was not killed")
                rogue.close()


class Notices(RogueTest):
    """UDP: forged, repeated, of a wrong sender, of a wrong kind. Nothing changes."""

    @staticmethod
    def notice(incarnation, counter, key, kind=1, sessions=0, served=0, failures=0, generation=0):
        body = struct.pack("<IQBIQQQ", incarnation, counter, kind, sessions, served, failures, generation)
        return body + hmac.digest(key, body, hashlib.sha256)

    def row(self, name):
        return next(r for r in self.instance.status()["processes"] if r["name"] == name)

    def state(self):
        """What notices could change: who runs. Their counters lag, so of them only: no forged one is shown."""
        rows = self.instance.status()["processes"]
        self.assertFalse([r for r in rows if r["name"][-2:] != ".1" and max(r["sessions"], r["served"]) > 900], "forged counters")
        return {r["name"]: (r["pid"], r["restarts"], r["state"]) for r in rows}

    def ports(self):
        """UDP ports of this instance's processes, by process name."""
        inodes = {}
        for name, pids in self.instance.processes().items():
            for pid in pids:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    for inode in re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}")):
                        inodes[inode] = name
        rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
        found = [(inodes[row[9]], int(row[1].split(":")[1], 16), row[2]) for row in rows if row[9] in inodes]
        dispatchers = {port for _, port, remote in found if remote.endswith(":0000")}
        return dispatchers, {port for _, port, _ in found}

    def quiet(self, attack):
        """The attack changes nothing, and hardly anything is written about it."""
        before, lines = self.state(), len(self.instance.log_text().splitlines())
        with self.unharmed():
            attack()
            self.assertEqual(self.state(), before)
            written = len(self.instance.log_text().splitlines()) - lines
            self.assertLess(written, 50)

    @needs_root
    def test_from_outside(self):
        rogue = self.rogue("smtpd")
        dispatchers, ports = self.ports()
        self.assertEqual(len(dispatchers), 1)
        self.assertGreater(len(ports), 6)
        dice = random.Random(8)
        good = self.notice(rogue.incarnation, 1 << 40, rogue.notice_key, sessions=1000)

        def attack():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for port in ports:
                    for octets in [good[:-32], good[:-1], good + b"\0", b"", b"\0", good[:12], good[:44], good[:-32] + bytes(32),
                                   self.notice(rogue.incarnation, 1 << 41, bytes(32), sessions=1000),
                                   self.notice(0, 1 << 41, rogue.notice_key, 2, generation=9),
                                   self.notice(0, 1 << 41, bytes(32), 2, generation=9),
                                   *(dice.randbytes(dice.randrange(1400)) for _ in range(50)), bytes(60_000)]:
                        s.sendto(octets, ("127.0.0.1", port))
                port = next(iter(dispatchers))
                for n in range(10_000):
                    s.sendto(self.notice(rogue.incarnation, n, b"k" * 32, sessions=1000) if n % 2 else dice.randbytes(85),
                             ("127.0.0.1", port))
            time.sleep(0.2)
        self.quiet(attack)

    def test_from_inside(self):
        """With a real key: what it may say is its own counters."""
        rogue, other = self.rogue("smtpd"), self.rogue("pop3d")
        counter = 1 << 40

        def attack():
            for name in ("accounts", "queue", "pop3d.1"):
                incarnation = int(re.search(rf"event=child-started name={re.escape(name)} pid=\d+ incarnation=(\d+)",
                                            self.instance.log_text())[1])
                rogue.send(NOTICES, self.notice(incarnation, counter, rogue.notice_key, sessions=999_999))
                rogue.send(NOTICES, self.notice(incarnation, counter, rogue.notice_key, 2, generation=7))
            for kind in (0, 2, 3, 77, 255):
                rogue.send(NOTICES, self.notice(rogue.incarnation, counter + kind, rogue.notice_key, kind, 5, 5, 5, 99))
            rogue.send(NOTICES, self.notice(other.incarnation, counter, rogue.notice_key, sessions=999))
            rogue.send(NOTICES, self.notice(0, counter, rogue.notice_key, 2))
            rogue.send(NOTICES, self.notice(rogue.incarnation, counter + 300, rogue.notice_key) + b"\0")
            rogue.flood(NOTICES, random.Random(9).randbytes(85), 10_000)
            time.sleep(0.2)
        self.quiet(attack)

    def test_its_own_counters_are_shown_once(self):
        """A good one is shown; sent again, after a later one, it changes nothing."""
        rogue = self.rogue("smtpd")
        first = self.notice(rogue.incarnation, 1 << 50, rogue.notice_key, sessions=111)
        second = self.notice(rogue.incarnation, (1 << 50) + 1, rogue.notice_key, sessions=222)
        for octets in (first, second):
            rogue.send(NOTICES, octets)
        self.instance.until(lambda: self.row(rogue.name)["sessions"] == 222, 10, "the counters to be shown")
        for _ in range(50):
            rogue.send(NOTICES, first)
        time.sleep(0.2)
        self.assertEqual(self.row(rogue.name)["sessions"], 222)
        self.assert_works()

    def test_a_directory_that_did_not_change_is_not_read(self):
        """The kind that accounts alone may send goes no further; and what is new is seen all the same."""
        rogue = self.rogue("pop3d")
        for n in range(200):
            rogue.send(NOTICES, self.notice(rogue.incarnation, (1 << 45) + n, rogue.notice_key, 2, generation=1 << 40))
        user = self.user()
        self.instance.account_set(user.address, Internet_Addresses=[user.address, "quite.new@post.example"])
        self.instance.until(lambda: self.rcpt_code("quite.new@post.example") == 250, 10, "the new address")
