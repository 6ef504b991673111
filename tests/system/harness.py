"""What the test files share: the base class, shared instances, and the runner that prints one line for each test."""
import contextlib
import os
import re
import shutil
import time
import traceback
import unittest

from content import without_trace
from instance import Instance


def assert_no_crash(instance):
    """No process died by itself, and no sanitizer had to say anything, whatever else the tests saw."""
    lines = [line for line in (instance.log_text() + instance.output_text()).splitlines()
             if re.search(r"event=child-died .*signal=(?!9\b)|event=panic|Sanitizer|runtime error:", line)]
    assert not lines, "processes died or were reported by a sanitizer:\n" + "\n".join(lines[:40])


class Pool:
    """The instance that most tests share, made when the first one asks for it."""
    build = None
    keep = False
    shared = None
    others = []  # what else the tests of several files share; close() ends it
    ended_before = []  # tests that found their instance not running

    @classmethod
    def common(cls):
        if cls.shared is None:
            cls.shared = Instance(cls.build).start()
        return cls.shared

    @classmethod
    def close(cls):
        while cls.others:
            cls.others.pop().close()
        if cls.shared is not None:
            instance, cls.shared = cls.shared, None
            try:
                status = instance.stop()
                assert status == 0, f"the dispatcher ended with {status} when told to stop"
                assert_no_crash(instance)
            finally:
                cls.discard(instance)

    @classmethod
    def discard(cls, instance):
        if cls.keep:
            print(f"     kept: {instance.base}")
        else:
            instance.remove()


class SystemTest(unittest.TestCase):
    """A test against the shared instance. A class that needs its own sets `own = {options of Instance}`."""
    own = None
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        if cls.own is None:
            cls.instance = Pool.common()
        else:
            cls.instance = Instance(Pool.build, **cls.own)
            cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        if cls.own is not None:
            try:
                cls.instance.stop()
                assert_no_crash(cls.instance)
            finally:
                Pool.discard(cls.instance)

    def setUp(self):
        if self.instance.process is None or self.instance.process.poll() is not None:
            # Whoever ended it, the tests after it are still worth running; that it ended is a failure all the same.
            Pool.ended_before.append(self.id())
            self.instance.start_again()

    # ---- often asked

    def user(self, **changes):
        """A fresh account; with arguments, some of its fields changed."""
        user = self.instance.take_user()
        if changes:
            self.instance.account_set(user.address, **changes)
        return user

    def only_message(self, user):
        messages = self.instance.fetch_all(user)
        self.assertEqual(len(messages), 1, f"messages in the mailbox of {user.address}")
        return messages[0]

    def assert_arrived(self, user, content):
        """The one message of this mailbox is `content`, octet for octet."""
        got, _ = without_trace(self.only_message(user))
        self.assertEqual(len(got), len(content), "octets fetched")
        self.assertTrue(got == content, "the same number of octets, but not the same ones")

    def assert_empty(self, *users):
        for user in users:
            with self.instance.pop3(user) as pop:
                self.assertEqual(pop.count(), 0, f"messages in the mailbox of {user.address}")
                pop.quit()

    def rcpt_code(self, address):
        """What a stranger hears for this recipient, in a session of its own (refusals count against a session)."""
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            return smtp.cmd(f"RCPT TO:<{address}>").code

    def assert_works(self):
        """Mail still goes in and comes out."""
        user = self.user()
        content = b"Subject: still here\r\n\r\n.\r\nyes\r\n"
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, to=user.address)
            smtp.quit()
        self.assert_arrived(user, content)


def needs_root(function):
    return unittest.skipUnless(os.geteuid() == 0, "needs root")(function)


def needs_program(*names):
    """Skips, with the reason, where a client from Debian is not installed."""
    missing = [n for n in names if not shutil.which(n, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")]
    return unittest.skipIf(missing, "not installed: " + " ".join(missing))


class OneLineResult(unittest.TestResult):
    """ok|FAIL|skip, seconds, file.test - what the test says it shows; evidence below a failure."""

    def __init__(self, verbose=False):
        super().__init__()
        self.passed = 0
        self.verbose = verbose
        self.started = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def line(self, verdict, test, note=""):
        seconds = time.monotonic() - self.started
        name = test.id() if isinstance(test, unittest.TestCase) else str(test)
        print(f"{verdict:4} {seconds:6.2f}s {name.replace('test_', '', 1)}{note}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.line("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("skip", test, f" ({reason})")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.evidence(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.evidence(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.evidence(subtest, err)

    def evidence(self, test, err):
        self.line("FAIL", test)
        text = "".join(traceback.format_exception(*err))
        instance = getattr(test, "instance", None) or getattr(getattr(test, "test_case", None), "instance", None)
        if instance is not None and "--- log" not in text:
            with contextlib.suppress(OSError):
                text += "\n" + instance.tail()
        print("     | " + text.rstrip().replace("\n", "\n     | "), flush=True)

    def summary(self):
        failed = len(self.failures) + len(self.errors)
        return f"{self.passed} passed, {failed} failed, {len(self.skipped)} skipped"

    def good(self):
        return not self.failures and not self.errors


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item
