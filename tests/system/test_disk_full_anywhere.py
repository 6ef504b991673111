"""The disks of mailboxes, spool and log run full at whatever point: mail gets 452, nothing acknowledged is lost or
comes twice, deletions work, commands are refused in whole, and service returns by itself with the space."""
import collections
import os
import random
import re
import threading
import time
import unittest

from accounts import form, scrypt_hash
from content import large_content, mark_of, marked, random_content
from dialogue import Closed, dot_stuffed
from harness import Pool, SystemTest, needs_root
from instance import Instance
from small_disk import Disk

SENDERS, USERS = 6, 4
BROKEN = (Closed, OSError, AssertionError)
# Free octets; with the odd amounts that are added, space ends in another call each time.
STEPS = (0, 9_000, 40_000, 150_000, 400_000, 900_000, 1_400_000, 3_000_000, 6_500_000)
SIZES = (300, 3000, 20_000, 70_000, 300_000, 5_000_000)


class Traffic:
    """Senders until stop(); what they were told."""

    def __init__(self, test, users, seed, sizes=SIZES):
        self.test, self.users, self.seed, self.sizes = test, users, seed, sizes
        self.sent = {}  # mark -> (number of the user, reply code or None)
        self.codes, self.over = collections.Counter(), threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(n,)) for n in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def send(self, number):
        dice, count = random.Random(f"{self.seed}/{number}"), 0
        while not self.over.is_set():
            try:
                with self.test.instance.smtp(limit=60) as smtp:
                    smtp.ehlo()
                    while not self.over.is_set():
                        count += 1
                        self.send_one(smtp, dice, f"{self.seed}.{number}.{count}")
            except BROKEN:
                time.sleep(0.02)

    def send_one(self, smtp, dice, mark):
        to, size = dice.randrange(len(self.users)), dice.choice(self.sizes)
        for line in ("MAIL FROM:<full@elsewhere.example>", f"RCPT TO:<{self.users[to].address}>", "DATA"):
            reply = smtp.cmd(line)
            if reply.code not in (250, 354):
                self.codes[reply.code] += 1
                smtp.cmd("RSET", 250)
                time.sleep(0.01)
                return
        self.sent[mark] = (to, None)
        body = large_content(size, dice.randrange(99)) if size > 100_000 else random_content(size, dice.randrange(99))
        smtp.send(dot_stuffed(marked(mark, body)) + b".\r\n")
        code = smtp.reply().code
        self.sent[mark] = (to, code)
        self.codes[code] += 1

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        return self


