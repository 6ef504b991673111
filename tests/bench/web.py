#!/usr/bin/env python3
"""tests/bench/web.py --build BUILD [--accounts N] [--seconds N] [--messages N]: what the web pages cost. An instance with
N accounts (100,000), imported with ready hashes through the running system, then

  import, export   seconds
  page             milliseconds from request to answer, as one client sees them, for each kind of page: the median and
                   the worst of 40
  wrk              pages a second with 50 connections, the suite on one processor, wrk on another, and wwwd's memory
  mail             messages a second (smtp-source, 10 sessions) alone, and while wrk asks for 200 pages a second: the ratio

Needs root, wrk (install/install-packages bench) and smtp-source (Debian's postfix, or $SMTP_SOURCE)."""
import argparse
import contextlib
import http.client
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.dont_write_bytecode = True

import accounts  # noqa: E402
import instance as instances  # noqa: E402
from dialogue import tls_context  # noqa: E402

RATE, CONNECTIONS = 200, 50
PACED = f"""local wait = {CONNECTIONS} * 1000 / {RATE}
function delay() return math.random(0, 2 * wait) end
"""  # each connection asks again after {CONNECTIONS}/{RATE} s in the mean


class Visitor:
    """One connection with the cookie of a log-in."""

    def __init__(self, port):
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls_context(), timeout=60)
        self.cookie = ""

    def ask(self, method, path, form=None):
        headers = {"Cookie": self.cookie} if self.cookie else {}
        if form is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded",
                        "Origin": f"https://127.0.0.1:{self.connection.port}"}
        self.connection.request(method, path, urllib.parse.urlencode(form) if form is not None else None, headers)
        answer = self.connection.getresponse()
        body = answer.read()
        for value in answer.headers.get_all("Set-Cookie") or []:
            self.cookie = value.split(";")[0]
        return answer.status, body

    def log_in(self, login, password):
        status, body = self.ask("POST", "/log-in", {"login": login, "password": password})
        if status != 303:
            raise SystemExit(f"log-in: {status}\n{body.decode()[:2000]}")


def timed(function):
    begun = time.monotonic()
    value = function()
    return time.monotonic() - begun, value


