"""A small disk of its own for a test: ext4 in a file where loop devices can be had, else a tmpfs. Needs root."""
import atexit
import errno
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

STEP = 1 << 16


class Disk:
    """Mounted at `path` until remove(); None from make() where nothing can be mounted."""

    def __init__(self, image, path, kind):
        self.image, self.path, self.kind = image, path, kind
        self.ballast = path / "ballast"
        atexit.register(self.remove)  # an interrupted run, too, leaves nothing behind

    @classmethod
    def make(cls, megabytes):
        base = Path(tempfile.mkdtemp(prefix="post.office-disk-", dir="/var/tmp"))
        base.chmod(0o755)
        image, path = base / "image", base / "disk"
        path.mkdir()

        def run(*command):
            return not subprocess.run(command, capture_output=True).returncode
        with open(image, "wb") as f:
            f.truncate(megabytes << 20)
        if shutil.which("mkfs.ext4") and run("mkfs.ext4", "-q", "-m", "0", image) and run("mount", "-o", "loop", image, path):
            return cls(image, path, "ext4")
        image.unlink()
        if run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", path):
            return cls(image, path, "tmpfs")
        shutil.rmtree(base)
        return None

    def free(self):
        state = os.statvfs(self.path)
        return state.f_bavail * state.f_frsize

    def leave(self, octets):
        """Fills the disk until at most this much is free (0: not one block), or gives back so that it is."""
        with open(self.ballast, "ab") as ballast:
            have = ballast.tell()
            if self.free() < octets:
                os.ftruncate(ballast.fileno(), max(0, have - (octets - self.free())))
                os.fsync(ballast.fileno())
        self.eat(octets)

    def eat(self, octets=0):
        """As another process would: with writes, until so little is left."""
        with open(self.ballast, "ab", buffering=0) as ballast:
            while (more := self.free() - octets) > 0:
                try:
                    ballast.write(bytes(min(more, STEP)))
                except OSError as e:
                    if e.errno != errno.ENOSPC:
                        raise
                    break
            os.fsync(ballast.fileno())

    def give_back(self):
        self.ballast.unlink(missing_ok=True)

    def remove(self):
        atexit.unregister(self.remove)
        subprocess.run(["umount", self.path], check=True)
        shutil.rmtree(self.path.parent)
