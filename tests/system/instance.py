"""A private instance of the suite: its own directories, ports and accounts, made for one test run and gone after it.
As root it runs under the user mta from a root-owned copy of the programs, as an installation does; otherwise under
the caller. Nothing below port 1024 is bound, no process outlives stop()."""
import contextlib
import functools
import ctypes
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import accounts
from dialogue import Closed, Pop3, Smtp

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("post.office", "accounts", "queue", "smtpd", "pop3d", "smtp-deliver", "fingerd", "sendmail")
WEB_PROGRAMS = ("wwwd", "story")
UNIX_PROGRAMS = ("unix-deliver", "maildrop")
HOSTNAME = "mx.post.example"
DOMAIN = "post.example"
POSTMASTER_PASSWORD = "postmaster's own words"
IS_ROOT = os.geteuid() == 0
PR_SET_CHILD_SUBREAPER = 36
DISPATCHERS = set()  # pids that a Popen object waits for


def adopt_orphans():
    """What our children leave behind becomes our child, so that it can be found and ended at the end."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def process_table():
    """pid -> (parent, name, state) of every process."""
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            name = stat[stat.index("(") + 1:stat.rindex(")")]
            state, parent = stat[stat.rindex(")") + 2:].split()[:2]
            table[int(entry)] = (int(parent), name, state)
    return table


def peak_kib(pid):
    """The most memory that a process ever had; 0 if it has ended and nobody has waited for it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def descendants(ancestor):
    table, found, frontier = process_table(), {}, {ancestor}
    while frontier:
        frontier = {pid for pid, (parent, _, _) in table.items() if parent in frontier and pid not in found}
        found.update({pid: table[pid] for pid in frontier})
    return found


def end_all_descendants():
    """Kills what is left below this process, by pid; returns the names. A clean run leaves nothing here."""
    left = []
    for _ in range(50):
        alive = {pid: row for pid, row in descendants(os.getpid()).items() if row[2] != "Z"}
        for pid, (_, name, _) in alive.items():
            left.append(name)
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        reap()
        if not alive:
            break
        time.sleep(0.05)
    return left


def reap():
    """Collects what dead dispatchers left to us. Only that: other children have an owner that waits."""
    for pid, (parent, name, state) in process_table().items():
        if parent == os.getpid() and state == "Z" and name in (*PROGRAMS, *WEB_PROGRAMS, *UNIX_PROGRAMS) and pid not in DISPATCHERS:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def everything(s):
    """What is read up to the end."""
    return b"".join(iter(lambda: s.recv(65536), b""))


def free_ports(count):
    sockets = []
    try:
        for _ in range(count):
            s = socket.socket()
            s.bind(("127.0.0.1", 0))
            sockets.append(s)
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def reachable_by(user, path):
    """Whether that user could walk to path: every folder above lets others through."""
    return all(p.stat().st_mode & 0o001 or p.stat().st_uid == user.pw_uid for p in [path, *path.parents])


