"""The store in long use: tests/bench/store_churn.cc on a small scale. Sizes only; how long commits take is for a quiet
machine, where the program is run by hand."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import Pool


def scratch():
    """In memory if there is room: what is written here many times over is nothing to keep."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        room = os.statvfs(memory)
        if room.f_bavail * room.f_frsize > 1 << 30:
            return memory
    return None


class StoreInLongUseTest(unittest.TestCase):
    def churn(self, *options):
        with tempfile.TemporaryDirectory(prefix="store-churn-", dir=scratch()) as folder:
            done = subprocess.run([Pool.build / "tests" / "store_churn", folder, *options], capture_output=True,
                                  text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("turnover 20", done.stdout)

    def test_file_stays_near_what_is_live_when_mail_of_all_sizes_goes_at_random(self):
        self.churn("--live", "60", "--turnovers", "20", "--sizes", "mail", "--order", "random", "--most", "1.3")

    def test_file_stays_near_what_is_live_when_mailboxes_are_emptied(self):
        self.churn("--live", "30", "--turnovers", "20", "--sizes", "fixed", "--order", "mailbox", "--most", "1.3")