class FullDisk(SystemTest):
    own = {}

    @classmethod
    @needs_root
    def setUpClass(cls):
        cls.disks = {}
        for name, megabytes in (("mailbox", 60), ("spool", 40), ("log", 20)):
            cls.disks[name] = Disk.make(megabytes)
            if cls.disks[name] is None:
                cls.unmount()
                raise unittest.SkipTest("cannot mount here")
        try:
            cls.instance = Instance(Pool.build, users=60, **{n: d.path / "data" for n, d in cls.disks.items()},
                                    forms={"system-configuration": {"Minimum-Free-Disk-Space": "0"}})
            cls.instance.start()
        except BaseException:
            cls.unmount()
            raise

    @classmethod
    def unmount(cls):
        for disk in cls.disks.values():
            if disk:
                disk.remove()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.unmount()

    def setUp(self):
        self.disk, self.spool, self.log = (self.disks[n] for n in ("mailbox", "spool", "log"))
        for disk in self.disks.values():
            disk.give_back()
        super().setUp()
        self.users = [self.user() for _ in range(USERS)]

    # ---- often done

    def tell(self, user, body=b"Subject: a word\r\n\r\nyes\r\n"):
        """The code that a message of its own session gets."""
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            for line in ("MAIL FROM:<a@elsewhere.example>", f"RCPT TO:<{user.address}>", "DATA"):
                reply = smtp.cmd(line)
                if reply.code not in (250, 354):
                    return reply.code
            smtp.send(dot_stuffed(body) + b".\r\n")
            return smtp.reply().code

    def works(self, user):
        try:
            return self.tell(user) == 250
        except BROKEN:
            return False

    def marks(self):
        """What is in each mailbox; None for what is not whole."""
        return [collections.Counter(mark_of(m) for m in self.instance.fetch_all(u)) for u in self.users]

    def judge(self, traffic, boxes):
        wrong = []
        for number, box in enumerate(boxes):
            wrong += [f"{mark} in box {number}, {count} times" for mark, count in box.items()
                      if count > 1 or mark not in traffic.sent or traffic.sent[mark][0] != number]
        for mark, (to, code) in traffic.sent.items():
            there = boxes[to][mark]
            if code == 250 and not there:
                wrong.append(f"{mark} was acknowledged and lost")
            if code is not None and code != 250 and there:
                wrong.append(f"{mark} was answered {code} and is there")
        self.assertFalse(wrong, "\n".join(wrong[:20]) + f"\n{dict(traffic.codes)}")

    def empty(self):
        for user in self.users:
            self.instance.fetch_all(user, delete=True)

    def wait_for_service(self):
        self.instance.until(lambda: self.works(self.users[0]), 20, "service to return")
        self.instance.fetch_all(self.users[0])

    # ---- mailboxes

    def test_space_ends_anywhere(self):
        """Mail of all sizes onto a disk with less and less, read and deleted while it is full."""
        seed = random.SystemRandom().randrange(1 << 32)
        dice, refused = random.Random(seed), 0
        for step in STEPS:
            with self.subTest(free=step, seed=seed):
                self.disk.leave(step + dice.randrange(4096) if step else 0)
                traffic = Traffic(self, self.users, f"{seed}-{step}")
                self.instance.until(lambda t=traffic: t.codes[452] >= 5, 60, "452")
                self.judge(traffic.stop(), self.marks())
                self.assertFalse(set(traffic.codes) - {250, 452}, f"only these replies: {dict(traffic.codes)}")
                refused += traffic.codes[452]
                self.empty()  # deletions on a full disk
                self.assertEqual(self.marks(), [collections.Counter()] * USERS)
                self.disk.give_back()
                self.wait_for_service()
                self.empty()
        self.assertGreater(refused, 0)
        self.assert_works()

    def test_another_process_eats_the_disk(self):
        """Space goes and comes back under the suite's feet."""
        seed = random.SystemRandom().randrange(1 << 32)
        dice = random.Random(seed)
        with self.subTest(seed=seed):
            traffic = Traffic(self, self.users, f"{seed}", (300, 3000, 20_000, 70_000, 300_000))
            end = time.monotonic() + 8
            while time.monotonic() < end:
                self.disk.eat(dice.choice((0, 0, 4096, 30_000, 200_000)))
                time.sleep(dice.uniform(0, 0.3))
                self.disk.give_back()
                time.sleep(dice.uniform(0, 0.3))
            self.disk.give_back()
            traffic.stop()
            print(f"     {dict(traffic.codes)}, queue died "
                  f"{len(re.findall(r'event=fatal .*what=store', self.instance.log_text()))} times")
            self.judge(traffic, self.marks())
            self.assertFalse(set(traffic.codes) - {250, 451, 452}, f"only these replies: {dict(traffic.codes)}")
            self.assertGreater(traffic.codes[250], 0)
        self.empty()  # a fast machine has filled the disk with mail by now
        self.wait_for_service()
        self.empty()

    def test_large_body_as_it_is_received(self):
        """Five megabytes onto a disk that has one: 452 after DATA, and nothing of it stays."""
        self.disk.leave(1_000_000)
        self.assertEqual(self.tell(self.users[0], large_content(5_000_000, 1)), 452)
        bodies = self.instance.mailbox / "store" / "bodies"
        self.instance.until(lambda: not os.listdir(bodies), 10, "the file of the body to be gone")
        self.assert_empty(*self.users)
        self.disk.give_back()
        self.wait_for_service()
        self.empty()

    def test_deletions_with_nothing_free(self):
        """DELE and QUIT work while not one block is free, and what they free takes mail again."""
        for n in range(40):
            self.assertEqual(self.tell(self.users[n % USERS], random_content(60_000 + 1000 * n, n)), 250)
        self.disk.eat(0)
        for user in self.users[1:]:
            self.assertEqual(len(self.instance.fetch_all(user, delete=True)), 10)
            self.assert_empty(user)
        self.assertEqual(len(self.instance.fetch_all(self.users[0])), 10)
        self.instance.until(lambda: self.works(self.users[1]), 45, "the room of what was deleted to be used")
        self.disk.give_back()
        self.empty()

    def send_many(self, user, count):
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            for n in range(count):
                smtp.deliver(b"Subject: %d\r\n\r\n.\r\n" % n, to=user.address)

    def test_a_large_mailbox_with_nothing_free(self):
        """The deletion of two thousand messages changes many pages at once."""
        user = self.users[0]
        threads = [threading.Thread(target=self.send_many, args=(user, 200)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.disk.eat(0)
        with self.instance.pop3(user) as pop:
            self.assertEqual(pop.count(), 2000)
            pop.send("".join(f"DELE {n}\r\n" for n in range(1, 2001)))
            for _ in range(2000):
                pop.ok(pop.read_line())
            pop.quit()
        self.assert_empty(user)
        self.disk.give_back()
        self.wait_for_service()
        self.empty()

    def test_start_on_a_full_disk(self):
        """queue starts, serves mailboxes, refuses mail, and takes it when space is back."""
        self.assertEqual(self.tell(self.users[0]), 250)
        self.instance.stop()
        for disk in self.disks.values():
            disk.eat(0)
        self.instance.start()
        self.assertEqual(len(self.instance.fetch_all(self.users[0])), 1)
        self.instance.until(lambda: self.tell(self.users[1], random_content(60_000, 1)) == 452, 20, "452")
        self.assertEqual(len(self.instance.fetch_all(self.users[0], delete=True)), 1)
        self.assert_empty(self.users[0])
        for disk in self.disks.values():
            disk.give_back()
        self.wait_for_service()
        self.empty()

    # ---- spool

    def test_forms_on_a_full_disk(self):
        """Refused with a sentence, or done in whole; nothing in between, and no restart is needed."""
        user, dice = self.user(), random.Random(5)
        before, refused = self.shown(user), 0
        for n, free in enumerate((0, 0, 4096, 8192, 12_288, 16_384, 24_576, 32_768, 65_536, 131_072, 3_000_000)):
            self.spool.leave(free)
            password = f"password {dice.random()}" if n % 2 == 0 else user.password
            fields = {"User's-Real-Name": f"Name {dice.random()}",
                      "Mail-Account-Password": scrypt_hash(password) if n % 2 == 0 else [],
                      "Finger-Information": [f"{n} {dice.random()}" * 3 for n in range(60)]}
            done = self.instance.command("account", "set", user.address, input=form(fields), check=False)
            after = self.shown(user)
            if done.returncode:
                refused += 1
                self.assertRegex(done.stderr, "(?i)space", f"free {free}")
                self.assertEqual(after, before, f"free {free}: refused, and changed")
            else:
                self.assertIn(fields["User's-Real-Name"], after)
                self.assertIn(fields["Finger-Information"][-1], after)
                user.password = password
            before = after
            with self.instance.pop3(user) as pop:  # the password is the one before, or the new one
                pop.quit()
            self.assert_works()
        self.assertGreater(refused, 0)
        self.spool.give_back()
        self.instance.account_set(user.address, **{"User's-Real-Name": "In the end"})
        self.assertIn("In the end", self.shown(user))

    def shown(self, user):
        return self.instance.command("account", "show", user.address).stdout

    def test_import_on_a_full_disk(self):
        """A thousand accounts in one command: all or none."""
        forms = "\n".join(form({"User's-Real-Name": f"Import {n}", "Internet-Addresses": [f"import{n}@post.example"]})
                          for n in range(1000))
        self.spool.leave(100_000)
        done = self.instance.command("account", "add", input=forms, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "(?i)space")
        for n in (0, 500, 999):
            self.assertEqual(self.rcpt_code(f"import{n}@post.example"), 550)
        self.spool.give_back()
        self.instance.command("account", "add", input=forms)
        self.assertEqual(self.rcpt_code("import999@post.example"), 250)

    # ---- log

    def test_log_on_a_full_disk(self):
        """Mail goes on without a log, and the log goes on when it can."""
        self.log.eat(0)
        for _ in range(30):
            self.assertEqual(self.tell(self.users[0]), 250)
        self.assertEqual(len(self.instance.fetch_all(self.users[0], delete=True)), 30)
        self.log.give_back()
        user = self.user()
        self.assertEqual(self.tell(user), 250)
        self.instance.until(lambda: f"to={user.address}" in self.instance.log_text(), 10, "a line in the log")
