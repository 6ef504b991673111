"""A host of the test's own: this machine's file system with a layer over it that takes all changes, in namespaces of its
own for mounts, processes, network and name. Programs install into it, servers start in it, and nothing of it stays. Needs
root."""
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

# $1: a folder for the layer; $2: the name of the host; $3: what its first process is.
BEGIN = """set -e
mount --make-rprivate /
mount -t tmpfs -o size=4g none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
touch "$1/upper/%s"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
cd "$1/root"
mkdir .machine
mount --rbind /dev dev
mount -t sysfs none sys
mount -t securityfs none sys/kernel/security 2> /dev/null || true
mount -t cgroup2 none sys/fs/cgroup
mount -t proc none proc
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=1777 none tmp
mkdir -p run/lock run/sendsigs.omit.d
hostname "$2"
ip link set lo up
printf '[Unit]\\nDescription=Nothing but what a test starts\\n' > etc/systemd/system/sysinit-of-a-test.target
pivot_root . .machine
cd /
umount -l /.machine
rmdir /.machine
echo made
exec $3
"""
# Its processes are in a group of their own, which systemd takes for all there is.
GROUP = """set -e
mkdir "$1.group"
mount -t cgroup2 none "$1.group"
mkdir "$1.group/${1##*/}"
echo $$ > "$1.group/${1##*/}/cgroup.procs"
umount "$1.group"
rmdir "$1.group"
exec unshare --cgroup sh -c "$2" sh "$1" "$3" "$4"
"""
FIRST = "sleep infinity"
SYSTEMD = "env container=test /lib/systemd/systemd --system --unit=sysinit-of-a-test.target --show-status=no --log-target=null"
MARK = ".layer-of-a-test"  # at the root: what is to be run in the layer runs nowhere else
INSIDE = f"[ -e /{MARK} ] && cd / || exit 99; exec \"$@\""


class Host:
    def __init__(self, name="mail.podunk.test", systemd=False):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="host-")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-c", GROUP, "sh", self.folder,
             BEGIN % MARK, name, SYSTEMD if systemd else FIRST],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self.process.stdout.readline()
        assert said == "made\n", said + self.process.stdout.read()
        self.first = int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])
        self.root = Path(f"/proc/{self.first}/root")
        assert (self.root / MARK).exists(), "not in the layer"
        if systemd:
            self.until(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"), "systemd")
        self.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name} {name.split('.')[0]}\n")
        self.write("/etc/hostname", name + "\n")
        self.write("/etc/mailname", name + "\n")
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")

    def run(self, *command, check=True, **options):
        """In the host, as root, with an environment of its own. Words; a single one is a shell's."""
        words = ["sh", "-c", command[0]] if len(command) == 1 else [str(word) for word in command]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C",
                       "DEBIAN_FRONTEND": "noninteractive"}
        into = ["nsenter", "--target", str(self.first), "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--root"]
        done = subprocess.run([*into, "sh", "-c", INSIDE, "sh", *words], env=environment, text=True, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                                             "stderr": subprocess.STDOUT, "timeout": 600, **options})
        assert done.returncode != 99, "not in the layer"
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}")
        return done

    def said(self, *command, **options):
        return self.run(*command, **options).stdout

    def start(self, *command):
        """A program that goes on by itself until the host ends."""
        self.run("setsid", "-f", *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def install(self, folder):
        """The Debian packages of a folder of the machine, as dpkg does it; their servers start."""
        self.run(f"dpkg --install --force-confnew {folder}/*.deb")

    @staticmethod
    def until(condition, what, limit=60):
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f"waited {limit} s for {what}"
            time.sleep(0.1)

    def path(self, name):
        return Path(f"{self.root}{name}")

    def read(self, name):
        return self.path(name).read_text(errors="backslashreplace")

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def add_user(self, login, password=None, **files):
        """A person with a home; `files`: what is in it, dot_plan for .plan."""
        self.run("useradd", "--create-home", "--shell", "/bin/sh", "--comment", f"{login.capitalize()} Lee,room 4", login)
        if password:
            self.run("chpasswd", stdin=None, input=f"{login}:{password}\n")
        for name, text in files.items():
            self.write(f"/home/{login}/{name.replace('dot_', '.')}", text)
        self.run(f"chown -R {login}: /home/{login}")

    def tree(self, *folders):
        """Every name below the folders with type, mode, owner, and what is in it: to be compared with another look."""
        look = "find {} -xdev -printf '%p %y %m %U %G %l\\n' 2>/dev/null | sort; find {} -xdev -type f -exec sha256sum {{}} + 2>/dev/null | sort -k 2"
        return self.said(look.format(*[" ".join(folders)] * 2)).splitlines()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.remove_group()
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_group(self):
        """Those that systemd made below it as well."""
        folder = tempfile.mkdtemp(prefix="groups-")
        subprocess.run(["mount", "-t", "cgroup2", "none", folder], check=True)
        subprocess.run(f"find {folder}/{Path(self.folder).name} -depth -type d -exec rmdir {{}} \\; 2>/dev/null", shell=True, check=False)
        subprocess.run(["umount", folder], check=True)
        os.rmdir(folder)
