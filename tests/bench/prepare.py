#!/usr/bin/env python3
"""Makes an instance for the benchmarks: programs, configuration and accounts below --base. What a run changes lies in
BASE/run, of which BASE/fresh is the state to begin with. SMTP and POP3 on the given ports, in as many processes as
there are processors, no DNS, per-address limits out of the way; mail for relay.test is taken from this machine and goes
to the port --sink, if that is given. All else as it comes."""
import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.dont_write_bytecode = True

import accounts  # noqa: E402
from instance import PROGRAMS, service_user  # noqa: E402

SETTINGS = {"SMTP-Sessions-per-Address": "10000", "POP3-Sessions-per-Address": "10000",
            "SMTP-Idle-Command-Limit": "1000000", "Look-Up-Client-Names": "no"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("build", "base", "domain", "password"):
        parser.add_argument("--" + name, required=True)
    for name in ("smtp", "pop3", "users"):
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--sink", type=int)
    options = parser.parse_args()
    base, user = Path(options.base), service_user()
    program, run, conf = base / "program", base / "run", base / "post.office.conf"

    shutil.rmtree(base, ignore_errors=True)
    program.mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copyfile(Path(options.build) / "bin" / name, program / name)
        (program / name).chmod(0o711 if user else 0o755)
    for folder in (run, run / "spool", run / "mailbox", run / "log"):
        folder.mkdir(mode=0o711)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
    workers = os.cpu_count() or 1
    conf.write_text("\n".join([
        "hostname mx." + options.domain, f"program-directory {program}", f"spool-directory {run}/spool",
        f"mailbox-directory {run}/mailbox", f"log-directory {run}/log", "user mta", "group mta", "resolver none",
        f"smtp-deliver {workers}", f"service smtp smtp 127.0.0.1:{options.smtp} smtpd processes={workers} sessions=5000",
        f"service pop3 pop3 127.0.0.1:{options.pop3} pop3d processes={workers} sessions=5000",
        "service command command run/command accounts"]) + "\n")

    def command(*words, text):
        subprocess.run([program / "post.office", "-c", conf, *words], input=text, text=True, check=True,
                       stdout=subprocess.DEVNULL)
    command("form", "set", "system-configuration", text=accounts.form(SETTINGS))
    routing = {"Local-Mail-Domains": options.domain}
    if options.sink:
        routing |= {"Relay-Domains": "relay.test", "Mail-Routing-Table": f"relay.test:[127.0.0.1]:{options.sink}"}
    command("form", "set", "mail-routing", text=accounts.form(routing))
    hashed = accounts.scrypt_hash(options.password)
    command("account", "add", text="\n".join(
        accounts.account_form(n, hashed, options.domain) for n in range(1, options.users + 1)))
    run.rename(base / "fresh")


if __name__ == "__main__":
    main()
