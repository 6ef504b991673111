#!/usr/bin/env python3
"""tests/bench/sendmail_rate.py --build BUILD --base DIRECTORY [--count N] [--at-once N] [--rounds N]: this suite's sendmail
beside Postfix's, started by xargs --count times, --at-once at a time, each with an empty message for one local mailbox.
Messages a second, from the first start to the last end, in turn, and the medians. Needs root and the peers of
tests/system/fetch_peers; --base must be a new directory on the disk in question, and is removed."""
import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.dont_write_bytecode = True

import instance as instances  # noqa: E402
from namespace import Network, View, lacking  # noqa: E402
from receivers import Authority, Postfix  # noqa: E402


def rate(view, options, recipient):
    addresses = "\n".join([recipient] * options.count)
    begun = time.monotonic()
    done = subprocess.run(view.command("xargs", "-P", options.at_once, "-n", "1", "/usr/sbin/sendmail", "-i", "-f",
                                       "sender@post.example"), input=addresses, text=True, capture_output=True, cwd="/")
    took = time.monotonic() - begun
    if done.returncode != 0:
        raise SystemExit(f"sendmail: {done.stderr[:1000]}")
    return options.count / took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("build", "base"):
        parser.add_argument("--" + name, required=True)
    for name, value in (("count", 1000), ("at-once", 8), ("rounds", 5)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    base = Path(options.base)
    if base.exists():
        raise SystemExit(f"{base} is there already")
    why = lacking("postfix")
    if why:
        raise SystemExit(why)
    instances.adopt_orphans()
    base.mkdir(parents=True)
    base.chmod(0o755)
    (base / "instance").mkdir()
    instances.make_base = lambda _: base / "instance"
    network, ours, postfix = Network(), None, None
    network.own("192.0.2.0/24")
    try:
        ours = instances.Instance(options.build, users=1)
        ours.start()
        usr = base / "usr"
        (usr / "sbin").mkdir(parents=True)
        (usr / "sbin" / "sendmail").symlink_to(ours.program / "sendmail")
        view = View(base / "view", usr=usr, etc={"post.office.conf": ours.conf.read_text()})
        certificate = Authority(base / "authority").issue("mx.post.example")
        postfix = Postfix(base / "postfix", network, certificate, "mx.post.example", {"192.0.2.1": {}}).start()
        results = {"post.office": [], "postfix": []}
        for number in range(options.rounds + 1):
            for name, where in (("post.office", view), ("postfix", postfix.view)):
                found = rate(where, options, "user1@post.example")
                if number:  # the first of each warms the caches
                    results[name].append(found)
                    print(f"{name}: {found:.0f} messages a second", flush=True)
                time.sleep(2)
        medians = {name: statistics.median(rates) for name, rates in results.items()}
        print(", ".join(f"{name} {median:.0f}/s" for name, median in medians.items()) +
              f": {medians['post.office'] / medians['postfix']:.1f} times Postfix's (at least 5)")
    finally:
        if ours:
            ours.stop()
        if postfix:
            postfix.stop()
        instances.end_all_descendants()
        network.close()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
