"""A wwwd that was taken over sends whatever frames it likes: nothing changes without a valid token, and with a user's
token only what that user may change. accounts, queue and story are the real ones."""
import random
import struct
import unittest

import accounts
from harness import Pool, SystemTest, assert_no_crash
from instance import POSTMASTER_PASSWORD, sanitized
from rogue import ACCOUNTS, DENIED, NOT_FROM, QUEUE, STORY, TYPES, Dropped, Reader, RogueInstance, authenticate, frame
from test_rogue import MALFORMED, WHOLE
from web_frames import (CHECK, FORGED, GOOD, NOBODY, NOT_ALLOWED, Caller, ask_history, carry_out, command,
                        list_accounts, log_in, logged_in, look, of_form, of_subject, order, plain, submit_form)

USAGE, NOT_FOR_YOU = 64, 77
OWN = "individual-account-information"
MINE, OTHER = 2, 3  # numbers of user1 and user2
# What accounts answers each with, and what it would do: for a user whose account is MINE, None where he may.
READS = {
    "a form of the system": (of_form("WebShowForm", "system-security", 0), "WebForm"),
    "another's Account Data": (of_form("WebShowForm", "account-data", OTHER), "WebForm"),
    "another's own form": (of_form("WebShowForm", OWN, OTHER), "WebForm"),
    "a form that there is not": (of_form("WebShowForm", "invented", 0), "WebForm"),
    "history of the system": (ask_history("system-security", 0), "WebHistory"),
    "another's history": (ask_history(OWN, OTHER), "WebHistory"),
    "the list of accounts": (list_accounts(), "WebAccounts"),
    "another's sign-ins": (of_subject("WebAskAccess", OTHER), "WebAccess"),
    "status": (plain("WebAskStatus"), "WebStatus"),
    "an order that looks": (order("queue", "list"), "WebOrder"),
    "another's story": (order("trace", "--json", "user2@post.example"), "WebOrder"),
    "another's mailbox": (order("mailbox", "user2@post.example", "--json"), "WebOrder"),
    "a check of a form": (submit_form("system-security", 0, CHECK, Web_Idle_Limit=["9"]), "WebDone"),
}
CHANGES = {
    "a form of the system": (submit_form("system-security", 0, Web_Idle_Limit=["9"]), "WebDone"),
    "another's Account Data": (submit_form("account-data", OTHER, Account_Locked=["yes"]), "WebDone"),
    "another's own form": (submit_form(OWN, OTHER, Finger_Information=["changed"]), "WebDone"),
    "the Postmaster's account": (submit_form("account-data", 1, Forwarding_Addresses=["user1@post.example"]), "WebDone"),
    "a new account": (submit_form("account-data", 0, **{"User's-Real-Name": ["New"],
                                                        "Internet_Addresses": ["new@post.example"]}), "WebDone"),
    "an undo": (of_form("WebUndo", "system-security", 0, 1), "WebDone"),
    "a removal": (of_subject("WebRemove", OTHER, b"\0" + struct.pack("<I", 0)), "WebDone"),
    "another's application password": (of_subject("WebMakePassword", OTHER, struct.pack("<I", 1) + b"x"), "WebDone"),
    "a revocation": (of_subject("WebRevokePassword", OTHER, struct.pack("<I", 1)), "WebDone"),
    "an order that changes": (order("queue", "remove", "--all", "--discard"), "WebOrder"),
    "an order to stop": (order("stop"), "WebOrder"),
}
COMMANDS = {
    "account list": command("account", "list"), "account lock": command("account", "lock", "user2"),
    "export": command("export", "--passwords"), "stop": command("stop"), "none": command(),
    "import": command("import", "--yes", input=accounts.account_form(999, "Sur+Fer!").encode()),
    "relay-password": command("relay-password", "set", "a.example", "b", input=b"secret\n"),
    "app-password": command("app-password", "make", "1", "x"),
}


class WebFrames(SystemTest):
    @classmethod
    def setUpClass(cls):
        if sanitized(Pool.build):
            raise unittest.SkipTest("release build only")
        cls.instance = RogueInstance(Pool.build, smtpd=0, pop3d=0, wwwd=2, users=20)
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        try:
            status = cls.instance.stop()
            assert status == 0, f"the dispatcher ended with {status} when told to stop"
            assert_no_crash(cls.instance)
        finally:
            Pool.discard(cls.instance)

    def setUp(self):
        super().setUp()
        self.rogue = self.instance.whole_rogue("wwwd")
        self.addCleanup(self.rogue.close)

    def everything(self):
        """All that could have been changed: forms, accounts, relay and application passwords."""
        said = [self.instance.command(*words).stdout for words in (
            ("export",), ("relay-password", "list"), ("app-password", "list", "1"), ("app-password", "list", "user2"))]
        return [line for text in said for line in text.splitlines() if not line.startswith("#")]  # when it was made

    def user(self):
        return logged_in(self.rogue, "user1", accounts.PASSWORD)

    def postmaster(self):
        return logged_in(self.rogue, "Postmaster", POSTMASTER_PASSWORD)

    def standing(self, make, answer, caller):
        return self.rogue.ask(ACCOUNTS, make(caller), answer)[0]

    def exit_code(self, target, octets):
        r = Reader(self.rogue.ask(target, octets, "CommandOutput"))
        r.text(), r.text()
        end, code = r.take("?B")
        self.assertTrue(end)
        return code

    def assert_all(self, caller, standing):
        for what, (make, answer) in (READS | {f"change of {k}": v for k, v in CHANGES.items()}).items():
            self.assertEqual(self.standing(make, answer, caller), standing, what)
        for what, make in COMMANDS.items():
            self.assertEqual(self.exit_code(ACCOUNTS, make(caller)), NOT_FOR_YOU, what)