def use_processors(pids, processors):
    """All threads of these processes run there."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), processors)


def processor_seconds(pids):
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def measure_pages(visitor, paths, rounds=40):
    for name, path in paths:
        taken, size = [], 0
        for _ in range(rounds):
            seconds, (status, body) = timed(lambda: visitor.ask("GET", path))
            if status != 200:
                raise SystemExit(f"{path}: {status}\n{body.decode()[:1000]}")
            taken.append(seconds * 1000)
            size = len(body)
        print(f"page    {name:28} {statistics.median(taken):7.1f} ms median {max(taken):7.1f} ms worst {size:7d} octets",
              flush=True)


def wrk(ours, visitor, path, seconds, paced=False, processor=None):
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--timeout", "10s", "--latency",
               "-H", f"Cookie: {visitor.cookie}"]
    with contextlib.ExitStack() as stack:
        if paced:
            script = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".lua"))
            script.write(PACED)
            script.flush()
            command += ["-s", script.name]
        if processor is not None:
            command = ["taskset", "-c", str(processor), *command]
        done = subprocess.run([*command, f"https://127.0.0.1:{ours.ports['web']}{path}"], capture_output=True, text=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if not rate or "Non-2xx" in done.stdout:
        raise SystemExit(f"wrk: {done.stdout}{done.stderr}")
    worst = re.search(r"99%\s+(\S+)", done.stdout)
    return float(rate[1]), worst[1] if worst else "?"


def mail_rate(source, ours, messages):
    command = [source, "-s", "10", "-l", "4096", "-m", str(messages), "-f", "sender@elsewhere.example",
               "-t", "user1@post.example", f"inet:127.0.0.1:{ours.ports['smtp']}"]
    seconds, done = timed(lambda: subprocess.run(command, capture_output=True, text=True))
    if done.returncode != 0:
        raise SystemExit(f"smtp-source: {done.stderr[:1000]}")
    return messages / seconds


def measure_mail(source, ours, visitor, path, messages):
    mail_rate(source, ours, messages // 10)
    alone, beside, pages = [], [], []
    for _ in range(3):
        alone.append(mail_rate(source, ours, messages))
        seconds = max(4, int(1.5 * messages / alone[-1]) + 2)
        web = threading.Thread(target=lambda: pages.append(wrk(ours, visitor, path, seconds, paced=True)[0]))
        web.start()
        time.sleep(1)
        beside.append(mail_rate(source, ours, messages))
        web.join()
    a, b = statistics.median(alone), statistics.median(beside)
    print(f"mail    {a:.0f} messages/s alone, {b:.0f} beside {statistics.median(pages):.0f} pages/s: {100 * b / a:.0f} %",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    source = os.environ.get("SMTP_SOURCE") or shutil.which("smtp-source", path=os.environ["PATH"] + ":/usr/sbin")
    if not source or not shutil.which("wrk"):
        raise SystemExit("needs smtp-source and wrk")

    instances.adopt_orphans()
    ours = instances.Instance(options.build, users=0, web=True, forms={
        "system-configuration": {"Web-Sessions-per-Address": "1000"}})
    try:
        ours.start()
        run(options, source, ours)
    finally:
        ours.stop()
        ours.remove()


def run(options, source, ours):
    forms = "\n".join("===== Account Data =====\n\n" + accounts.account_form(i, accounts.READY_HASH)
                      for i in range(1, options.accounts + 1))
    seconds, _ = timed(lambda: ours.command("import", "--yes", input=forms, limit=600))
    print(f"import  {options.accounts} accounts with ready hashes: {seconds:.1f} s", flush=True)
    seconds, out = timed(lambda: ours.command("export", limit=600).stdout)
    print(f"export  {len(out)} octets: {seconds:.1f} s", flush=True)

    visitor = Visitor(ours.ports["web"])
    visitor.log_in("Postmaster", instances.POSTMASTER_PASSWORD)
    last = options.accounts // 50 + 1  # the Postmaster is the one more
    pages = [
        ("list, first page", "/accounts"), ("list, last page", f"/accounts?page={last}"),
        ("list by name, downwards", "/accounts?sort=name&down=1"), ("search: a part", "/accounts?find=user777"),
        ("search: a pattern", "/accounts?find=*9*%40post.example"), ("search: nothing", "/accounts?find=nobody.at.all"),
        ("one account", "/accounts/777"), ("its history", "/accounts/777/history"), ("a new account", "/accounts/new"),
        ("System Configuration", "/settings/system-configuration"), ("System Security", "/settings/system-security"),
        ("System Information", "/settings/system-information"), ("own account", "/account"), ("front page", "/"),
        ("Mail Routing", "/settings/mail-routing"), ("history of a form", "/settings/system-configuration/history"),
        ("queue", "/queue"), ("routing rehearsal", "/route?address=user777%40post.example"),
        ("story of a message", "/story?about=user777%40post.example"), ("set-up check", "/setup")]
    measure_pages(visitor, pages)

    wwwd = ours.processes()["wwwd"]
    suite = [pid for pids in ours.processes().values() for pid in pids]
    use_processors(suite, {0})
    for name, path in (("list", "/accounts"), ("account", "/accounts/777"), ("settings", "/settings/system-security")):
        before = processor_seconds(suite)
        rate, worst = wrk(ours, visitor, path, options.seconds, processor=1)
        busy = processor_seconds(suite) - before
        print(f"wrk     {name:28} {rate:7.0f} pages/s on one processor, 99 % within {worst}, "
              f"{1000 * busy / (rate * options.seconds):.2f} ms of processor a page", flush=True)
    use_processors(suite, range(os.cpu_count()))
    measure_mail(source, ours, visitor, "/accounts", options.messages)
    for pid in wwwd:
        print(f"memory  wwwd at most {instances.peak_kib(pid) / 1024:.1f} MB", flush=True)
    for pid in ours.processes()["accounts"]:
        print(f"memory  accounts at most {instances.peak_kib(pid) / 1024:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
