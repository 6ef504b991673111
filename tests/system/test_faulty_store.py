"""The real servers on a store that fails at random (build/tests/queue_faulty_store in the place of queue): it is
unavailable, or ends the process without telling whether it did what was asked. What 250 acknowledged is in each
mailbox exactly once, what got 4xx is not there, what +OK deleted is gone."""
import collections
import random
import re
import signal
import threading
import time
import unittest

from content import marked, mark_of, random_content
from dialogue import Closed, Pop3, Smtp, dot_stuffed
from harness import Pool, SystemTest
from instance import Instance

SENDERS, USERS, ROUNDS, SECONDS = 20, 8, 2, 5.0
UNAVAILABLE, UNKNOWN = 0.05, 0.003  # of a call; the back-off leaves time between the deaths
BROKEN = (Closed, OSError, AssertionError)  # what a client sees when an answer is refused or does not come


class Attempt:
    """A message on one way through DATA: acknowledged, refused, or unanswered (None)."""

    def __init__(self, recipients):
        self.recipients, self.acknowledged = recipients, None


class Box:
    """What is known of one mailbox, by UIDL."""

    def __init__(self):
        self.marks = {}  # of all that was read
        self.deleted, self.left = set(), set()
        self.doubtful = set()  # of a QUIT that was not answered +OK: gone all, or none
        self.wrong = []

    def settle(self, there):
        """There is a listing again, which tells what the QUIT before it did."""
        if self.doubtful & there and not self.doubtful <= there:
            self.wrong.append(f"a QUIT deleted some of what was marked: {len(self.doubtful & there)} of {len(self.doubtful)} left")
        self.deleted |= self.doubtful - there
        self.doubtful = set()
        if self.deleted & there:
            self.wrong.append(f"deleted, and there again: {sorted(self.deleted & there)}")


class Round:
    def __init__(self, instance, users, seed):
        self.instance, self.users, self.seed = instance, users, seed
        self.attempts, self.over = {}, threading.Event()
        self.boxes = [Box() for _ in range(USERS)]
        self.permanent, self.quits = [], collections.Counter()

    def run(self):
        threads = [threading.Thread(target=self.send, args=(n,)) for n in range(SENDERS)]
        threads += [threading.Thread(target=self.delete, args=(n,)) for n in range(USERS)]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS)
        self.over.set()
        for thread in threads:
            thread.join()

    # ---- senders: a message is tried, under a new mark each time, until it is acknowledged

    def send(self, number):
        dice = random.Random(f"{self.seed}/{number}")
        count = tries = 0
        done = True
        while not self.over.is_set():
            try:
                with Smtp(self.instance.ports["smtp"], limit=40) as smtp:
                    smtp.ehlo()
                    while not self.over.is_set():
                        count, tries = (count + 1, 1) if done else (count, tries + 1)
                        done = False
                        done = self.send_one(smtp, dice, f"{self.seed}.{number}.{count}.{tries}")
            except BROKEN:
                time.sleep(0.02)

    def send_one(self, smtp, dice, mark):
        recipients = dice.sample(range(USERS), dice.choice((1, 1, 1, 2, 4)))
        content = dot_stuffed(marked(mark, random_content(dice.choice((300, 2000, 9000, 70_000)), dice.randrange(1 << 30))))
        smtp.send("MAIL FROM:<faulty@elsewhere.example>\r\n"
                  + "".join(f"RCPT TO:<{self.users[n].address}>\r\n" for n in recipients) + "DATA\r\n")
        replies = [smtp.reply() for _ in range(len(recipients) + 2)]
        if replies[0].code == 250:  # else RCPT and DATA come out of turn
            self.permanent += [reply for reply in replies if reply.code >= 500]
        taken = [n for n, reply in zip(recipients, replies[1:]) if reply.code == 250]
        if replies[-1].code != 354:
            smtp.cmd("RSET", 250)
            return False
        attempt = self.attempts[mark] = Attempt(taken)
        smtp.send(content + b".\r\n")
        reply = smtp.reply()
        if reply.code >= 500:
            self.permanent.append(reply)
        if "does not answer" not in reply.text:  # after half a minute without a store nobody knows
            attempt.acknowledged = reply.code == 250
        return reply.code == 250

    # ---- mailboxes: session after session reads, and deletes some of what it has read

    def delete(self, number):
        dice, box = random.Random(f"{self.seed}/delete/{number}"), self.boxes[number]
        while not self.over.is_set():
            try:
                with self.session(number) as pop:
                    there = pop.uidl()
                    box.settle(set(there.values()))
                    chosen = {uid: n for n, uid in there.items() if dice.random() < 0.5 and self.read(pop, n, uid, box)}
                    for n in chosen.values():
                        pop.cmd(f"DELE {n}")
                    box.doubtful = set(chosen)
                    pop.quit()
                    box.deleted |= box.doubtful
                    self.quits["+OK"] += 1
                    box.doubtful = set()
            except BROKEN:
                self.quits["not +OK"] += bool(box.doubtful)
            time.sleep(0.05)

    def session(self, number):
        user = self.users[number]
        return Pop3(self.instance.ports["pop3"], limit=40).login(user.login, user.password)

    @staticmethod
    def read(pop, n, uid, box):
        """Whether the message can be read now; what it is goes into the box."""
        try:
            box.marks[uid] = mark_of(pop.retr(n))
        except AssertionError:  # -ERR
            return False
        return True

    def read_all(self):
        """Without faults: what is in the mailboxes in the end."""
        for number, box in enumerate(self.boxes):
            with self.session(number) as pop:
                there = pop.uidl()
                box.settle(set(there.values()))
                box.left = set(there.values())
                for n, uid in there.items():
                    box.marks[uid] = mark_of(pop.retr(n))
                pop.quit()

    # ---- judgement

    def judge(self):
        """Sentences about what is wrong."""
        wrong = [f"a permanent reply: {reply}" for reply in self.permanent]
        where = collections.defaultdict(collections.Counter)
        for number, box in enumerate(self.boxes):
            wrong += [f"user {number}: {what}" for what in box.wrong]
            for uid in box.left | box.deleted:
                where[box.marks[uid]][number] += 1
        wrong += [f"{mark} is damaged or was never sent" for mark in where if mark not in self.attempts]
        for mark, attempt in self.attempts.items():
            wrong += self.judge_one(mark, attempt, where[mark])
        return wrong

    @staticmethod
    def judge_one(mark, attempt, found):
        to = set(attempt.recipients)
        if set(found) - to or any(count > 1 for count in found.values()):
            return [f"{mark} to {sorted(to)} was found more than once, or elsewhere: {dict(found)}"]
        if attempt.acknowledged and set(found) != to:
            return [f"{mark} was acknowledged and lost: to {sorted(to)}, found in {sorted(found)}"]
        if attempt.acknowledged is False and found:
            return [f"{mark} was refused and is in {sorted(found)}"]
        if found and set(found) != to:
            return [f"{mark} is in some mailboxes only: to {sorted(to)}, found in {sorted(found)}"]
        return []

    def answers(self):
        return collections.Counter(attempt.acknowledged for attempt in self.attempts.values())


