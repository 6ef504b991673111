"""Listening sockets that systemd hands over: the dispatcher is started by the real systemd-socket-activate."""
import contextlib
import os
import socket
import stat
import subprocess
from pathlib import Path

from harness import Pool, SystemTest, assert_no_crash, needs_program, needs_root
from instance import Instance, descendants, free_ports, reap


class ActivatedInstance(Instance):
    """SMTP is handed over by name, at a port that its line does not have; POP3 and submission by address; pop3s is not
    handed over. Beside them come four that fit nothing."""

    def __init__(self, build, **options):
        super().__init__(build, **options)
        self.line_port = self.ports["smtp"]  # what the configuration says
        self.ports["smtp"], self.stranger, self.impostor = free_ports(3)
        self.local, self.wrong = self.base / "local.socket", self.base / "wrong.socket"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.base / "notify"))
        (self.base / "notify").chmod(0o666)
        self.notify.settimeout(30)
        handed = [("smtp", f"127.0.0.1:{self.ports['smtp']}"), ("whatever", f"127.0.0.1:{self.ports['pop3']}"),
                  ("again", f"127.0.0.1:{self.ports['submission']}"), ("local", self.local),
                  ("stranger", f"127.0.0.1:{self.stranger}"), ("pop3s", self.wrong),
                  ("command", f"127.0.0.1:{self.impostor}")]
        self.launcher = ["systemd-socket-activate", "--fdname=" + ":".join(name for name, _ in handed)]
        for _, address in handed:
            self.launcher += ["-l", str(address)]
        for variable in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            self.launcher += ["-E", variable] if variable in os.environ or variable == "ASAN_OPTIONS" else []
        self.launcher += ["-E", f"NOTIFY_SOCKET={self.base / 'notify'}"]

    def remove(self):
        self.notify.close()
        super().remove()


class Activated(SystemTest):
    own = {}

    @classmethod
    @needs_program("systemd-socket-activate")
    def setUpClass(cls):
        cls.instance = ActivatedInstance(Pool.build, users=40)
        cls.instance.start()

    def refuses(self, port):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)

    def test_mail_goes_in_and_comes_out(self):
        self.assert_works()
        user = self.user()
        with self.instance.submission(user) as smtp:
            smtp.deliver(b"Subject: by submission\r\n\r\nyes\r\n", sender=user.address, to=user.address)
            smtp.quit()
        self.only_message(user)

    def test_a_name_wins_over_the_line(self):
        self.refuses(self.instance.line_port)

    def test_readiness_is_told(self):
        self.assertEqual(self.instance.notify.recv(100), b"READY=1")

    def test_what_fits_nothing_is_refused(self):
        output = self.instance.output_text()
        for name, why in ((f"stranger (127.0.0.1:{self.instance.stranger})", "no service"),
                          (f"pop3s ({self.instance.wrong})", "no service"),
                          (f"command (127.0.0.1:{self.instance.impostor})", "no service")):
            lines = [line for line in output.splitlines() if f"warning: socket {name} was handed over, but {why}" in line]
            self.assertEqual(len(lines), 1, output)
        self.refuses(self.instance.stranger)
        self.refuses(self.instance.impostor)
        with self.assertRaises(ConnectionRefusedError), socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.instance.wrong))
        self.instance.pop3().close()
        socket.create_connection(("127.0.0.1", self.instance.ports["pop3s"]), timeout=5).close()  # bound by the line

    def test_a_unix_socket(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(self.instance.local))
            self.assertEqual(s.recv(4), b"220 ")

    def test_processes_that_are_started_anew_keep_them(self):
        before = self.instance.processes()
        for name in ("smtpd", "pop3d"):
            for pid in before[name]:
                self.instance.signal(pid, 9)
        self.instance.until(lambda: not set(before["smtpd"] + before["pop3d"]) &
                            set(sum(self.instance.processes().values(), [])), 10, "the old ones to be gone")
        self.instance.wait_ready()
        self.assert_works()
        text = self.instance.conf.read_text()
        try:
            self.instance.conf.write_text(text.replace("smtpd processes=2", "smtpd processes=3"))
            self.instance.command("reload")
            self.instance.until(lambda: len(self.instance.processes()["smtpd"]) == 3, 20, "a third smtpd")
            self.assert_works()
        finally:
            self.instance.conf.write_text(text)
            self.instance.command("reload")
        self.assertEqual(self.instance.processes()["dispatcher"], before["dispatcher"])

    @needs_root
    def test_the_environment_ends_with_the_dispatcher(self):
        dispatcher = self.instance.process.pid
        self.assertIn(b"LISTEN_FDS=", Path(f"/proc/{dispatcher}/environ").read_bytes())
        environments = []
        for pid in descendants(dispatcher):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that an earlier test had replaced
                environments.append(Path(f"/proc/{pid}/environ").read_bytes())
        self.assertGreaterEqual(len(environments), 4)
        for environment in environments:
            self.assertNotIn(b"LISTEN_", environment)


class ActivatedInTheBackground(SystemTest):
    @classmethod
    @needs_program("systemd-socket-activate")
    def setUpClass(cls):
        cls.instance = ActivatedInstance(Pool.build, users=10)

    @classmethod
    def tearDownClass(cls):
        try:
            assert_no_crash(cls.instance)
        finally:
            Pool.discard(cls.instance)

    def setUp(self):
        pass

    def test_it_keeps_the_sockets_through_the_fork_and_leaves_their_paths(self):
        instance = self.instance
        with open(instance.base / "output", "ab") as output:
            starter = subprocess.Popen(
                [*instance.launcher, instance.program / "post.office", "-c", instance.conf, "start"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
                env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        try:
            instance.until(lambda: self.connects(instance.ports["smtp"]), 10, "the launcher to listen")
            self.assertEqual(starter.wait(60), 0, instance.tail())
        finally:
            if starter.poll() is None:
                starter.kill()
                starter.wait()
        pid = int((instance.spool / "run" / "pid").read_text().split()[0])
        self.assertEqual(instance.tail().count("warning: socket"), 3)
        self.assert_works()
        instance.command("stop")

        def gone():
            reap()
            return not os.path.exists(f"/proc/{pid}")
        instance.until(gone, 15, "it to be gone")
        self.assertTrue(stat.S_ISSOCK(os.stat(instance.local).st_mode), "the supervisor's own path stays")

    @staticmethod
    def connects(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return True
        except OSError:
            return False