class WithoutToken(WebFrames):
    def test_nothing_is_told_or_changed_without_a_token(self):
        before = self.everything()
        user = self.user()
        wrong = [b"", b"A" * 43, user.token[:-1], user.token + b"A", user.token[:-1] + b"!", user.seal, bytes(43),
                 b"\xff" * 400, bytes(reversed(user.token))]
        for token in wrong:
            self.assert_all(Caller(token, user.seal), NOBODY)
        self.assertEqual(look(self.rogue, user).standing, GOOD)
        self.assertEqual(self.everything(), before)

    def test_a_token_is_good_from_its_own_address_alone(self):
        postmaster = self.postmaster()
        self.assert_all(Caller(postmaster.token, postmaster.seal, (192, 0, 2, 2)), NOBODY)
        self.assertEqual(look(self.rogue, postmaster).standing, GOOD)

    def test_a_token_that_was_logged_out_is_no_good(self):
        postmaster = self.postmaster()
        self.assertEqual(self.standing(plain("WebLogOut"), "WebDone", postmaster), GOOD)
        self.assert_all(postmaster, NOBODY)

    def test_guessing_passwords_is_slowed_down_and_other_processes_passwords_are_not_asked(self):
        self.assertEqual(log_in(self.rogue, "user3", "wrong one", (10, 1, 1, 1))[0], DENIED)
        self.rogue.send(ACCOUNTS, authenticate("user3", accounts.PASSWORD))
        self.assertTrue(self.rogue.is_dropped(ACCOUNTS))


class WithAUsersToken(WebFrames):
    def test_a_user_reads_and_changes_nothing_but_his_own(self):
        before = self.everything()
        self.assert_all(self.user(), NOT_ALLOWED)
        self.assertEqual(self.everything(), before)

    def test_of_his_own_form_what_the_form_lets_him_change(self):
        user = self.user()
        shown = Reader(self.rogue.ask(ACCOUNTS, of_form("WebShowForm", OWN, MINE)(user), "WebForm"))
        self.assertEqual(shown.take("BB"), (GOOD, 0))
        shown.text()
        revision = shown.take("Q")
        for field in ("Account_Locked", "Send_From_Any_Address", "Internet_Addresses", "Use_System_Password",
                      "Maximum_POP3_Mailbox_Size", "General_Access_Restrictions", "Account_Number", "Invented"):
            payload = self.rogue.ask(ACCOUNTS, submit_form(OWN, MINE, revision=revision, **{field: ["1"]})(user), "WebDone")
            self.assertEqual(payload[:2], bytes([GOOD, 2]), field)
        payload = self.rogue.ask(ACCOUNTS, submit_form(OWN, MINE, revision=revision, Finger_Information=["mine"])(user), "WebDone")
        self.assertEqual(payload[:2], bytes([GOOD, 0]))
        self.assertIn("mine", self.instance.command("account", "show", "user1").stdout)

    def test_without_the_seal_nothing_changes_whoever_asks(self):
        before = self.everything()
        postmaster = self.postmaster()
        for seal in (b"", b"A" * 43, postmaster.token, postmaster.seal[:-1], self.user().seal):
            for what, (make, answer) in CHANGES.items():
                wanted = NOT_ALLOWED if what == "an order to stop" else FORGED
                self.assertEqual(self.standing(make, answer, Caller(postmaster.token, seal)), wanted, what)
            for what in ("account lock", "import", "relay-password", "app-password"):
                self.assertEqual(self.exit_code(ACCOUNTS, COMMANDS[what](Caller(postmaster.token, seal))), NOT_FOR_YOU, what)
        self.assertEqual(self.everything(), before)

    def test_what_is_locked_is_out_at_once(self):
        user = logged_in(self.rogue, "user4", accounts.PASSWORD)
        self.instance.command("account", "lock", "user4")
        self.assertEqual(look(self.rogue, user).standing, NOBODY)
        self.instance.command("account", "unlock", "user4")
        self.assertEqual(look(self.rogue, user).standing, NOBODY, "the session is over, not asleep")

    def test_the_web_limit_holds_whatever_wwwd_says(self):
        user = logged_in(self.rogue, "user5", accounts.PASSWORD)
        self.instance.form_set("system-security", **{"Limit-Configuration-via-Web-Forms": ["10.9.0.0"]})
        self.addCleanup(self.instance.form_set, "system-security", **{"Limit-Configuration-via-Web-Forms": []})
        self.assertEqual(look(self.rogue, user).standing, NOBODY)
        self.assertEqual(log_in(self.rogue, "user5", accounts.PASSWORD)[0], NOT_FROM)
        self.assertEqual(look(self.rogue, logged_in(self.rogue, "user5", accounts.PASSWORD, (10, 9, 1, 1))).standing, GOOD)


