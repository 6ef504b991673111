"""Accounts with the system's password, and Debian's saslauthd that knows it: its users stand in files of the test's own,
mounted over the system's for saslauthd alone."""
import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import accounts
from harness import SystemTest, needs_program, needs_root

USER, SYSTEM_PASSWORD = "sasl-trial", "System's own 1"
MOUNT = 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow && exec saslauthd -d -a shadow -m "$1/run" -n 2'


@needs_root
@needs_program("saslauthd", "unshare", "openssl")
class Saslauthd(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="saslauthd-", dir="/var/tmp"))
        cls.folder.chmod(0o755)
        run = cls.folder / "run"
        run.mkdir(mode=0o710)
        shutil.chown(run, 0, "sasl")
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=SYSTEM_PASSWORD, capture_output=True, text=True,
                                check=True).stdout.strip()
        for name, line in (("passwd", f"{USER}:x:54321:54321::/nonexistent:/bin/sh\n"), ("shadow", f"{USER}:{hashed}:19000::::::\n")):
            path = cls.folder / name
            path.write_text(Path("/etc", name).read_text() + line)
            path.chmod(0o600 if name == "shadow" else 0o644)
        cls.daemon = None
        cls.own = {"users": 2, "extra": [f"saslauthd {run}/mux"]}
        super().setUpClass()
        cls.instance.command("account", "add", input=accounts.account_form(
            77, "Our own hash 1", Use_System_Password="yes", System_User_Name=USER))

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.end_daemon()
            shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def start_daemon(cls):
        if cls.daemon is None:
            cls.daemon = subprocess.Popen(["unshare", "--mount", "sh", "-c", MOUNT, "sh", cls.folder],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                          start_new_session=True)  # at its end it ends its whole process group
            deadline = time.monotonic() + 20
            while not (cls.folder / "run" / "mux").exists():
                assert time.monotonic() < deadline and cls.daemon.poll() is None, "saslauthd did not come up"
                time.sleep(0.05)

    @classmethod
    def end_daemon(cls):
        if cls.daemon is not None:
            cls.daemon.terminate()
            cls.daemon.wait(10)
            cls.daemon = None
            with contextlib.suppress(FileNotFoundError):
                (cls.folder / "run" / "mux").unlink()

    def answer(self, login, password, source="127.0.0.1"):
        with self.instance.pop3(source=source) as pop:
            pop.cmd("USER " + login)
            pop.send_line("PASS " + password)
            return pop.read_line()

    def test_the_systems_password_counts_and_no_other(self):
        self.start_daemon()
        self.assertIn(b"+OK", self.answer("user77", SYSTEM_PASSWORD))
        for n, wrong in enumerate(("Our own hash 1", "wrong", SYSTEM_PASSWORD.lower(), SYSTEM_PASSWORD + "x")):
            self.assertIn(b"-ERR", self.answer("user77", wrong, f"127.0.3.{n + 1}"), wrong)
        self.assertIn(b"+OK", self.answer("user1", accounts.PASSWORD), "an account without it has its own")

    def test_an_application_password_works_beside_it(self):
        made = self.instance.command("app-password", "make", "user77", "Phone").stdout.strip()
        self.end_daemon()
        self.assertIn(b"+OK", self.answer("user77", made), "it is not saslauthd's to judge")

    def test_without_saslauthd_it_is_nobodys_wrong_password(self):
        self.end_daemon()
        before = self.instance.log_text().count("event=auth-failed")
        reply = self.answer("user77", SYSTEM_PASSWORD, "127.0.4.1")
        self.assertIn(b"-ERR [SYS/TEMP]", reply)
        self.assertEqual(self.instance.log_text().count("event=auth-failed"), before + 1)
        self.assertIn("event=saslauthd-failed", self.instance.log_text())
        self.start_daemon()
        self.assertIn(b"+OK", self.answer("user77", SYSTEM_PASSWORD, "127.0.4.1"))

    def test_the_dispatcher_kept_the_sockets_group_and_no_other(self):
        sasl = str((self.folder / "run").stat().st_gid)
        for name, pids in self.instance.processes().items():
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pids[0]}/status").read_text().splitlines() if ":\t" in line)
            self.assertEqual(status["Groups"].split(), [sasl], name)
