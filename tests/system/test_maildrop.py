"""maildrop, the one program with the setuid bit: a test for each threat that its source lists, named after its letter."""
import os
import re
import resource
import stat
import subprocess
import time
import unittest
from pathlib import Path

from harness import Pool, needs_program, needs_root
from unix_host import UnixHost

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "maildrop-setuid" / "maildrop.cc"
MADE, NO_USER, NOT_NOW, REFUSED = 0, 67, 75, 77


@needs_root
@needs_program("unshare", "nsenter", "setpriv")
class Maildrop(unittest.TestCase):
    def host(self, **options):
        host = UnixHost(Pool.build, **options)
        self.addCleanup(host.close)
        return host

    def assert_drop(self, host, name, uid):
        st = os.lstat(host.drops / name)
        self.assertTrue(stat.S_ISREG(st.st_mode))
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode), st.st_size, st.st_nlink), (uid, host.mail, 0o660, 0, 1))

    def test_it_makes_an_empty_drop_of_the_users(self):
        host = self.host()
        self.assertEqual(host.maildrop("jane"), MADE)
        self.assert_drop(host, "jane", 20001)
        self.assertEqual(host.names(), ["jane"])

    def test_it_is_small_and_of_libc_alone(self):
        self.assertLess(len(SOURCE.read_text().splitlines()), 200)
        self.assertEqual([p.name for p in SOURCE.parent.iterdir()], ["maildrop.cc"])
        needed = subprocess.run(["readelf", "-d", Pool.build / "bin" / "maildrop"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(re.findall(r"NEEDED.*\[(.*)\]", needed), ["libc.so.6"])

    def test_every_threat_has_a_line_and_a_test(self):
        text = SOURCE.read_text()
        listed = re.findall(r"^//  ([A-Z])  ", text, re.M)
        answered = set(re.findall(r"// ([A-Z])(?:$|: )", text.split("#include", 1)[1], re.M)) | {"A"}
        self.assertEqual(listed, sorted(answered))
        tested = sorted(name[5].upper() for name in dir(self) if re.match(r"test_[a-z]_", name))
        self.assertEqual(tested, listed)

    def test_a_somebody_else_calls_it(self):
        host = self.host()
        self.assertEqual(host.maildrop("bob"), MADE)  # it can be reached
        os.unlink(host.drops / "bob")
        for who in ((65534, 65534), (20001, 20001), (20001, host.mail)):
            done = subprocess.run([*host.as_user(*who), host.program, "jane"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 126, done.stderr)
            self.assertIn("Permission denied", done.stderr)
        self.assertEqual(host.names(), [])
        # Without its bit it has no rights, and says that it is not as it must be.
        host.program.chmod(0o510)
        self.assertEqual(host.maildrop("jane"), REFUSED)
        self.assertEqual(host.names(), [])

    def test_b_a_name_that_leads_elsewhere(self):
        host = self.host()
        for name in ("", ".", "..", "../jane", "../../tmp/jane", "/etc/passwd", "a/b", "jane/", ".jane", "-jane", "--help", "jane.", "x" * 33,
                     "jane bob", "jane\n", "jane\t", "j\xe4ne", "jane:x", "jane;id", "$HOME", "*", "jane.lock", ".lock"):
            with self.subTest(name=name):
                self.assertIn(host.maildrop(name), (NO_USER,) if name == "jane." else (REFUSED,))
        self.assertEqual(host.maildrop(), REFUSED)
        self.assertEqual(host.maildrop("jane", "bob"), REFUSED)
        self.assertEqual(host.names(), [])

    def test_c_a_link_or_a_file_that_is_there(self):
        host = self.host()
        target = host.folder / "target"
        os.symlink(target, host.drops / "jane")
        self.assertEqual(host.maildrop("jane"), NOT_NOW)
        self.assertFalse(target.exists())
        target.write_text("secret")
        self.assertEqual(host.maildrop("jane"), NOT_NOW)
        self.assertEqual((target.read_text(), target.stat().st_uid), ("secret", 0))
        os.unlink(host.drops / "jane")
        for make in (lambda p: p.write_text("mail"), lambda p: p.mkdir(), lambda p: os.mkfifo(p)):
            make(host.drops / "bob")
            before = os.lstat(host.drops / "bob")
            self.assertEqual(host.maildrop("bob"), NOT_NOW)
            after = os.lstat(host.drops / "bob")
            self.assertEqual((before.st_ino, before.st_uid, before.st_mode, before.st_size), (after.st_ino, after.st_uid, after.st_mode, after.st_size))
            os.rmdir(host.drops / "bob") if stat.S_ISDIR(after.st_mode) else os.unlink(host.drops / "bob")

    def test_d_a_directory_that_others_may_change(self):
        host = self.host()
        directory = host.drops
        for mode, uid, gid in ((0o2777, 0, host.mail), (0o3777, 0, host.mail), (0o2775, 20002, host.mail), (0o2775, 0, 0)):
            with self.subTest(mode=oct(mode), uid=uid, gid=gid):
                os.chown(directory, uid, gid)
                directory.chmod(mode)
                self.assertEqual(host.maildrop("jane"), REFUSED)
                self.assertEqual(host.names(), [])
        # The directory itself may be no link, wherever it leads.
        linked = self.host(more="""mount -t tmpfs -o mode=755 none /var
mkdir /var/other && chgrp mail /var/other && chmod 2775 /var/other && ln -s /var/other /var/mail""")
        self.assertEqual(linked.maildrop("jane"), REFUSED)
        self.assertEqual(os.listdir(f"{linked.root}/var/other"), [])

    def test_e_root_and_users_of_the_system(self):
        host = self.host()
        for name in ("root", "toor", "mta", "daemon", "mail", "nobody", "low", "high", "nosuchuser", "JANE"):
            with self.subTest(name=name):
                self.assertEqual(host.maildrop(name), NO_USER)
        self.assertEqual(host.names(), [])
        self.assertEqual(host.maildrop("Jane"), MADE)  # who is called so
        self.assert_drop(host, "Jane", 20003)

    def test_f_the_callers_descriptors_environment_and_limits(self):
        host = self.host()
        mine = host.folder / "mine"
        mine.write_text("mine")

        def strange():
            os.umask(0)
            fd = os.open(mine, os.O_RDWR)
            for number in (0, 1, 2, 9):
                os.dup2(fd, number)

        environment = ["LD_PRELOAD=/nowhere.so", "LD_AUDIT=/nowhere.so", f"MALLOC_TRACE={mine}", "GCONV_PATH=/tmp", f"HOSTALIASES={mine}",
                       "TZ=/etc/shadow", "LOCPATH=/tmp", "LANG=xx_XX", "NIS_PATH=x", "RES_OPTIONS=debug"]
        done = subprocess.run([*host.as_mta("env", "-i", *environment), host.program, "jane"], preexec_fn=strange, timeout=60, close_fds=False)
        self.assertEqual(done.returncode, MADE)
        self.assert_drop(host, "jane", 20001)
        self.assertEqual(mine.read_text(), "mine")
        # Without standard descriptors nothing of its own may become one of them.
        closed = subprocess.run([*host.as_mta(), "sh", "-c", 'exec "$0" bob <&- >&- 2>&-', host.program], timeout=60)
        self.assertEqual(closed.returncode, MADE)
        self.assert_drop(host, "bob", 20002)
        os.unlink(host.drops / "bob")
        for limit, least in ((resource.RLIMIT_NOFILE, 3), (resource.RLIMIT_AS, 1 << 16), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CPU, 1)):
            limited = [*host.as_mta("prlimit", f"--{ {resource.RLIMIT_NOFILE: 'nofile', resource.RLIMIT_AS: 'as', resource.RLIMIT_FSIZE: 'fsize', resource.RLIMIT_CPU: 'cpu'}[limit]}={least}:{least}"), host.program, "bob"]
            status = subprocess.run(limited, stderr=subprocess.DEVNULL, timeout=60).returncode
            with self.subTest(limit=limit, status=status):
                if status == MADE:
                    self.assert_drop(host, "bob", 20002)
                    os.unlink(host.drops / "bob")
                self.assertEqual(host.names(), ["jane"])

    def stuck(self):
        """The helper in the middle of its work: the user database is a pipe that nobody writes into."""
        host = self.host()
        os.mkfifo(host.folder / "pipe")
        subprocess.run([*host.launcher, "mount", "--bind", host.folder / "pipe", "/etc/passwd"], check=True)
        process = subprocess.Popen([*host.as_user(host.mta.pw_uid, host.mta.pw_gid), host.program, "jane"], stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return host, process

    def test_g_the_callers_signals(self):
        host, process = self.stuck()
        deadline = time.monotonic() + 20
        status = Path(f"/proc/{process.pid}/status")
        while "Name:\tmaildrop" not in status.read_text() or "Uid:\t0\t0\t0\t0" not in status.read_text():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        for name in ("KILL", "STOP", "TERM", "ALRM"):
            done = subprocess.run(["setpriv", "--reuid=mta", "--regid=mta", "--clear-groups", "kill", f"-{name}", str(process.pid)],
                                  capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, name)
        process.kill()
        process.wait()
        self.assertEqual(host.names(), [])

    def test_i_a_user_database_that_never_answers(self):
        host, process = self.stuck()
        self.assertEqual(process.wait(120), -14)
        self.assertEqual(host.names(), [])

    def test_h_a_drop_half_made(self):
        host = self.host(options="nr_inodes=3")
        nothing = [*host.launcher, "setpriv", "--reuid=mta", "--regid=mta", f"--groups={host.mail}", "--bounding-set=-all", host.program, "jane"]
        self.assertEqual(subprocess.run(nothing, timeout=60).returncode, NOT_NOW)  # it cannot be given away
        self.assertEqual(host.names(), [])
        (host.drops / "one").touch()
        (host.drops / "two").touch()
        self.assertEqual(host.maildrop("jane"), NOT_NOW)  # there is no room for a file
        self.assertEqual(host.names(), ["one", "two"])
        os.unlink(host.drops / "two")
        self.assertEqual(host.maildrop("jane"), MADE)
        self.assert_drop(host, "jane", 20001)
