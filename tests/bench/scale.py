#!/usr/bin/env python3
"""tests/bench/scale.py --build BUILD --base DIRECTORY --tools BIN: what costs when much is stored. Makes an instance with
--accounts accounts (imported through the running system: the first figure), fills its store with --messages messages
spread over them and as many again in the mailbox of user1, and then measures, empty and full in turn: W1 to one mailbox
(smtp-source, sessions kept open), W1 spread over all mailboxes (smtpb of the benchmark harness, in BIN), and a POP3
log-in with STAT to a mailbox of about ten messages and to that of user1. Rates in messages a second, log-ins in
milliseconds, medians. Needs smtp-source; --base must be a new directory on the disk in question, and is removed."""
import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.dont_write_bytecode = True

import accounts  # noqa: E402

SMTP, POP3, DOMAIN, PASSWORD = 2720, 2721, "bench.test", "password"


def answer(stream, talk=None):
    if talk:
        stream.write(talk.encode() + b"\r\n")
        stream.flush()
    line = stream.readline()
    if not line.startswith(b"+OK"):
        raise SystemExit(f"{talk or 'greeting'}: {line!r}")
    return line


def log_in(user):
    """Seconds from USER to the answer of STAT, and that answer."""
    with socket.create_connection(("127.0.0.1", POP3)) as s, s.makefile("rwb") as stream:
        answer(stream)
        start = time.monotonic()
        answer(stream, f"USER {user}")
        answer(stream, f"PASS {PASSWORD}")
        stat = answer(stream, "STAT")
        took = time.monotonic() - start
        answer(stream, "QUIT")
        return took, stat


class Instance:
    def __init__(self, options):
        self.base, self.tools = Path(options.base), Path(options.tools)
        self.command = [self.base / "program" / "post.office", "-c", self.base / "post.office.conf"]
        self.process = None
        subprocess.run([sys.executable, Path(__file__).parent / "prepare.py", "--build", options.build, "--base", self.base,
                        "--smtp", str(SMTP), "--pop3", str(POP3), "--users", "10", "--domain", DOMAIN,
                        "--password", PASSWORD], check=True)
        (self.base / "fresh").rename(self.base / "run")

    def start(self):
        self.process = subprocess.Popen([*self.command, "start", "--foreground"], stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", POP3)).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("does not start")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def add_accounts(self, count):
        ready = accounts.scrypt_hash(PASSWORD)
        forms = "\n".join(accounts.account_form(n, ready, DOMAIN) for n in range(11, count + 1))
        start = time.monotonic()
        subprocess.run([*self.command, "account", "add"], input=forms, text=True, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - start

    def one_mailbox(self, count):
        start = time.monotonic()
        subprocess.run(["smtp-source", "-d", "-s", "20", "-m", str(count), "-l", "4096", "-f", f"sender@{DOMAIN}",
                        "-t", f"user2@{DOMAIN}", f"127.0.0.1:{SMTP}"], check=True, stdout=subprocess.DEVNULL)
        return count / (time.monotonic() - start)

    def all_mailboxes(self, count, users):
        start = time.monotonic()
        subprocess.run([self.tools / "smtpb", "load", "--host", "127.0.0.1", "--port", str(SMTP), "--count", str(count),
                        "--conc", "20", "--size", "4096", "--users", str(users), "--domain", DOMAIN, "--deadline", "120"],
                       check=True, stdout=subprocess.DEVNULL)
        return count / (time.monotonic() - start)

    def measure(self, options):
        self.start()
        try:
            one, spread = self.one_mailbox(options.count), self.all_mailboxes(options.count, options.accounts)
            few, many = [], []
            for user, times, rounds in (("user5", few, 51), ("user1", many, 3)):
                log_in(user)  # the first one pays for scrypt
                for _ in range(rounds):
                    took, stat = log_in(user)
                    times.append(1000 * took)
                print(f"    {user}: {stat.decode().strip()}")
        finally:
            self.stop()
        return one, spread, statistics.median(few), statistics.median(many)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("build", "base", "tools"):
        parser.add_argument("--" + name, required=True)
    for name, value in (("accounts", 100_000), ("messages", 1_000_000), ("count", 20_000), ("rounds", 3)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    if Path(options.base).exists():
        raise SystemExit(f"{options.base} is there already")
    instance = Instance(options)
    try:
        instance.start()
        took = instance.add_accounts(options.accounts)
        instance.stop()
        print(f"import of {options.accounts} accounts with ready hashes: {took:.1f} s", flush=True)
        run, empty, full = (instance.base / name for name in ("run", "empty", "full"))
        subprocess.run(["cp", "-a", run, empty], check=True)
        # Account 1 is the Postmaster's, 2 that of user1.
        subprocess.run([Path(options.build) / "tests" / "store_fill", run / "mailbox" / "store", str(options.messages), "2",
                        str(options.accounts + 1), "2", str(options.messages)], check=True)
        owner = empty.stat()
        for path in (run / "mailbox").rglob("*"):
            shutil.chown(path, owner.st_uid, owner.st_gid)
        run.rename(full)
        for _ in range(options.rounds):
            for name, folder in (("empty", empty), ("full", full)):
                if name == "empty":
                    subprocess.run(["cp", "-a", folder, run], check=True)
                else:
                    folder.rename(run)
                one, spread, few, many = instance.measure(options)
                print(f"{name:5}: one mailbox {one:.0f}/s, all mailboxes {spread:.0f}/s; log-in and STAT: "
                      f"few messages {few:.2f} ms, user1 {many:.2f} ms", flush=True)
                if name == "empty":
                    shutil.rmtree(run)
                else:
                    run.rename(folder)
    finally:
        instance.stop()
        shutil.rmtree(instance.base, ignore_errors=True)


if __name__ == "__main__":
    main()