class Orders(WebFrames):
    def sealed(self, caller, *words):
        r = Reader(self.rogue.ask(ACCOUNTS, order(*words)(caller), "WebOrder"))
        self.assertEqual(r.take("B"), GOOD)
        return r.text()

    def test_an_order_is_good_once_and_as_it_stands(self):
        sealed = self.sealed(self.postmaster(), "queue", "status", "--json")
        for at in range(0, len(sealed), 7):
            altered = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:]
            self.assertEqual(self.exit_code(QUEUE, carry_out(altered)), NOT_FOR_YOU)
        for wrong in (b"", b"x" * 200, sealed[:-1], sealed + b"\0", bytes(len(sealed))):
            self.assertEqual(self.exit_code(QUEUE, carry_out(wrong)), NOT_FOR_YOU)
        self.assertEqual(self.exit_code(QUEUE, carry_out(sealed)), 0)
        self.assertEqual(self.exit_code(QUEUE, carry_out(sealed)), NOT_FOR_YOU)
        self.assertEqual(self.exit_code(STORY, carry_out(sealed)), USAGE, "story has no commands of queue")


class Garbage(WebFrames):
    def test_other_roles_frames_drop_it_and_harm_nobody(self):
        before, pids = self.everything(), self.owners()
        for name in ("Authenticate", "AskRelayPassword", "Administer", "Command", "Submit", "OpenMailbox", "JobDone"):
            self.rogue.send(ACCOUNTS, WHOLE[name])
            self.assertTrue(self.rogue.is_dropped(ACCOUNTS), name)
            self.renew()
        for name, octets, descriptors in MALFORMED[::3]:
            self.rogue.send(ACCOUNTS, octets, descriptors)
            self.assertTrue(self.rogue.is_dropped(ACCOUNTS), name)
            self.renew()
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.owners(), pids)

    def owners(self):
        found = self.instance.processes()
        return {name: found[name] for name in ("dispatcher", "accounts", "queue", "story")}

    def renew(self):
        self.rogue.end()
        self.rogue = self.instance.whole_rogue("wwwd")
        self.addCleanup(self.rogue.close)

    def test_frames_that_were_altered_at_random(self):
        """Cut, with octets changed, of other types, with a real token and seal among them. Most are good enough to be
        looked at, for all behind one that drops the sender is lost; each who is dropped is started anew, later each time."""
        before, pids = self.everything(), self.owners()
        rng = random.Random(11)
        sent = answered = dropped = 0
        user = self.user()
        makes = [m for m, _ in (READS | CHANGES).values()] + list(COMMANDS.values())
        while dropped < 6:
            whole = rng.choice(makes)(rng.choice([user, Caller(rng.randbytes(43)), Caller(user.token)]))
            kind, payload = struct.unpack("<H", whole[4:6])[0], bytearray(whole[12:])
            alteration = rng.randrange(20)
            if alteration < 9:
                payload[rng.randrange(len(payload))] = rng.randrange(256)
            elif alteration == 9:
                kind = rng.choice(list(TYPES.values()))
            elif alteration == 10:
                del payload[rng.randrange(len(payload)):]
            sent += self.rogue.send(ACCOUNTS, frame(kind, bytes(payload))) > 0
            try:
                while self.rogue.receive_soon(ACCOUNTS, 30):
                    answered += 1
            except Dropped:
                dropped += 1
                self.renew()
                user = self.user()
        self.assertGreater(sent, 2 * dropped)
        self.assertGreater(answered, dropped)
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.owners(), pids)

    def test_input_without_end_is_bounded(self):
        postmaster = self.postmaster()
        for serial in range(100, 170):
            octets = command("import", input=b"x", more=True)(postmaster)
            self.rogue.send(ACCOUNTS, octets[:8] + struct.pack("<I", serial) + octets[12:])
        self.assertTrue(self.rogue.is_dropped(ACCOUNTS))
        self.renew()
        self.assertEqual(look(self.rogue, postmaster).standing, GOOD)
