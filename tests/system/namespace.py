"""Networks and views of the file system that a test makes for itself, with namespaces of the kernel: they have no
name, no way out, and are gone when nothing uses them any more. Needs root."""
import ctypes
import os
import subprocess
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
PEERS = Path(__file__).resolve().parents[2] / "build" / "test" / "peers"
LIBC = ctypes.CDLL(None, use_errno=True)


def call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Network:
    """A network namespace. `with network:` puts the calling thread into it: the sockets that it makes there stay in
    it, the processes and threads that it starts there are born in it. May be nested, and entered by several threads."""

    def __init__(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        call(LIBC.unshare, CLONE_NEWNET)
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        call(LIBC.setns, home, CLONE_NEWNET)
        os.close(home)
        self.before = threading.local()
        self.ip("link set lo up")

    def __enter__(self):
        if not hasattr(self.before, "stack"):
            self.before.stack = []
        self.before.stack.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        call(LIBC.setns, self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        home = self.before.stack.pop()
        call(LIBC.setns, home, CLONE_NEWNET)
        os.close(home)

    @property
    def path(self):
        """For `ip link set ... netns`."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def ip(self, words):
        with self:
            done = subprocess.run(["ip", *words.split()], capture_output=True, text=True)
        assert done.returncode == 0, f"ip {words}: {done.stderr}"
        return done.stdout

    def own(self, *addresses):
        """These are this network's own: every address of an IPv4 prefix, single IPv6 addresses."""
        for address in addresses:
            self.ip(f"addr add {address} dev lo nodad" if ":" in address else f"route add local {address} dev lo")

    def close(self):
        os.close(self.fd)


class Wire:
    """A switch that the networks of hosts are plugged into, with an address on their eth0."""

    def __init__(self):
        self.network = Network()
        self.network.ip("link add switch type bridge")
        self.network.ip("link set switch up")
        self.plugs = 0

    def plug(self, network, address, name="eth0"):
        self.plugs += 1
        plug = f"plug{self.plugs}"
        self.network.ip(f"link add {plug} type veth peer name {name} netns {network.path}")
        self.network.ip(f"link set {plug} master switch")
        self.network.ip(f"link set {plug} up")
        network.ip(f"link set {name} up")
        network.ip(f"addr add {address} dev {name}")
        return plug

    def cut(self, plug):
        self.network.ip(f"link set {plug} down")

    def mend(self, plug):
        self.network.ip(f"link set {plug} up")

    def close(self):
        self.network.close()


# Mounts what its arguments say, then becomes the program: "lower-folders place", ..., "--", program, arguments. A pair
# whose first word begins with = is one folder, bound there, writable.
MOUNT = """set -e
while [ "$1" != -- ]; do
  case $1 in
    =*) mount --bind "${1#=}" "$2" ;;
    *) mount -t overlay none -o "lowerdir=$1" "$2" ;;
  esac
  shift 2
done
shift
exec "$@"
"""

PEOPLE = ("postfix", "postdrop", "opensmtpd", "opensmtpq", "Debian-exim", "nsd", "keeper")
FIRST_ID = 64000


class View:
    """The file system as it would be if packages were installed, for the processes that are started through it: the
    folders of `peers` (tests/system/fetch_peers) lie over /usr, /etc has the users they want and the files of `etc`,
    /run and what `places` says are folders of this view's own, the only ones where anything can be written."""

    def __init__(self, folder, peers=(), etc=None, usr=None, places=()):
        self.folder = Path(folder)
        mine = self.folder / "etc"
        mine.mkdir(parents=True)
        if not (etc or {}).get("passwd"):
            (mine / "passwd").write_text(Path("/etc/passwd").read_text() + "".join(
                f"{name}:x:{FIRST_ID + n}:{FIRST_ID + n}::/nonexistent:/bin/sh\n" for n, name in self.missing("passwd")))
            (mine / "group").write_text(Path("/etc/group").read_text() + "".join(
                f"{name}:x:{FIRST_ID + n}:\n" for n, name in self.missing("group")))
        for name, text in (etc or {}).items():
            (mine / name).parent.mkdir(parents=True, exist_ok=True)
            (mine / name).write_text(text)
        above = [PEERS / peer for peer in peers]
        users = ([Path(usr)] if usr else []) + [peer / "usr" for peer in above]
        self.mounts = [":".join(map(str, [mine, *[peer / "etc" for peer in above], "/etc"])), "/etc"]
        if users:
            self.mounts += [":".join(map(str, [*users, "/usr"])), "/usr"]
        for place in ("/run", *places):
            own = self.place(place)
            own.mkdir(parents=True)
            own.chmod(0o755)
            if not Path(place).is_dir():  # a place to mount at: laid over the nearest folder that there is
                above = next(parent for parent in Path(place).parents if parent.is_dir())
                stub = self.folder / "stubs" / str(len(self.mounts))
                (stub / Path(place).relative_to(above)).mkdir(parents=True)
                self.mounts += [f"{stub}:{above}", str(above)]
            self.mounts += [f"={own}", place]

    @staticmethod
    def missing(file):
        there = {line.split(":")[0] for line in Path("/etc", file).read_text().splitlines()}
        return [(n, name) for n, name in enumerate(PEOPLE) if name not in there]

    def place(self, path):
        """Where that folder of the view really is."""
        return self.folder / "places" / path.strip("/").replace("/", "-")

    def id_of(self, name):
        """uid and gid of a user in this view."""
        for line in (self.folder / "etc" / "passwd").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2]), int(fields[3])
        raise KeyError(name)

    def give(self, path, name):
        os.chown(path, *self.id_of(name))

    def command(self, *words):
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", MOUNT, "view", *self.mounts, "--",
                *map(str, words)]

    def run(self, *words, **options):
        return subprocess.run(self.command(*words), **{"capture_output": True, "text": True, "timeout": 60, **options})


def lacking(*peers):
    """Why a View of these peers cannot be had here; empty if it can."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [peer for peer in peers if not (PEERS / peer).is_dir()]
    return f"not unpacked (tests/system/fetch_peers): {' '.join(missing)}" if missing else ""
