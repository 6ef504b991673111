"""Clients that inetd accepted: a real openbsd-inetd holds all ports, and the dispatcher binds none."""
import os
import re
import signal
import socket
import stat
import struct
import subprocess

from content import large_content
from dialogue import Pop3, Smtp, Wire
from harness import Pool, SystemTest, needs_program, needs_root
from instance import Instance

PROGRAMS = {"smtp": "smtpd", "submission": "smtpd", "submissions": "smtpd", "pop3": "pop3d", "pop3s": "pop3d",
            "finger": "fingerd", "web": "wwwd"}
PORTS = {"submissions": "smtps"}  # whose name in Instance.ports is another
HAND_OVER = 60  # lib/messages.h


def frame(kind, payload, descriptor=False):
    return struct.pack("<IHHI", len(payload), kind, 1 if descriptor else 0, 1) + payload


def as_user(user):
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


class InetdInstance(Instance):
    """Its TCP services say `inetd` where others have an address."""

    def __init__(self, build, **options):
        self.inetd = None
        super().__init__(build, **options)

    def write_conf(self):
        super().write_conf()
        self.conf.write_text(re.sub(r"127\.0\.0\.1:\d+", "inetd", self.conf.read_text()))
        (self.base / "inetd.conf").write_text("".join(
            f"127.0.0.1:{self.ports[PORTS.get(name, name)]} stream tcp nowait "
            f"{self.user.pw_name} {self.program / program} {program} --inetd {name} {self.spool}\n"
            for name, program in PROGRAMS.items() if PORTS.get(name, name) in self.ports))

    def start_inetd(self):
        with self.inside():
            self.inetd = subprocess.Popen(["inetd", "-i", "-R", "1000000", "-q", "1024", self.base / "inetd.conf"],
                                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                          cwd="/", start_new_session=True)

    def stop_inetd(self):
        if self.inetd is not None:
            self.inetd.terminate()
            self.inetd.wait(20)
            self.inetd = None

    def start(self, wait=True):
        if self.inetd is None:
            self.start_inetd()
        return super().start(wait)


