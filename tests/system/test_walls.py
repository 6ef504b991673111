"""What the kernel says of the running processes: whose they are, what holds them, what they have open."""
import os
import re
import stat
import subprocess
import unittest
from collections import Counter
from pathlib import Path

from content import large_content, without_trace
from dialogue import dot_stuffed
from harness import Pool, SystemTest, assert_no_crash, needs_root
from instance import ROOT, Instance, sanitized, service_user

CONFINED = ("accounts", "queue", "smtpd", "pop3d", "smtp-deliver", "fingerd", "wwwd", "story")
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
SECRET_FILES = ("mem", "environ", "maps", "auxv", "fd", "map_files", "stack", "syscall")

# Run as the suite's user, unconfined: what could one process of the suite see of another, were it not for the walls?
SPY = r"""
import ctypes, os, sys
seen = []
for pid in sys.argv[1:]:
    for name in "mem environ maps auxv fd".split():
        path = f"/proc/{pid}/{name}"
        try:
            os.listdir(path) if name == "fd" else open(path, "rb").read(1)
        except PermissionError:
            continue
        except OSError as e:
            seen.append(f"{path}: {e}")
            continue
        seen.append(path)
    if ctypes.CDLL(None).ptrace(0x4206, int(pid), None, None) == 0:  # PTRACE_SEIZE
        seen.append(f"ptrace {pid}")
print("\n".join(seen))
"""


def status_of(path):
    return dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)


def links(pid):
    """descriptor -> what it leads to"""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            pass
    return found


def socket_table():
    """inode -> "tcp PORT listening", "tcp PORT", "udp", "unix" (one of a pair or accepted), "unix PATH"."""
    table = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            port = int(fields[1].rsplit(":", 1)[1], 16)
            kind = name[:3] if name.startswith("udp") else f"tcp {port}" + (" listening" if fields[3] == "0A" else "")
            table[fields[9]] = kind
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        table[fields[6]] = "unix" if len(fields) < 8 else f"unix {fields[7]}"
    return table


