"""This host with users and mail drops of the test's own: a view of the file system (a mount namespace) in which /etc/passwd
and /var/mail are others. Needs root."""
import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from instance import make_base, service_user

MAIL = "/var/mail"
USERS = {"jane": 20001, "bob": 20002, "low": 999, "high": 60000, "toor": 0, "Jane": 20003}
# What a test puts before `shift` is done in the view as root, then it says "made" and waits.
VIEW = """set -e
mount --make-rprivate /
mount -t tmpfs -o "mode=2775,uid=0,gid=$2,$3" none /var/mail
mount --bind "$1/passwd" /etc/passwd
%s
echo made
exec sleep infinity
"""


class UnixHost:
    def __init__(self, build, options="size=64m", more=""):
        service_user()
        self.folder = make_base(Path(build))
        self.mail = grp.getgrnam("mail").gr_gid
        self.mta = pwd.getpwnam("mta")
        self.write_users(USERS)
        self.program = self.folder / "maildrop"
        shutil.copyfile(Path(build) / "bin" / "maildrop", self.program)
        self.set_up(self.program)
        self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", VIEW % more, "sh", self.folder, str(self.mail), options],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self.process.stdout.readline()
        assert said == "made\n", said + self.process.stdout.read()
        self.root = Path(f"/proc/{self.process.pid}/root")
        self.drops = Path(f"{self.root}{MAIL}")

    def set_up(self, program):
        """As an installation has it."""
        os.chown(program, 0, self.mta.pw_gid)
        program.chmod(0o4510)

    def write_users(self, users):
        """In place: the file is bound."""
        lines = "".join(f"{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n" for name, uid in users.items())
        with open(self.folder / "passwd", "w") as file:
            file.write(Path("/etc/passwd").read_text() + lines)
        (self.folder / "passwd").chmod(0o644)

    @property
    def launcher(self):
        """What puts a program into the view."""
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", "--"]

    def as_user(self, uid, gid):
        """Another user, without any capability at the moment in which a program is started (setpriv keeps them so long)."""
        return [*self.launcher[:-1], f"--setuid={uid}", f"--setgid={gid}", "--"]

    def as_mta(self, *more):
        """As the dispatcher starts it: no capability but that one can be had again."""
        return [*self.launcher, "setpriv", "--reuid=mta", "--regid=mta", f"--groups={self.mail}", "--bounding-set=-all,+chown", *more]

    def maildrop(self, *words, **options):
        """The exit status of the helper, started as the dispatcher starts it."""
        done = subprocess.run([*self.as_mta("env", "-i"), self.program, *words],
                              **{"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, **options})
        assert not done.stdout and not done.stderr, (done.stdout, done.stderr)
        return done.returncode

    def names(self):
        return sorted(os.listdir(self.drops))

    def close(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