class Inetd(SystemTest):
    own = {}

    @classmethod
    @needs_root
    @needs_program("inetd")
    def setUpClass(cls):
        cls.instance = InetdInstance(Pool.build, users=40, web=True)
        cls.instance.start()

    @classmethod
    def tearDownClass(cls):
        cls.instance.stop_inetd()
        super().tearDownClass()

    @property
    def path(self):
        return str(self.instance.spool / "run" / "inetd")

    def first_line(self, name):
        with Wire(self.instance.ports[name]) as client:
            return client.read_line()

    # ---- what it is for

    def test_mail_goes_in_and_comes_out(self):
        self.assert_works()
        user = self.user()
        content = large_content(300_000, 1)
        with self.instance.submission(user) as smtp:
            smtp.deliver(content, sender=user.address, to=user.address)
            smtp.quit()
        message = self.only_message(user)
        self.assertIn(b"[127.0.0.1]", message.split(b"\r\n\r\n", 1)[0])

    def test_tls_from_the_first_octet(self):
        user = self.user()
        with Pop3(self.instance.ports["pop3s"], tls=True) as pop:
            pop.login(user.login, user.password)
            pop.quit()
        with Smtp(self.instance.ports["smtps"], tls=True) as smtp:
            smtp.ehlo().auth(user.address, user.password)
            smtp.quit()

    def test_web_pages(self):
        with Wire(self.instance.ports["web"], tls=True) as client:
            client.send(b"GET /log-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(client.read_line(), b"HTTP/1.1 200 OK")

    def test_the_suite_itself_binds_nothing(self):
        self.instance.stop_inetd()
        try:
            for port in self.instance.ports.values():
                with self.assertRaises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port), timeout=5)
        finally:
            self.instance.start_inetd()
        self.instance.wait_ready()

    def test_limits_per_address(self):
        self.instance.form_set("system-configuration", **{"POP3-Sessions-per-Address": "2"})
        try:
            clients = [Pop3(self.instance.ports["pop3"], source="127.0.0.9") for _ in range(2)]
            with Wire(self.instance.ports["pop3"], source="127.0.0.9") as third:
                self.assertIn(b"-ERR [SYS/TEMP] too many connections from your address", third.read_line())
            self.instance.pop3().close()
            for client in clients:
                client.close()
        finally:
            self.instance.form_set("system-configuration", **{"POP3-Sessions-per-Address": "5000"})

    def test_every_process_gets_its_turn(self):
        clients = [self.instance.smtp() for _ in range(8)]
        try:
            self.instance.until(lambda: all(row["sessions"] >= 3 for row in self.instance.status()["processes"]
                                            if row["name"].startswith("smtpd")), 10, "eight sessions, four in each process")
        finally:
            for client in clients:
                client.close()

    def test_two_hundred_at_once(self):
        sockets = []
        try:
            for name in ("smtp", "pop3"):
                for _ in range(100):
                    s = socket.socket()
                    s.settimeout(60)
                    s.connect(("127.0.0.1", self.instance.ports[name]))
                    sockets.append((s, b"220 " if name == "smtp" else b"+OK "))
            for s, greeting in sockets:
                self.assertEqual(s.recv(4), greeting)
        finally:
            for s, _ in sockets:
                s.close()
        self.assert_works()

    # ---- when nobody is there

    def test_without_the_dispatcher(self):
        self.assertEqual(self.instance.stop(), 0)
        try:
            self.assertFalse(os.path.exists(self.path))
            for name in ("smtp", "submission"):
                self.assertTrue(self.first_line(name).startswith(b"421 4.3.2 "), name)
            self.assertTrue(self.first_line("pop3").startswith(b"-ERR [SYS/TEMP] "))
            self.assertEqual(self.first_line("finger"), b"The mail system is not running; try again later.")
            self.assertEqual(self.first_line("web"), b"HTTP/1.1 503 Service Unavailable")
            with Smtp(self.instance.ports["smtp"], greet=False) as eager:  # what came before does not cost the answer
                eager.send(b"EHLO there\r\n" * 1000)
                self.assertEqual(eager.reply().code, 421)
                self.assertTrue(eager.at_end())
        finally:
            self.instance.start()
        self.assert_works()

    def test_a_client_survives_the_process_that_was_to_take_it(self):
        instance = self.instance
        victim, = instance.processes()["pop3d"]
        instance.signal(victim, signal.SIGSTOP)
        with Wire(instance.ports["pop3"]) as client:
            self.assertTrue(client.quiet_for(0.5))
            instance.signal(victim, signal.SIGKILL)
            self.assertTrue(client.read_line().startswith(b"+OK"))
            client.send_line("QUIT")
            self.assertTrue(client.read_line().startswith(b"+OK"))

    # ---- who may

    def test_the_socket_is_the_suites_alone(self):
        state = os.stat(self.path)
        self.assertTrue(stat.S_ISSOCK(state.st_mode))
        self.assertEqual(stat.S_IMODE(state.st_mode), 0o600)
        self.assertEqual(state.st_uid, self.instance.user.pw_uid)
        script = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        other = subprocess.run(["python3", "-c", script, self.path], user=65534, group=65534, extra_groups=[],
                               capture_output=True, text=True, timeout=30)
        self.assertIn("PermissionError", other.stderr)

    def test_root_is_not_the_suite(self):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(self.path)
            self.assertEqual(self.answer(peer), b"")
        self.assertRegex(self.instance.log_text(), r"event=inetd-refused uid=0 ")

    @staticmethod
    def answer(peer):
        try:
            return peer.recv(4096)
        except ConnectionResetError:
            return b""

    def as_the_suite(self, octets, descriptor=None):
        """What comes back when a process of the suite's user sends this, with the descriptor."""
        script = ("import socket, sys\n"
                  "s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(sys.argv[1])\n"
                  "octets = bytes.fromhex(sys.argv[2])\n"
                  "socket.send_fds(s, [octets], [0] if sys.argv[3] == '1' else [])\n"
                  "try: sys.stdout.buffer.write(s.recv(4096))\n"
                  "except ConnectionResetError: pass\n")
        done = subprocess.run(["python3", "-c", script, self.path, octets.hex(), "0" if descriptor is None else "1"],
                              stdin=descriptor if descriptor is not None else subprocess.DEVNULL, capture_output=True,
                              timeout=60, cwd="/", **as_user(self.instance.user))
        self.assertEqual(done.stderr, b"")
        return done.stdout

    def test_garbage_drops_its_sender_alone(self):
        before = self.instance.processes()
        service = struct.pack("<I", 4) + b"smtp"
        unix, other_end = socket.socketpair()
        listening = socket.create_server(("127.0.0.1", 0))
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        cases = {
            "noise": (b"\xff" * 64, None),
            "a frame of another kind": (frame(9, b"\0"), None),
            "no descriptor": (frame(HAND_OVER, service), None),
            "octets left over": (frame(HAND_OVER, service + b"x", True), self.connected()),
            "a name too long": (frame(HAND_OVER, struct.pack("<I", 100) + b"s" * 100, True), self.connected()),
            "not TCP": (frame(HAND_OVER, service, True), unix),
            "not a connection": (frame(HAND_OVER, service, True), listening),
            "datagrams": (frame(HAND_OVER, service, True), datagram),
        }
        for what, (octets, descriptor) in cases.items():
            with self.subTest(what):
                self.assertEqual(self.as_the_suite(octets, descriptor), b"")
        for s in (unix, other_end, listening, datagram):
            s.close()
        self.assertEqual(self.instance.processes(), before)
        self.assert_works()

    def connected(self):
        """A TCP connection whose other end is closed when the test ends."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            accepted, _ = server.accept()
        self.addCleanup(client.close)
        self.addCleanup(accepted.close)
        return accepted

    def run_program(self, *words, stdin):
        return subprocess.run([self.instance.program / "smtpd", *words], stdin=stdin, capture_output=True, text=True,
                              timeout=60, cwd="/", env={}, **as_user(self.instance.user))

    def test_a_wrong_line_in_inetd_conf(self):
        for words, code, why in ((["--inetd", "imap", str(self.instance.spool)], 75, "no service imap"),
                                 (["--inetd"], 64, "arguments"), (["--inted", "smtp"], 64, "arguments"),
                                 (["--inetd", "smtp", "spool"], 64, "arguments"),
                                 (["--inetd", "smtp", "/nonexistent"], 75, "/nonexistent/run/inetd")):
            with self.subTest(words):
                with socket.create_server(("127.0.0.1", 0)) as server:
                    with Smtp(server.getsockname()[1], greet=False) as client:
                        accepted, _ = server.accept()
                        with accepted:
                            done = self.run_program(*words, stdin=accepted)
                        self.assertEqual(done.returncode, code, done.stderr)
                        self.assertIn(why, done.stderr)
                        self.assertEqual(client.reply().code, 421)
                        self.assertTrue(client.at_end())

    def test_started_by_hand(self):
        done = self.run_program("--inetd", "smtp", str(self.instance.spool), stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 64)
        self.assertIn("not a client's TCP connection", done.stderr)
