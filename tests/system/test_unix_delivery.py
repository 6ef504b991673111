"""Mail into the mail drops of this host's users: unix-deliver, and maildrop, which makes those that are not there."""
import fcntl
import json
import mailbox
import os
import signal
import stat
import threading
import time

import accounts
from harness import Pool, SystemTest, assert_no_crash, needs_program, needs_root
from instance import Instance
from unix_host import USERS, UnixHost


class UnixTest(SystemTest):
    """An instance on a host of its own."""
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.host = UnixHost(Pool.build, **cls.options)
        cls.addClassCleanup(cls.host.close)
        cls.instance = Instance(Pool.build, users=60, unix=cls.host)
        cls.addClassCleanup(Pool.discard, cls.instance)
        cls.addClassCleanup(cls.stop)
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        pass

    @classmethod
    def stop(cls):
        cls.instance.stop()
        assert_no_crash(cls.instance)

    def setUp(self):
        super().setUp()
        self.host.write_users(USERS)
        for name in self.host.names():
            os.unlink(self.host.drops / name)

    # ---- what is asked

    def unix_user(self, login="jane", **changes):
        return self.user(**{"UNIX_Delivery": "yes", "UNIX_Login_Name": login, "POP3_Delivery": "no", **changes})

    def send(self, user, content=b"Subject: hi\r\n\r\nbody\r\n", sender="someone@elsewhere.example"):
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, sender=sender, to=user.address)
            smtp.quit()

    def drop(self, login="jane"):
        path = self.host.drops / login
        return path.read_bytes() if path.exists() else b""

    def messages(self, login="jane"):
        """As a mail program reads them."""
        if not (self.host.drops / login).exists():
            return []
        box = mailbox.mbox(str(self.host.drops / login), create=False)
        try:
            return list(box)
        finally:
            box.close()

    def until_there(self, count=1, login="jane"):
        self.instance.until(lambda: len(self.messages(login)) >= count, 60, f"{count} messages in the mail drop of {login}")
        self.assertEqual(len(self.messages(login)), count)

    def waiting(self, user):
        lines = self.instance.command("queue", "list", "--recipient", user.address, "--json", check=False).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def until_said(self, user, words):
        def said():
            return any(words in json.dumps(row) for row in self.waiting(user))
        self.instance.until(said, 90, f"{words!r} to be said of mail for {user.address}")

    def retry(self, user):
        self.instance.command("queue", "retry", "--recipient", user.address, check=False)