def service_user():
    """The user the suite runs under, or None when it is the caller."""
    if not IS_ROOT:
        return None
    try:
        return pwd.getpwnam("mta")
    except KeyError:
        subprocess.run(["useradd", "-r", "-U", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", "mta"], check=True)
        return pwd.getpwnam("mta")


@functools.cache  # the program is large, and this is asked for each instance
def sanitized(build):
    return b"__asan_init" in (build / "bin" / "post.office").read_bytes()


def make_base(build):
    """A new folder on a real disk that the suite's user can reach."""
    user = service_user()
    base = (build if build.is_absolute() else ROOT / build) / "test"
    base.mkdir(parents=True, exist_ok=True)
    longest = len(str(base)) + len("/post.office-xxxxxxxx/spool/run/submission")
    if longest > 100 or user and not reachable_by(user, base):  # a socket's path has at most 107 octets
        base = Path("/var/tmp")
    base = Path(tempfile.mkdtemp(prefix="post.office-", dir=base))
    base.chmod(0o755)
    return base


class Instance:
    """start() leaves it ready for mail; stop() ends it and remove() takes its files away."""

    def __init__(self, build, users=1200, smtpd=2, pop3d=1, resolvers=(), mailbox=None, spool=None, log=None,
                 users_at_start=True, forms=None, sessions=2000, programs=None, launcher=(), network=None,
                 address="127.0.0.1", ports=None, hostname=HOSTNAME, people=(), extra=(), web=False, unix=None, store=None):
        self.build = Path(build) if Path(build).is_absolute() else ROOT / build
        self.user = service_user()
        self.base = make_base(self.build)
        self.program = self.base / "program"
        self.spool = Path(spool) if spool else self.base / "spool"
        self.log = Path(log) if log else self.base / "log"
        self.mailbox = Path(mailbox) if mailbox else self.base / "mailbox"
        self.conf = self.base / "post.office.conf"
        self.certificates = []  # pairs of files; none: the dispatcher makes a certificate of its own
        self.hostname = hostname
        self.network, self.address = network, address  # a namespace.Network, where any port is ours; else loopback
        names = ("smtp", "submission", "smtps", "pop3", "pop3s", "finger", *(["web"] if web else []))
        self.ports = ports or dict(zip(names, free_ports(len(names))))
        self.people = list(people)  # forms of accounts beside user1, user2, ...
        self.extra = list(extra)  # further lines of the configuration
        self.unix = unix  # a UnixHost, whose mail drops it delivers into
        self.store = store  # the socket of a mail store, which it delivers into instead
        self.workers = {"smtpd": smtpd, "pop3d": pop3d}
        self.resolvers, self.sessions = list(resolvers), sessions
        self.users, self.next_user = users, 1
        self.forms = forms or {}
        self.launcher = [*launcher, *(unix.launcher if unix else ())]  # a program, with its options, that executes the dispatcher
        self.programs = programs or {}  # name -> file to be put in its place
        self.process = None
        self.output = None
        self._install()
        if users_at_start:
            self.populate()

    # ---- files

    def _install(self):
        self.program.mkdir(mode=0o755)
        for name in (*PROGRAMS, *(WEB_PROGRAMS if "web" in self.ports else ())):
            target = self.program / name
            shutil.copyfile(self.programs.get(name, self.build / "bin" / name), target)
            # Not readable: not dumpable. A sanitizer reads its options in /proc/self/environ, which needs just that.
            target.chmod(0o755 if sanitized(self.build) else 0o711)
        if self.store:
            self.extra.append(f"unix-deliver {self.store}")
            shutil.copyfile(self.build / "bin" / "lmtp-deliver", self.program / "lmtp-deliver")
            (self.program / "lmtp-deliver").chmod(0o755 if sanitized(self.build) else 0o711)
        if self.unix:
            self.extra.append("unix-deliver on")
            for name in UNIX_PROGRAMS:
                shutil.copyfile(self.build / "bin" / name, self.program / name)
                (self.program / name).chmod(0o755 if sanitized(self.build) else 0o711)
            self.unix.set_up(self.program / "maildrop")
        for folder in (self.spool, self.mailbox, self.log):
            folder.mkdir(mode=0o711, exist_ok=True)
            folder.chmod(0o711)
            if self.user:
                os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self.write_conf()

    def write_conf(self):
        self.conf.write_text(accounts.configuration(self))
        self.conf.chmod(0o644)

    def populate(self):
        """Settings and accounts, before the first start: on a stopped system the command takes the lock itself."""
        self.form_set("system-configuration", **{
            "SMTP-Sessions-per-Address": "5000", "POP3-Sessions-per-Address": "5000",
            **self.forms.get("system-configuration", {})})
        self.form_set("mail-routing", **{
            "Local-Mail-Domains": [DOMAIN, "second.example"], **self.forms.get("mail-routing", {})})
        for name in self.forms.keys() - {"system-configuration", "mail-routing"}:
            self.form_set(name, **self.forms[name])
        self.command("account", "set", "postmaster",
                     input=accounts.form({"Mail-Account-Password": POSTMASTER_PASSWORD}))
        forms = self.people + [accounts.account_form(i, accounts.READY_HASH) for i in range(1, self.users + 1)]
        if forms:
            self.command("account", "add", input="\n".join(forms))

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)

    # ---- life

    def inside(self):
        """Where its addresses are this host's: sockets and processes that are made there reach it."""
        return self.network or contextlib.nullcontext()

    def start(self, wait=True):
        self.output = open(self.base / "output", "ab")  # what the dispatcher prints before its log is open
        environment = dict(os.environ)
        environment["ASAN_OPTIONS"] = "detect_leaks=0:" + environment.get("ASAN_OPTIONS", "abort_on_error=1")
        with self.inside():
            self.process = subprocess.Popen(
                [*self.launcher, self.program / "post.office", "-c", self.conf, "start", "--foreground"],
                stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, env=environment, cwd="/",
                start_new_session=True)
        DISPATCHERS.add(self.process.pid)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, limit=30):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the dispatcher ended with {self.process.returncode}\n{self.tail()}")
            try:
                self.smtp(limit=5).close()
                self.pop3(limit=5).close()
                return True
            except (OSError, AssertionError, Closed):
                return False
        self.until(ready, limit, "the instance to serve SMTP and POP3")

    def wait_all_up(self, limit=60):
        self.until(lambda: all(p["state"] == "up" for p in self.status()["processes"]), limit, "every process to be ready")

    def start_again(self, limit=20):
        """After the dispatcher's death: what it left behind may hold ports and locks for some seconds yet."""
        deadline = time.monotonic() + limit
        while True:
            reap()
            try:
                return self.start()
            except AssertionError:
                if self.process.poll() is None or time.monotonic() > deadline:
                    raise
                self.output.close()
                time.sleep(0.1)

    def until(self, condition, limit, what):
        """Polls until condition() holds; returns how long that took. Machines stand still for many seconds: `limit` is a
        minute at least."""
        limit = max(limit, 60)
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > limit:
                raise AssertionError(f"waited {limit} s for {what}\n{self.tail()}")
            time.sleep(0.02)
        return time.monotonic() - start

    def stop(self, limit=60):
        """In order; returns the dispatcher's exit status, -9 if it had to be killed."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.kill_all()
        status = self.process.wait()
        self.process = None
        self.output.close()
        return status

    def kill_all(self):
        """SIGKILL to every process of the instance at once."""
        pids = [self.process.pid, *descendants(self.process.pid)]
        for pid in pids:
            self.signal(pid, signal.SIGKILL)
        self.process.wait()

        def gone():
            reap()
            table = process_table()
            return not any(pid in table and table[pid][2] != "Z" for pid in pids)
        self.until(gone, 10, "killed processes to be gone")

    @staticmethod
    def signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def processes(self):
        """name -> pids of what runs under the dispatcher, and the dispatcher itself."""
        found = {"dispatcher": [self.process.pid]}
        for pid, (_, name, state) in descendants(self.process.pid).items():
            if state != "Z":
                found.setdefault(name, []).append(pid)
        return found

    # ---- commands

    def command(self, *words, input=None, check=True, limit=120, password=None, environment=None):
        """post.office WORDS as whoever runs the tests."""
        done = subprocess.run([self.program / "post.office", "-c", self.conf, *words], input=input or "",
                              capture_output=True, text=True, timeout=limit, cwd="/",
                              env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **(environment or {})})
        if check:
            assert done.returncode == 0, \
                f"post.office {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{self.tail()}"
        return done

    def form_set(self, name, **fields):
        return self.command("form", "set", name, input=accounts.form(fields))

    def account_set(self, address, **fields):
        return self.command("account", "set", address, input=accounts.form(fields))

    def add_alias(self, incoming, outgoing):
        return self.command("form", "set", "channel-aliases", f"Aliases+=<{incoming}> <{outgoing}>")

    def set_relay_password(self, host, user, password):
        return self.command("relay-password", "set", host, user, input=password + "\n")

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    # ---- clients

    def take_user(self):
        """An account that no other test has touched."""
        assert self.next_user <= self.users, "the instance has too few accounts for its tests"
        self.next_user += 1
        return accounts.User(self.next_user - 1)

    def smtp(self, **options):
        with self.inside():
            return Smtp(self.ports["smtp"], **{"host": self.address, **options})

    def submission(self, user=None, **options):
        """587 after STARTTLS; with a user, logged in."""
        with self.inside():
            client = Smtp(self.ports["submission"], **{"host": self.address, **options}).ehlo().starttls()
        if user:
            client.auth(user.address, user.password)
        return client

    def pop3(self, user=None, **options):
        with self.inside():
            client = Pop3(self.ports["pop3"], **{"host": self.address, **options})
        return client.login(user.login, user.password) if user else client

    def finger_client(self, source=None):
        with self.inside():
            return socket.create_connection((self.address, self.ports["finger"]), timeout=60,
                                            source_address=(source, 0) if source else None)

    def finger(self, query, source=None):
        with self.finger_client(source) as s:
            s.sendall(query.encode() + b"\r\n")
            return everything(s).decode()

    def fetch_all(self, user, delete=False):
        with self.pop3(user) as pop:
            messages = [pop.retr(n) for n in range(1, pop.count() + 1)]
            if delete:
                for n in range(1, len(messages) + 1):
                    pop.cmd(f"DELE {n}")
            pop.quit()
        return messages

    # ---- evidence

    def log_text(self):
        """All of it in the order of time: the files that were rotated away, by their stamps, then the one in use."""
        files = sorted((p for p in self.log.rglob("post.office.log*")), key=lambda p: (p.name == "post.office.log", p.name))
        return "".join(p.read_text(errors="backslashreplace") for p in files)

    def output_text(self):
        path = self.base / "output"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def tail(self, lines=25):
        return "--- output\n" + "\n".join(self.output_text().splitlines()[-lines:]) + \
            "\n--- log\n" + "\n".join(self.log_text().splitlines()[-lines:])
