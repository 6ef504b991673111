"""queue on a disk whose calls fail by order (tests/power/ordered_faults.cc): what failed was not promised, what was
promised is there once, and service comes back by itself."""
import errno
import mmap
import struct
import threading
import time
import unittest

from content import random_content, without_trace
from dialogue import Closed, dot_stuffed
from harness import Pool, SystemTest
from instance import Instance

TABLES, COMMIT_PAGE, TABLES_SYNC, BODY_FILE, BODY_SYNC, BODY_NAME, NAME_SYNC, UNLINK = range(1, 9)
SMALL, LARGE = 5_000, 90_000
SENDERS = 4


class Orders:
    """The file that queue looks into at each of its calls."""

    def __init__(self, path):
        path.write_bytes(bytes(4096))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)

    def fail(self, step, error, after=0, times=1, made=False):
        """The order takes effect with `times`, which is written last."""
        struct.pack_into("=II", self.memory, 0, step, after)
        struct.pack_into("=III", self.memory, 12, error, made, 0)
        struct.pack_into("=I", self.memory, 8, times)

    def cancel(self):
        struct.pack_into("=I", self.memory, 8, 0)

    def failed(self):
        return struct.unpack_from("=I", self.memory, 20)[0]


class FaultyDisk(SystemTest):
    own = {}

    @classmethod
    def setUpClass(cls):
        faulty = Pool.build / "tests" / "queue_faulty"
        if not faulty.exists():
            raise unittest.SkipTest(f"no {faulty}: make power-tests, of the release build only")
        cls.instance = Instance(Pool.build, users=60, programs={"queue": faulty})
        cls.orders = Orders(cls.instance.program / "queue.faults")

    def setUp(self):
        self.orders.cancel()
        self.instance.stop()
        self.instance.start()  # and with it the back-off begins anew

    def send(self, user, content):
        """The code of the last reply; None if none came."""
        try:
            with self.instance.smtp(limit=60) as smtp:
                for line, wanted in (("MAIL FROM:<a@elsewhere.example>", 250), (f"RCPT TO:<{user.address}>", 250), ("DATA", 354)):
                    if line.startswith("MAIL"):
                        smtp.ehlo()
                    reply = smtp.cmd(line)
                    if reply.code != wanted:
                        return reply.code
                smtp.send(dot_stuffed(content) + b".\r\n")
                return smtp.reply().code
        except (Closed, OSError, AssertionError):
            return None

    def send_until_failed(self, user, size):
        """Several senders at once, until the fault has struck and each has sent something after it; content -> code."""
        codes, lock, numbers = {}, threading.Lock(), iter(range(100_000))
        deadline = time.monotonic() + 60

        def sender():
            more = 3
            while more > 0 and time.monotonic() < deadline:
                if self.orders.failed():
                    more -= 1
                with lock:
                    number = next(numbers)
                content = random_content(size, number + 100_000 * user.number)
                code = self.send(user, content)
                with lock:
                    codes[content] = code
        threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.orders.cancel()
        self.assertGreater(self.orders.failed(), 0, "the fault did not strike")
        return codes

    def wait_for_service(self, user):
        content = b"Subject: back\r\n\r\n.\r\n"
        self.instance.until(lambda: self.send(user, content) == 250, 20, "service to return")

    def check(self, user, codes):
        """All that was acknowledged is there once, nothing twice, nothing in part."""
        def fetched():
            return [without_trace(m)[0] for m in self.instance.fetch_all(user)]
        there = fetched()
        acknowledged = [c for c, code in codes.items() if code == 250]
        self.assertEqual(len(there), len(set(there)), "messages that are there twice")
        self.assertEqual([c for c in acknowledged if c not in there], [], "acknowledged and not there")
        self.assertEqual([c for c in there if c not in codes], [], "there and never sent")
        return set(there) - set(acknowledged)

    def queue_pid(self):
        return self.instance.processes().get("queue")

    def fatal(self, step, size, **order):
        """The fault ends queue, says so in the log, and no promise with it."""
        user, other = self.user(), self.user()
        before, log = self.queue_pid(), len(self.instance.log_text())
        self.orders.fail(step, errno.EIO, **order)
        codes = self.send_until_failed(user, size)
        self.wait_for_service(other)
        self.assertNotEqual(self.queue_pid(), before, "queue went on after an I/O error")
        self.assertRegex(self.instance.log_text()[log:], r"event=fatal what=store", "no line tells why queue ended")
        self.assertNotIn(None, codes.values(), "a connection was lost: smtpd waits for the new queue and then answers")
        unanswered = self.check(user, codes)
        self.assertEqual(unanswered, set(), "refused, and there all the same: the client sends it again, and it is there twice")

    def harmless(self, step, size, **order):
        """No space: 452 for some, and the same queue goes on."""
        user, other = self.user(), self.user()
        before = self.queue_pid()
        self.orders.fail(step, errno.ENOSPC, times=30, **order)  # the first ones the spare space makes up for
        codes = self.send_until_failed(user, size)
        self.wait_for_service(other)
        self.assertEqual(self.queue_pid(), before, "queue ended")
        self.assertIn(452, codes.values())
        self.assertEqual(set(codes.values()) - {250, 452}, set())
        self.assertEqual(self.check(user, codes), set(), "refused, and there all the same")

    def test_tables_cannot_be_written(self):
        self.fatal(TABLES, SMALL, after=20)

    def test_tables_are_written_in_part(self):
        user, other = self.user(), self.user()
        before = self.queue_pid()
        self.orders.fail(TABLES, 0, after=20)
        codes = self.send_until_failed(user, SMALL)
        self.wait_for_service(other)
        self.assertNotEqual(self.queue_pid(), before, "queue went on after half a write")
        self.assertEqual(self.check(user, codes), set())

    def test_tables_cannot_be_synced(self):
        self.fatal(TABLES_SYNC, SMALL, after=10)

    def test_sync_is_done_and_fails(self):
        self.fatal(TABLES_SYNC, SMALL, after=10, made=True)

    def test_commit_page_cannot_be_written(self):
        self.fatal(COMMIT_PAGE, SMALL, after=10)

    def test_commit_page_is_written_and_fails(self):
        self.fatal(COMMIT_PAGE, SMALL, after=10, made=True)

    def test_again_and_again(self):
        """Three in a row: each new queue meets the next."""
        for _ in range(3):
            self.fatal(TABLES_SYNC, SMALL, after=3)

    def test_body_cannot_be_synced(self):
        self.fatal(BODY_SYNC, LARGE, after=3)

    def test_body_cannot_be_named(self):
        self.fatal(BODY_NAME, LARGE, after=3)

    def test_name_cannot_be_synced(self):
        self.fatal(NAME_SYNC, LARGE, after=3)

    def test_body_file_cannot_be_made(self):
        self.fatal(BODY_FILE, LARGE, after=3)

    def test_body_cannot_be_unlinked(self):
        """Costs space until the next start sweeps it, and nothing else."""
        user = self.user()
        before = self.queue_pid()
        self.orders.fail(UNLINK, errno.EIO)
        with self.instance.smtp() as smtp:  # a client that leaves in the middle of its message
            smtp.ehlo().cmd("MAIL FROM:<a@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(dot_stuffed(random_content(LARGE, 1))[:80_000])
        self.instance.until(lambda: self.orders.failed() == 1, 20, "the fault to strike")
        self.assert_works()
        self.assert_empty(user)
        self.assertEqual(self.queue_pid(), before)

    def test_no_space_for_tables(self):
        self.harmless(TABLES, SMALL, after=20)

    def test_no_space_at_sync(self):
        self.harmless(TABLES_SYNC, SMALL, after=10)

    def test_no_space_for_a_file(self):
        self.harmless(BODY_FILE, LARGE, after=3)

    def test_no_space_at_bodys_sync(self):
        self.harmless(BODY_SYNC, LARGE, after=3)

    def test_no_space_for_a_name(self):
        self.harmless(BODY_NAME, LARGE, after=3)