@needs_root
@needs_program("unshare", "nsenter", "setpriv")
class UnixDelivery(UnixTest):
    def test_a_drop_is_made_and_mail_is_appended(self):
        user = self.unix_user()
        self.send(user, b"Subject: one\r\n\r\nFrom here\r\n.dots\r\nend\r\n")
        self.until_there(1)
        st = os.lstat(self.host.drops / "jane")
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (20001, self.host.mail, 0o660))
        text = self.drop()
        first, rest = text.split(b"\n", 1)
        self.assertRegex(first, rb"^From someone@elsewhere\.example  [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$")
        self.assertTrue(rest.startswith(b"Return-Path: <someone@elsewhere.example>\nDelivered-To: " + user.address.encode() + b"\nReceived: "))
        self.assertIn(b"\n\n>From here\n.dots\nend\n\n", rest)
        self.assertNotIn(b"\r", text)
        self.send(user, b"Subject: two\r\n\r\nx\r\n", sender="")
        self.until_there(2)
        self.assertEqual([m["subject"] for m in self.messages()], ["one", "two"])
        self.assertEqual(self.messages()[1].get_from().split()[0], "MAILER-DAEMON")
        self.assertEqual(self.host.names(), ["jane"])

    def test_large_message(self):
        user = self.unix_user()
        body = b"".join(b"%06d from a to z, and so on until the line is long enough\r\n" % i for i in range(20_000))
        self.send(user, b"Subject: large\r\n\r\n" + body)
        self.until_there(1)
        self.assertTrue(self.drop().endswith(b"Subject: large\n\n" + body.replace(b"\r\n", b"\n") + b"\n"))

    def test_both_ways_at_once(self):
        user = self.unix_user(POP3_Delivery="yes")
        self.send(user)
        self.until_there(1)
        self.assertIn(b"Subject: hi", self.only_message(user))

    def test_the_user_switches_and_old_mail_stays(self):
        user = self.unix_user(POP3_Delivery="yes", UNIX_Delivery="no")
        self.send(user, b"Subject: old\r\n\r\nx\r\n")
        self.only_message(user)
        self.instance.account_set(user.address, UNIX_Delivery="yes", POP3_Delivery="no")
        self.send(user, b"Subject: new\r\n\r\nx\r\n")
        self.until_there(1)
        self.assertEqual(self.messages()[0]["subject"], "new")
        self.instance.account_set(user.address, UNIX_Delivery="no", POP3_Delivery="yes")
        self.assertIn(b"Subject: old", self.only_message(user))
        self.assertEqual(len(self.messages()), 1)

    def test_only_with_a_login_name_that_a_postmaster_gave(self):
        user = self.user()
        done = self.instance.command("account", "set", user.address, input=accounts.form({"UNIX-Delivery": "yes"}), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("a Postmaster has to give UNIX-Login-Name", done.stderr)
        for name in ("../root", "a b", "x" * 33, "-rf", ".x"):
            done = self.instance.command("account", "set", user.address, input=accounts.form({"UNIX-Login-Name": name}), check=False)
            self.assertNotEqual(done.returncode, 0, name)

    def test_several_recipients_and_others(self):
        jane, bob, pop = self.unix_user(), self.unix_user("bob"), self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            for user in (jane, bob, pop):
                smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"Subject: all\r\n\r\nall\r\n.\r\n")
            smtp.expect(smtp.reply(), 250)
            smtp.quit()
        self.only_message(pop)
        self.until_there(1)
        self.until_there(1, "bob")
        self.assertEqual(self.messages("bob")[0]["delivered-to"], bob.address)

    def test_two_addresses_of_one_account_are_one_message(self):
        user = self.unix_user()
        self.instance.account_set(user.address, Internet_Addresses=[user.address, f"second.{user.address}"])
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            for address in (user.address, f"second.{user.address}"):
                smtp.cmd(f"RCPT TO:<{address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"Subject: once\r\n\r\nonce\r\n.\r\n")
            smtp.expect(smtp.reply(), 250)
            smtp.quit()
        self.until_there(1)
        self.instance.until(lambda: not self.waiting(user), 60, "the queue to be empty")
        self.assertEqual(len(self.messages()), 1)

    def test_many_at_once_for_a_user_whose_drop_is_not_there(self):
        user = self.unix_user()
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            for i in range(30):
                smtp.deliver(b"Subject: n%d\r\n\r\nx\r\n" % i, to=user.address)
            smtp.quit()
        self.until_there(30)

    def test_a_locked_drop_is_one_users_matter(self):
        jane, bob = self.unix_user(), self.unix_user("bob")
        self.send(jane)
        self.until_there(1)
        (self.host.drops / "jane.lock").write_text("1\n")
        for _ in range(40):
            self.send(jane)
        self.send(bob)
        self.until_there(1, "bob")
        (self.host.drops / "jane.lock").unlink()
        self.retry(jane)
        self.until_there(41)

    def test_dsn_says_delivered(self):
        sender, user = self.user(), self.unix_user()
        with self.instance.submission(sender) as smtp:
            smtp.cmd(f"MAIL FROM:<{sender.address}>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}> NOTIFY=SUCCESS", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"From: <%s>\r\nSubject: tell me\r\n\r\nx\r\n.\r\n" % sender.address.encode())
            smtp.expect(smtp.reply(), 250)
            smtp.quit()
        self.until_there(1)
        self.instance.until(lambda: self.instance.fetch_all(sender), 60, "the notice")
        self.assertIn(b"\r\nAction: delivered\r\n", self.only_message(sender))

    def test_no_such_user_waits(self):
        user = self.unix_user("later")
        self.send(user)
        self.until_said(user, "this host has no user later")
        self.assertEqual(self.host.names(), [])
        self.host.write_users({**USERS, "later": 20009})
        self.retry(user)
        self.until_there(1, "later")
        self.assertEqual(self.waiting(user), [])

    def test_root_gets_no_drop(self):
        user = self.unix_user("root")
        self.send(user)
        self.until_said(user, "this host has no user root who may have a mail drop")
        self.assertEqual(self.host.names(), [])
        self.instance.command("queue", "remove", "--discard", "--recipient", user.address)

    def test_a_link_is_not_followed(self):
        user = self.unix_user()
        target = self.host.folder / "target"
        target.write_text("")
        os.chown(target, 0, self.host.mail)
        target.chmod(0o660)
        os.symlink(target, self.host.drops / "jane")
        self.send(user)
        self.until_said(user, "the mail drop of jane cannot be opened")
        self.assertEqual(target.read_text(), "")
        os.unlink(self.host.drops / "jane")
        self.retry(user)
        self.until_there(1)

    def test_others_locks(self):
        user = self.unix_user()
        self.send(user)
        self.until_there(1)
        lock = self.host.drops / "jane.lock"
        lock.write_text("1\n")
        self.send(user)
        time.sleep(1.5)
        self.assertEqual(len(self.messages()), 1)
        lock.unlink()
        self.until_there(2)
        with open(self.host.drops / "jane", "r+b") as held:
            fcntl.lockf(held, fcntl.LOCK_EX)
            self.send(user)
            time.sleep(1.5)
            self.assertEqual(self.drop().count(b"\nSubject: hi\n"), 2)
        self.until_there(3)

    def test_a_mail_program_takes_mail_out_while_it_arrives(self):
        """Python's mailbox locks as Debian's programs do: what is taken out and what is left is everything, once."""
        user, total = self.unix_user(), 150
        taken, ended = [], threading.Event()

        def take():
            while not ended.is_set():
                if not (self.host.drops / "jane").exists():
                    continue
                box = mailbox.mbox(str(self.host.drops / "jane"), create=False)
                try:
                    box.lock()
                except mailbox.ExternalClashError:
                    box.close()
                    continue
                try:
                    taken.extend(message["subject"] for message in box)
                    box.clear()
                    with open(self.host.drops / "jane", "r+b") as file:  # in place: the file stays the one that is locked
                        file.truncate(0)
                finally:
                    box.unlock()
                    box._pending = False
                    box.close()
                time.sleep(0.02)
        reader = threading.Thread(target=take)
        reader.start()
        try:
            for i in range(total):
                self.send(user, b"Subject: m%d\r\n\r\nbody %d\r\n" % (i, i))
            self.instance.until(lambda: not self.waiting(user), 120, "all mail to leave the queue")
        finally:
            ended.set()
            reader.join()
        self.assertEqual(sorted(taken + [m["subject"] for m in self.messages()]), sorted(f"m{i}" for i in range(total)))

    def test_killed_at_any_moment_each_message_is_there_once(self):
        user, total = self.unix_user(), 60
        self.send(user, b"Subject: before\r\n\r\nx\r\n")
        self.until_there(1)
        body = b"a line of some length, so that writing it takes its time\r\n" * 20_000
        stop = threading.Event()

        def killer():
            delay = 0.003
            while not stop.is_set():
                for pid in self.instance.processes().get("unix-deliver", []):
                    time.sleep(delay)
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                delay = delay * 1.3 if delay < 0.2 else 0.003
                time.sleep(0.3)
        thread = threading.Thread(target=killer)
        thread.start()
        try:
            for i in range(total):
                self.send(user, b"Subject: k%d\r\n\r\n" % i + (body if i % 3 == 0 else b"short\r\n"))
            time.sleep(5)
        finally:
            stop.set()
            thread.join()
        self.instance.wait_all_up()
        deadline = time.monotonic() + 180
        while self.waiting(user) and time.monotonic() < deadline:
            self.retry(user)
            time.sleep(0.5)
        subjects = [m["subject"] for m in self.messages()]
        self.assertEqual(sorted(subjects), sorted(["before", *(f"k{i}" for i in range(total))]))
        for message in self.messages():
            if message["subject"].startswith("k") and int(message["subject"][1:]) % 3 == 0:
                self.assertEqual(len(message.get_payload()), len(body.replace(b"\r\n", b"\n")))

    def test_route_and_status_tell(self):
        user = self.unix_user()
        said = self.instance.command("route", user.address).stdout
        self.assertIn("it goes into the mail drop of the host's user jane", said)
        self.assertIn("into the mail drop of account", said)
        self.assertIn("UNIX-Deliver: unix-deliver, 1 process, up", self.instance.command("form", "show", "system-information").stdout)

    def test_it_has_group_mail_and_nothing_of_roots(self):
        for name, pids in self.instance.processes().items():
            for pid in pids:
                status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
                self.assertEqual(status["Groups"].split(), [str(self.host.mail)], name)
                self.assertEqual(int(status["CapPrm"], 16) | int(status["CapEff"], 16), 0, name)
                self.assertEqual(int(status["CapBnd"], 16), 1, name)  # CAP_CHOWN, for maildrop
                self.assertEqual(status["NoNewPrivs"], "0" if name == "dispatcher" else "1", name)


@needs_root
@needs_program("unshare", "nsenter", "setpriv")
class SmallDisk(UnixTest):
    """Mail drops on a disk that is full soon."""
    options = {"options": "size=1m"}

    def test_a_full_disk_lets_mail_wait(self):
        user = self.unix_user()
        self.send(user)
        self.until_there(1)
        before = self.drop()
        self.send(user, b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 20_000)
        self.until_said(user, "No space left on device")
        self.assertEqual(self.drop(), before)
        self.assertEqual(self.host.names(), ["jane"])
        self.send(user, b"Subject: small\r\n\r\nx\r\n")
        self.until_there(2)
        self.instance.command("queue", "remove", "--discard", "--recipient", user.address)



@needs_root
class Off(SystemTest):
    own = {"users": 3}

    def test_without_the_process_mail_waits_and_says_why(self):
        user = self.user(UNIX_Delivery="yes", UNIX_Login_Name="jane", POP3_Delivery="no")
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: x\r\n\r\nx\r\n", to=user.address)
            smtp.quit()
        self.instance.until(lambda: "unix-deliver on" in self.instance.command("queue", "list", "--json").stdout, 120,
                            "the queue to say what is missing")
        self.instance.account_set(user.address, UNIX_Delivery="no", POP3_Delivery="yes")
        self.instance.command("queue", "retry", "--all")
        self.instance.until(lambda: self.instance.fetch_all(user), 120, "it to come into the mailbox")
        self.assertIn(b"Subject: x", self.only_message(user))
