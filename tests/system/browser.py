"""The browser of the web tests: Chromium, worked by the walks in tests/browser through Node.js. One for a whole run, for
it is slow to start; each walk has cookies and pages of its own. What cannot be had is a skip with its reason."""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from harness import Pool
from instance import ROOT, sanitized

WALKS = ROOT / "tests" / "browser"
MODULES = ROOT / "build" / "test" / "browser" / "node_modules"
SCREENSHOTS = ROOT / "build" / "test" / "screenshots"
SILENT_SECONDS = 120  # that a walk may take for one thing that it shows


def why_not():
    """Why there can be no walk here, or None."""
    missing = [n for n in ("node", "chromium") if not shutil.which(n)]
    if missing:
        return "not installed: " + " ".join(missing)
    if not (MODULES / "playwright-core").is_dir() or not (MODULES / "axe-core").is_dir():
        return "tests/browser/fetch has not been run, or could not fetch"
    if sanitized(Pool.build):
        return "the browser walks on the release build"
    return None


class Browser:
    """browser.walk(...) runs one walk and returns what it said: a list of (good, text)."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="post.office-browser-")
        environment = {**os.environ, "NODE_PATH": str(MODULES), "HOME": self.home, "TMPDIR": self.home,
                       "XDG_CONFIG_HOME": self.home, "XDG_CACHE_HOME": self.home}
        self.errors = open(os.path.join(self.home, "errors"), "w+", errors="backslashreplace")
        self.process = subprocess.Popen(
            ["node", str(WALKS / "run.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env=environment, start_new_session=True)
        self.rest = b""

    @classmethod
    def common(cls):
        """The one of this run, which Pool ends."""
        for other in Pool.others:
            if isinstance(other, cls) and other.process.poll() is None:
                return other
        Pool.others.append(cls())
        return Pool.others[-1]

    def walk(self, file, name, config, answers):
        """answers: what the walk may ask -> a function of its words that returns something JSON has."""
        self.tell({"file": file, "walk": name, "config": {**config, "screenshots": str(SCREENSHOTS)}})
        said = []
        while True:
            line = self.line(time.monotonic() + SILENT_SECONDS)
            if line is None:
                self.kill()
                said.append((False, f"the walk did not end\n{self.error_text()}"))
                return said
            verdict, _, text = line.partition(" ")
            if verdict == "end":
                return said
            if verdict == "ask":
                self.tell(self.answer(json.loads(text), answers))
            else:
                said.append((verdict == "ok", text))

    @staticmethod
    def answer(question, answers):
        try:
            return {"value": answers[question["what"]](*question["words"])}
        except (AssertionError, OSError, KeyError, ValueError) as e:
            return {"error": f"{type(e).__name__}: {e}"}

    def tell(self, value):
        try:
            self.process.stdin.write(json.dumps(value).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # line() will see the end

    def line(self, deadline):
        """The next line of standard output; None at its end or when the time is up."""
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                return None
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode(errors="backslashreplace")

    def error_text(self):
        self.errors.flush()
        return Path(self.errors.name).read_text(errors="backslashreplace")[-2000:]

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process.stdout.close()
        self.errors.close()
        shutil.rmtree(self.home, ignore_errors=True)


class WalkTest:
    """Mixed into a test class: self.walk("name") runs that walk of the class's `file` and fails for what it found."""
    file = None
    script = True

    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason:
            raise unittest.SkipTest(reason)
        super().setUpClass()

    def config(self):
        """What the walk is told beside its name: at least {"url": ...}."""
        raise NotImplementedError

    def answers(self):
        return {}

    def walk(self, name, **more):
        said = Browser.common().walk(self.file, name, {"script": self.script, **self.config(), **more}, self.answers())
        wrong = [text for good, text in said if not good]
        self.assertFalse(wrong, "\n".join(wrong))
        self.assertTrue(said, f"the walk {name} showed nothing")
        return [text for _, text in said]
