"""Mail of this host's users into a mail store by LMTP: Debian's Dovecot, and a store that does what none should."""
import contextlib
import email
import imaplib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from harness import Pool, SystemTest, assert_no_crash, needs_root
from instance import Instance, free_ports, service_user
from namespace import View, lacking
from test_unix_delivery import UnixTest

USERS = ("jane", "bob", "a..b")
OWNER = 20001
IMAP = not lacking("dovecot-imapd")
CONFIGURATION = """protocols = lmtp {imap}
listen = 127.0.0.1
base_dir = /run/dovecot
state_dir = /run/dovecot
log_path = /run/dovecot.log
ssl = no
disable_plaintext_auth = no
default_internal_user = keeper
default_internal_group = keeper
default_login_user = keeper
first_valid_uid = 1000
mail_location = maildir:/run/mail/%u/Maildir
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/users
  default_fields = uid={owner} gid={owner} home=/run/mail/%u
}}
service lmtp {{
  unix_listener lmtp {{
    user = mta
    mode = 0600
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class LmtpTest(UnixTest):
    """An instance whose users have their mail in a store at `socket`, which a subclass brings."""

    @classmethod
    def setUpClass(cls):
        service_user()
        cls.folder = Path(tempfile.mkdtemp(prefix="lmtp-", dir="/var/tmp"))
        cls.folder.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.socket = cls.set_up_store()
        cls.instance = Instance(Pool.build, users=60, store=cls.socket)
        cls.addClassCleanup(Pool.discard, cls.instance)
        cls.addClassCleanup(cls.stop)
        cls.instance.start()

    def setUp(self):
        SystemTest.setUp(self)

    def until_gone(self, user):
        self.instance.until(lambda: not self.waiting(user), 120, f"mail for {user.address} to leave the queue")

    def until_retried(self, user):
        """Asked again and again: the hop is spared for a while after each failure."""
        def gone():
            self.retry(user)
            return not self.waiting(user)
        self.instance.until(gone, 120, f"mail for {user.address} to leave the queue")

    def deliverer(self):
        """Its pid; 0 while there is none."""
        return self.instance.processes().get("lmtp-deliver", [0])[0]


@needs_root
@unittest.skipIf(lacking("dovecot-lmtpd"), lacking("dovecot-lmtpd"))
class DovecotStore(LmtpTest):
    @classmethod
    def set_up_store(cls):
        cls.dovecot = None
        cls.port, = free_ports(1)
        peers = ["dovecot-lmtpd", *(["dovecot-imapd"] if IMAP else [])]
        cls.view = View(cls.folder / "view", peers, {
            "dovecot/dovecot.conf": CONFIGURATION.format(imap="imap" if IMAP else "", owner=OWNER, port=cls.port),
            "dovecot/users": "".join(f"{name}:{{PLAIN}}readers::::::\n" for name in USERS)})
        cls.run_folder = cls.view.place("/run")
        (cls.run_folder / "mail").mkdir()
        os.chown(cls.run_folder / "mail", OWNER, OWNER)
        (cls.run_folder / "dovecot").mkdir()
        cls.log = cls.run_folder / "dovecot.log"
        cls.addClassCleanup(cls.end_store)
        cls.start_store()
        return cls.run_folder / "dovecot" / "lmtp"

    @classmethod
    def start_store(cls):
        cls.dovecot = subprocess.Popen(cls.view.command("/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf"),
                                       stdin=subprocess.DEVNULL, start_new_session=True)

        def serves():
            assert cls.dovecot.poll() is None, cls.log.read_text() if cls.log.exists() else "Dovecot did not start"
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
                s.connect(str(cls.run_folder / "dovecot" / "lmtp"))
                return s.recv(100).startswith(b"220 ")
            return False
        Instance.until(cls.Silent, serves, 60, "Dovecot to serve LMTP")

    class Silent:
        """For Instance.until, when there is no instance yet."""
        @staticmethod
        def tail():
            return ""

    @classmethod
    def end_store(cls):
        if cls.dovecot:
            cls.dovecot.terminate()
            cls.dovecot.wait(60)
            cls.dovecot = None

    def setUp(self):
        super().setUp()
        if self.dovecot is None:
            self.start_store()
        for name in USERS:
            shutil.rmtree(self.run_folder / "mail" / name, ignore_errors=True)

    def texts(self, login="jane"):
        """The messages that Dovecot has for a user, in no order."""
        folder = self.run_folder / "mail" / login / "Maildir"
        return [path.read_bytes() for place in ("new", "cur") for path in sorted((folder / place).glob("*"))]

    def messages(self, login="jane"):
        return [email.message_from_bytes(text) for text in self.texts(login)]

    # ---- tests

    def test_what_arrives_is_what_was_sent(self):
        user = self.unix_user()
        content = "Subject: whole\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n\r\n.dot\r\nFrom here\r\n".encode()
        self.send(user, content)
        self.until_there(1)
        message = self.messages()[0]
        self.assertEqual(message.get_all("Return-Path"), ["<someone@elsewhere.example>"])
        self.assertEqual(message.get_all("Delivered-To"), ["jane"])
        self.assertEqual(message.get_all("X-Original-To"), [user.address])
        self.assertTrue(self.texts()[0].replace(b"\r\n", b"\n").endswith(content.replace(b"\r\n", b"\n")))
        self.until_gone(user)
        self.send(user, b"Subject: notice\r\n\r\nx\r\n", sender="")
        self.until_there(2)
        self.assertIn(["<>"], [m.get_all("Return-Path") for m in self.messages()])

    def test_an_internationalised_sender(self):
        user = self.unix_user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<jän@elsewhere.example> SMTPUTF8", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send("Subject: Grüße\r\n\r\nx\r\n.\r\n".encode())
            smtp.expect(smtp.reply(), 250)
            smtp.quit()
        self.until_there(1)
        self.assertIn("Subject: Grüße".encode(), self.texts()[0])

    @unittest.skipUnless(IMAP, lacking("dovecot-imapd"))
    def test_it_is_read_by_imap(self):
        user = self.unix_user()
        content = b"Subject: by IMAP\r\n\r\n.dot\r\nFrom here\r\n"
        self.send(user, content)
        self.until_there(1)
        imap = imaplib.IMAP4("127.0.0.1", self.port)
        imap.login("jane", "readers")
        imap.select("INBOX")
        text = imap.fetch(b"1", "(BODY[])")[1][0][1]
        imap.logout()
        self.assertTrue(text.endswith(content), text)
        self.assertIn(b"X-Original-To: " + user.address.encode(), text)

    def test_many_at_once_each_once(self):
        jane, bob, each = self.unix_user(), self.unix_user("bob"), 40
        def send(user, name):
            for i in range(each):
                self.send(user, b"Subject: %s%d\r\n\r\nx\r\n" % (name, i))
        senders = [threading.Thread(target=send, args=(user, name)) for user in (jane, bob) for name in (b"a", b"b")]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        expected = sorted(f"{name}{i}" for name in "ab" for i in range(each))
        for user, login in ((jane, "jane"), (bob, "bob")):
            self.until_gone(user)
            self.assertEqual(sorted(m["subject"] for m in self.messages(login)), expected)

    def test_large_message(self):
        user = self.unix_user()
        body = b"".join(b".%07d from a to z, and so on until the line is long enough\r\n" % i for i in range(90_000))
        self.send(user, b"Subject: large\r\n\r\n" + body)
        self.until_there(1)
        self.assertTrue(self.texts()[0].replace(b"\r\n", b"\n").endswith(b"Subject: large\n\n" + body.replace(b"\r\n", b"\n")))

    def test_both_ways_at_once(self):
        user = self.unix_user(POP3_Delivery="yes")
        self.send(user)
        self.until_there(1)
        self.assertIn(b"Subject: hi", self.only_message(user))

    def test_a_login_that_is_no_local_part(self):
        user = self.unix_user("a..b")
        self.send(user)
        self.until_there(1, "a..b")

    def test_user_unknown_is_returned(self):
        sender, user = self.user(), self.unix_user("nobody-there")
        self.send(user, sender=sender.address)
        self.until_gone(user)
        self.instance.until(lambda: self.instance.fetch_all(sender), 60, "the notice")
        notice = self.only_message(sender)
        self.assertIn(b"Action: failed", notice)
        self.assertIn(b"Status: 5.1.1", notice)
        self.assertIn(b"nobody-there", notice)
        self.assertIn(b"550 5.1.1", notice)

    def test_success_is_told_as_a_delivery(self):
        sender, user = self.user(), self.unix_user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd(f"MAIL FROM:<{sender.address}>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}> NOTIFY=SUCCESS", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"Subject: told\r\n\r\nx\r\n.\r\n")
            smtp.expect(smtp.reply(), 250)
            smtp.quit()
        self.instance.until(lambda: self.instance.fetch_all(sender), 60, "the notice")
        self.assertIn(b"Action: delivered", self.only_message(sender))

    def test_while_it_is_down_mail_waits(self):
        users = [self.unix_user(), self.unix_user("bob")]
        self.end_store()
        self.send(users[0])
        self.until_said(users[0], "the mail store does not answer")
        for _ in range(3):
            self.send(users[1])
        self.assertEqual([row["attempts"] for row in self.waiting(users[1])], [0] * 3)
        self.start_store()
        for user in users:
            self.until_retried(user)
        self.until_there(1)
        self.until_there(3, "bob")

    def test_a_killed_deliverer_loses_nothing(self):
        user, total, killed = self.unix_user(), 60, set()
        for i in range(total):
            self.send(user, b"Subject: m%d\r\n\r\nx\r\n" % i)
            if i % 15 == 7:
                self.instance.until(self.deliverer, 60, "lmtp-deliver to run again")
                killed.add(self.deliverer())
                self.instance.signal(self.deliverer(), signal.SIGKILL)
        self.until_gone(user)
        self.assertEqual(len(killed), 4)
        self.assertEqual({m["subject"] for m in self.messages()}, {f"m{i}" for i in range(total)})

    def test_check_says_what_is_wrong_and_what_mends_it(self):
        def said():
            return self.instance.command("check", check=False).stdout
        self.assertIn(f"ok     {self.socket} takes mail for this host's users", said())
        owner = self.socket.stat().st_uid
        os.chown(self.socket, 0, 0)
        text = said()
        self.assertIn(f"WRONG  {self.socket} cannot be written by user mta", text)
        self.assertIn(f"service lmtp {{\n           unix_listener {self.socket} {{\n             user = mta\n", text)
        os.chown(self.socket, owner, -1)
        self.socket.parent.chmod(0o700)
        self.assertIn(f"WRONG  {self.socket.parent} cannot be entered by user mta", said())
        self.socket.parent.chmod(0o755)
        self.end_store()
        self.socket.unlink(missing_ok=True)
        self.assertIn(f"WRONG  {self.socket} is not there", said())
        self.socket.write_text("")
        self.assertIn(f"WRONG  {self.socket} is no socket", said())
        self.socket.unlink()
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(self.socket))
        self.assertIn(f"WRONG  {self.socket} cannot be written by user mta", said())
        self.socket.chmod(0o666)
        self.assertIn(f"WRONG  nobody listens at {self.socket}", said())
        self.socket.unlink()


class FaultyStore:
    """Speaks LMTP; `faults` are what it does at a step in the next connections: octets to be said in place of the reply,
    then, if `close`, the end of the connection. Keeps the messages that it took to their end."""
    HONEST = {"connect": b"220 store\r\n", "LHLO": b"250-store\r\n250-PIPELINING\r\n250 8BITMIME\r\n", "DATA": b"354 go\r\n"}

    def __init__(self, path):
        self.faults, self.taken = [], []  # of faults: (step, octets, whether it closes then)
        self.clients = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o666)
        self.listener.listen(10)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.clients.append(client)
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError, EOFError), client, client.makefile("rb") as lines:
            self.answer(client, "connect")
            for line in lines:
                step = line.split()[0].decode()
                if step == "QUIT":
                    return
                if self.answer(client, step) and step == "DATA":
                    self.taken.append(self.message(lines))
                    self.answer(client, "end")

    @staticmethod
    def message(lines):
        text = b""
        for line in lines:
            if line == b".\r\n":
                return text
            text += line
        raise EOFError

    def answer(self, client, step):
        """Whether it was the honest one."""
        if not self.faults or self.faults[0][0] != step:
            client.sendall(self.HONEST.get(step, b"250 2.0.0 yes\r\n"))
            return True
        _, octets, close = self.faults.pop(0)
        client.sendall(octets)
        if close:
            raise EOFError
        return False

    def hang_up(self):
        """On all that wait for the next message."""
        while self.clients:
            with contextlib.suppress(OSError):
                self.clients.pop().shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@needs_root
class FaultyStores(LmtpTest):
    """Whatever it does, mail is never lost, and never returned for what can be mended."""

    @classmethod
    def set_up_store(cls):
        path = cls.folder / "lmtp"
        cls.store = FaultyStore(path)
        cls.addClassCleanup(cls.store.close)
        return path

    def go_through(self, *faults):
        """Sent once; how often the store had it when queue was content."""
        user = self.unix_user()
        sender = self.user()
        self.store.hang_up()
        self.store.faults, self.store.taken = list(faults), []
        self.send(user, b"Subject: faults\r\n\r\nx\r\n", sender=sender.address)
        self.until_retried(user)
        self.assertEqual(self.store.faults, [], "faults that were not met")
        self.assert_empty(sender)
        self.assertTrue(all(text.endswith(b"Subject: faults\r\n\r\nx\r\n") for text in self.store.taken))
        return len(self.store.taken)

    def test_before_the_end_it_is_given_again_and_there_once(self):
        for fault in (("connect", b"", True), ("connect", b"554 5.3.2 nobody\r\n", True), ("connect", b"hello\r\n", True),
                      ("LHLO", b"500 5.5.1 this is SMTP\r\n", False), ("LHLO", b"250-store\r\n", True), ("MAIL", b"", True),
                      ("MAIL", b"451 4.3.0 later\r\n", False), ("RCPT", b"451 4.2.1 later\r\n", False), ("RCPT", b"421 4.3.2 bye\r\n", True),
                      ("DATA", b"451 4.3.0 later\r\n", False), ("DATA", b"250 2.0.0 what\r\n", True)):
            with self.subTest(fault):
                self.assertEqual(self.go_through(fault), 1)

    def test_after_the_end_without_an_answer_it_may_be_there_twice(self):
        for fault in (("end", b"", True), ("end", b"25", True), ("end", b"354 more\r\n", True), ("end", b"421 4.3.2 bye\r\n", True),
                      ("end", b"\0\0\0\r\n", False)):
            with self.subTest(fault):
                self.assertEqual(self.go_through(fault), 2)

    def test_one_answer_too_many_is_about_nobody(self):
        self.assertEqual(self.go_through(("end", b"250 2.0.0 yes\r\n250 2.0.0 and\r\n", False)), 1)
        self.assertEqual(self.go_through(("end", b"250 2.0.0 yes\r\n550 5.1.1 no\r\n", False)), 1)
        self.assertEqual(self.go_through(), 1)