class Processes(SystemTest):
    """Each program that the dispatcher starts."""
    own = {"users": 0, "web": True}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.instance.wait_all_up()

    def all(self):
        processes = self.instance.processes()
        self.assertEqual(set(processes), {"dispatcher", *CONFINED})
        return [(name, pid) for name, pids in processes.items() for pid in pids]

    def threads(self):
        for name, pid in self.all():
            for task in os.listdir(f"/proc/{pid}/task"):
                yield name, status_of(Path(f"/proc/{pid}/task/{task}/status"))

    def test_no_new_privileges_and_seccomp_in_every_thread(self):
        """The dispatcher excepted: its children would inherit both."""
        for name, status in self.threads():
            got = (status["NoNewPrivs"], status["Seccomp"])
            self.assertEqual(got, ("0", "0") if name == "dispatcher" else ("1", "2"), name)

    @needs_root
    def test_user_group_and_no_capability_in_every_thread(self):
        user = service_user()
        for name, status in self.threads():
            self.assertEqual(status["Uid"].split(), [str(user.pw_uid)] * 4, name)
            self.assertEqual(status["Gid"].split(), [str(user.pw_gid)] * 4, name)
            self.assertEqual(status["Groups"].split(), [], name)
            for field in CAPABILITIES:
                self.assertEqual(int(status[field], 16), 0, f"{name} {field}")

    @needs_root
    def test_ps_shows_every_process_under_mta(self):
        pids = ",".join(str(pid) for _, pid in self.all())
        users = subprocess.run(["ps", "-o", "user=", "-p", pids], capture_output=True, text=True, check=True).stdout
        self.assertEqual(Counter(users.split()), {"mta": len(self.all())})

    @needs_root
    def test_not_dumpable(self):
        """What is in /proc of a process that may not be dumped belongs to root, and nobody else reads it."""
        if sanitized(self.instance.build):
            self.skipTest("a sanitizer reads /proc/self")
        for name, pid in self.all():
            for file in SECRET_FILES:
                if os.path.lexists(f"/proc/{pid}/{file}"):
                    self.assertEqual(os.lstat(f"/proc/{pid}/{file}").st_uid, 0, f"{name} {file}")
        user = service_user()
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

        def spy(*pids):
            return subprocess.run(["/usr/bin/python3", "-c", SPY, *map(str, pids)], capture_output=True, text=True,
                                  check=True, **identity).stdout.split("\n")[:-1]
        with subprocess.Popen(["sleep", "60"], **identity) as plain:
            try:
                self.assertEqual(len(spy(plain.pid)), 6, "the test's own premise: of any other process it sees all")
            finally:
                plain.kill()
        self.assertEqual([line for line in spy(*(pid for _, pid in self.all())) if line], [])

    def test_limits(self):
        for name, pid in self.all():
            limits = dict(re.findall(r"^(Max [a-z ]+?)  +(\S+) ", Path(f"/proc/{pid}/limits").read_text(), re.M))
            if name != "dispatcher":
                self.assertEqual(limits["Max core file size"], "0", name)
                self.assertNotEqual(limits["Max open files"], "unlimited", name)
            if name not in ("dispatcher", "accounts", "queue"):
                self.assertEqual(limits["Max processes"], "0", name)

    @needs_root
    def test_programs_belong_to_root_and_cannot_be_read(self):
        for name, pid in self.all():
            st = os.stat(f"/proc/{pid}/exe")
            self.assertEqual(st.st_uid, 0, name)
            if not sanitized(self.instance.build):
                self.assertEqual(stat.S_IMODE(st.st_mode), 0o711, name)

    # ---- descriptors

    def what(self, link, sockets):
        if link.startswith("socket:["):
            return sockets.get(link[8:-1], "socket of another network")
        base = str(self.instance.base)
        return link[len(base) + 1:] if link.startswith(base + "/") else link

    def open_files(self, pid, sockets):
        return {fd: self.what(link, sockets) for fd, link in links(pid).items()}

    def allowed(self, name):
        """For each row of lib/sandbox.cc, what may be open while nobody is connected."""
        p = self.instance.ports
        # The pipe is libevent's, for signals: both ends are here.
        loop = [r"anon_inode:\[eventpoll\]", r"pipe:.*", r"unix", r"udp", r"/dev/null", r"log/post\.office\.log"]
        listening = lambda *names: [f"tcp {p[n]} listening" for n in names]
        return loop + {
            "accounts": [r"spool/directory(/(data|lock)\.mdb|/lock)?", r"spool/secrets(/(data|lock)\.mdb)?",
                         r"anon_inode:\[eventfd\]", r"unix .*/run/command"],
            "queue": [r"mailbox/store(/(data|lock)\.mdb|/lock|/spare|/bodies)?", r"spool/directory/data\.mdb",
                      r"anon_inode:\[eventfd\]"],
            "smtpd": [r"spool/directory/data\.mdb", r"unix .*/run/submission",
                      *listening("smtp", "submission", "smtps")],
            "pop3d": [r"spool/directory/data\.mdb", *listening("pop3", "pop3s")],
            "smtp-deliver": [r"/etc/ssl/certs/ca-certificates\.crt"],
            "fingerd": [r"spool/directory/data\.mdb", *listening("finger")],
            "wwwd": [r"spool/directory/data\.mdb", *listening("web")],
            "story": [],
        }[name]

    def test_open_descriptors_are_those_of_the_row(self):
        sockets = socket_table()
        for name, pid in self.all():
            if name == "dispatcher":
                continue
            found = self.open_files(pid, sockets)
            self.assertEqual([found[0], found[1]], ["/dev/null"] * 2, name)
            self.assertEqual([found[2], found[4]], ["log/post.office.log"] * 2, name)
            self.assertEqual([found[3], found[5]], ["unix", "udp"], name)
            self.assertEqual(list(found.values()).count("udp"), 1, name)
            strange = [what for what in found.values()
                       if not any(re.fullmatch(a, what) for a in self.allowed(name)) and not re.fullmatch(r"tcp \d+", what)]
            self.assertEqual(strange, [], f"{name} has more open than its row names")
            if name in ("accounts", "queue", "story"):
                self.assertFalse([w for w in found.values() if w.startswith("tcp")], f"{name} has a network connection")

    def test_each_end_of_a_pipe_is_in_one_process(self):
        """Nobody keeps an end that was handed out: or end-of-file would never come, and a wall have a hole."""
        sockets = socket_table()
        holders = {}
        for name, pid in self.all():
            for link in links(pid).values():
                if link.startswith("pipe:") or link.startswith("socket:[") and sockets.get(link[8:-1]) == "unix":
                    holders.setdefault(link, set()).add(f"{name} {pid}")
        shared = {link: who for link, who in holders.items() if len(who) > 1}
        self.assertEqual(shared, {})
        # accounts and queue with each server but fingerd, wwwd with story, and the dispatcher with each of all.
        processes = self.instance.processes()
        servers = sum(len(processes[name]) for name in ("smtpd", "pop3d", "smtp-deliver", "wwwd"))
        pipes = [link for link in holders if link.startswith("socket:")]
        self.assertEqual(len(processes["wwwd"]), 1)
        self.assertEqual(len(pipes), 2 * (2 * servers + 1 + len(self.all()[1:])))

    def test_log_tells_what_confines(self):
        text = self.instance.log_text()
        for name in CONFINED:
            self.assertRegex(text, rf"proc={name}(\.\d+)? event=confined landlock_abi=\d")


class WithoutLandlock(unittest.TestCase):
    """What rests on Landlock alone is off where the kernel lacks it: files by name in queue. All else goes on."""

    def test_large_bodies_wait_for_a_better_kernel(self):
        if sanitized(Pool.build):
            self.skipTest("the sanitizers' own files need the calls that queue is denied here")
        instance = Instance(Pool.build, users=2)
        try:
            self.run_in(instance)
            assert_no_crash(instance)
        finally:
            Pool.discard(instance)

    def deliver(self, instance, user, content):
        with instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<sender@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(dot_stuffed(content) + b".\r\n")
            return smtp.reply().code

    def run_in(self, instance):
        user = instance.take_user()
        large, small = large_content(200_000, 1), b"Subject: small\r\n\r\nsmall\r\n"
        instance.start()
        if "landlock_abi=0" in instance.log_text():
            instance.stop()
            self.skipTest("this kernel has no Landlock at all")
        self.assertEqual(self.deliver(instance, user, large), 250)
        instance.stop()

        instance.launcher = [ROOT / "tests/system/without_landlock"]
        instance.start()
        self.assertRegex(instance.log_text(), r'proc=queue event=confined landlock_abi=0 off="bodies over 64 KiB"')
        self.assertEqual(self.deliver(instance, user, large), 451)
        self.assertEqual(self.deliver(instance, user, small), 250)
        with instance.pop3(user) as pop:
            self.assertEqual(pop.count(), 2)
            pop.err("RETR 1", "[SYS/TEMP]")
            self.assertEqual(without_trace(pop.retr(2))[0], small)
            pop.quit()
        self.assertRegex(instance.command("queue", "status").stdout, r"Messages: +2 ")
        self.assertEqual(instance.log_text().count("event=child-died"), 0)
        instance.stop()

        instance.launcher = []
        instance.start()
        self.assertEqual([without_trace(m)[0] for m in instance.fetch_all(user)], [large, small])
        instance.stop()


