"""No space on the mailbox directory's disk: 452, nothing lost, and service returns by itself when space does."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from content import digest, random_content, without_trace
from dialogue import Closed
from harness import Pool, SystemTest, needs_root
from instance import Instance


class SmallDisk(SystemTest):
    own = {}

    @classmethod
    @needs_root
    def setUpClass(cls):
        cls.disk = Path(tempfile.mkdtemp(prefix="post.office-disk-", dir="/var/tmp"))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m,mode=755", "none", cls.disk], capture_output=True).returncode:
            cls.disk.rmdir()
            raise unittest.SkipTest("cannot mount here")
        try:
            cls.instance = Instance(Pool.build, users=20, mailbox=cls.disk / "mailbox",
                                    forms={"system-configuration": {"Minimum-Free-Disk-Space": "0"}})
            cls.instance.start()
        except BaseException:
            cls.unmount()
            raise

    @classmethod
    def unmount(cls):
        subprocess.run(["umount", cls.disk], check=True)
        cls.disk.rmdir()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.unmount()

    def leave_free(self, megabytes):
        """Makes the disk so large that this much is free."""
        state = os.statvfs(self.disk)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize
        subprocess.run(["mount", "-o", f"remount,size={used + megabytes * 1_000_000}", self.disk], check=True)

    def send(self, user, content):
        with self.instance.smtp() as smtp:
            reply = smtp.ehlo().cmd("MAIL FROM:<a@elsewhere.example>")
            if reply.code == 250:
                reply = smtp.cmd(f"RCPT TO:<{user.address}>")
            if reply.code == 250:
                reply = smtp.cmd("DATA")
            if reply.code == 354:
                smtp.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                reply = smtp.reply()
            return reply

    def fill(self, user, size):
        """Sends until refused; what was acknowledged, and the refusal."""
        acknowledged = []
        for n in range(3000):
            content = random_content(size, n)
            try:
                reply = self.send(user, content)
            except (Closed, OSError) as e:
                self.fail(f"after {n} messages: {e}")
            if reply.code != 250:
                return acknowledged, reply
            acknowledged.append(digest(content))
        self.fail("the disk did not become full")

    def round(self, size):
        user = self.user()
        self.leave_free(25)
        acknowledged, reply = self.fill(user, size)
        self.assertEqual(reply.code, 452, reply)
        self.assertGreater(len(acknowledged), 0)
        self.assertEqual([digest(without_trace(m)[0]) for m in self.instance.fetch_all(user)], acknowledged,
                         "what was acknowledged can be read while the disk is full")
        self.leave_free(100)
        self.instance.until(lambda: self.send(self.other, b"Subject: room\r\n\r\n").code == 250, 30, "service to return")
        self.assertEqual([digest(without_trace(m)[0]) for m in self.instance.fetch_all(user, delete=True)], acknowledged)
        self.assertRegex(self.instance.log_text(), r"event=no-space|452")
        self.assert_works()

    def setUp(self):
        super().setUp()
        self.other = self.user()

    def test_large_bodies(self):
        self.round(1_500_000)

    def test_small_bodies(self):
        self.round(40_000)

    def test_deletions_make_room(self):
        """On a full disk the users themselves can make room."""
        user = self.user()
        self.leave_free(25)
        self.fill(user, 1_500_000)
        with self.instance.pop3(user) as pop:
            for n in range(1, pop.count() + 1):
                pop.cmd(f"DELE {n}")
            pop.quit()
        self.instance.until(lambda: self.send(self.other, b"Subject: room\r\n\r\n").code == 250, 30, "service to return")

    def test_minimum_free_space(self):
        """Below the setting 452, before anything is full."""
        self.leave_free(100)
        self.instance.form_set("system-configuration", **{"Minimum-Free-Disk-Space": str(1 << 20)})
        try:
            self.instance.until(lambda: self.send(self.other, b"Subject: x\r\n\r\n").code == 452, 15, "452")
        finally:
            self.instance.form_set("system-configuration", **{"Minimum-Free-Disk-Space": "0"})
        self.instance.until(lambda: self.send(self.other, b"Subject: x\r\n\r\n").code == 250, 15, "service to return")