class FaultyStore(SystemTest):
    own = {}

    @classmethod
    def setUpClass(cls):
        program = Pool.build / "tests" / "queue_faulty_store"
        if not program.exists():
            raise unittest.SkipTest(f"no {program}: make unit-tests")
        cls.instance = Instance(Pool.build, users=ROUNDS * USERS, programs={"queue": program})

    def setUp(self):
        pass  # started below, once with faults and once without in each round

    def faults(self, seed, unavailable=UNAVAILABLE, unknown=UNKNOWN):
        (self.instance.mailbox / "faults").write_text(f"{seed} {unavailable} {unknown}\n")

    def test_nothing_lost_nothing_twice(self):
        total, quits, wrong = collections.Counter(), collections.Counter(), []
        for number in range(ROUNDS):
            seed = random.SystemRandom().randrange(1 << 32)
            this = Round(self.instance, [self.instance.take_user() for _ in range(USERS)], seed)
            self.faults(0, 0, 0)
            self.instance.start()
            self.faults(seed)
            self.instance.signal(self.instance.processes()["queue"][0], signal.SIGKILL)
            this.run()
            self.instance.stop()
            self.faults(0, 0, 0)
            self.instance.start()  # and with it the back-off begins anew
            this.read_all()
            self.instance.stop()
            total += this.answers()
            quits += this.quits
            wrong += [f"seed {seed}: {what}" for what in this.judge()]
        deaths = len(re.findall(r"event=fatal .*fault: unknown", self.instance.log_text()))
        shown = f"acknowledged {total[True]}, refused {total[False]}, unanswered {total[None]}, QUIT {dict(quits)}, deaths {deaths}"
        print(f"     {shown}")
        self.assertFalse(wrong, f"{shown}\n" + "\n".join(wrong[:40]))
        # Else nothing was shown.
        self.assertGreater(min(total[True], total[False], deaths, quits["+OK"]), 0, shown)
