"""Mail servers of others as the hosts that mail goes to: Postfix, Exim, OpenSMTPD and Postfix's smtp-sink, each run from
its unpacked package (tests/system/fetch_peers) in a network of the test's own, with STARTTLS, keeping what they take in
Maildirs that the test reads."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from dialogue import Closed, Smtp
from namespace import View


EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


class Authority:
    """A certificate authority of the test's own, and certificates by it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        self.certificate = folder / "ca.pem"
        self.openssl("req", "-x509", "-newkey", *EC, "-nodes", "-days", "30",
                     "-subj", "/CN=Authority of the tests", "-keyout", folder / "ca.key", "-out", self.certificate)

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def issue(self, *names, days=20):
        """Chain and key, in files that every user of the machine can read."""
        stem = self.folder / re.sub(r"\W", "_", names[0])
        chain, key, request = (stem.with_name(stem.name + end) for end in (".pem", ".key", ".csr"))
        extensions = stem.with_name(stem.name + ".ext")
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        self.openssl("req", "-newkey", *EC, "-nodes", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / "ca.key",
                     "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", chain)
        key.chmod(0o644)
        return chain, key

    def trust(self):
        """Files below /etc of a system that trusts it (for a View)."""
        text = self.certificate.read_text()
        subject = subprocess.run(["openssl", "x509", "-subject_hash", "-noout", "-in", self.certificate],
                                 check=True, capture_output=True, text=True).stdout.strip()
        return {"ssl/certs/ca-certificates.crt": text, f"ssl/certs/{subject}.0": text}


class Receiver:
    """Started with start(), known by its addresses, read with messages()."""
    peers = ()
    users = ()

    def __init__(self, folder, network, certificate, hostname):
        self.folder, self.network, self.hostname = Path(folder), network, hostname
        self.chain, self.key = certificate
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.mail = self.folder / "mail"
        self.process = None
        self.runs = 0
        self.view = self.make_view()
        self.view.give(self.make(self.mail), "keeper")

    @staticmethod
    def make(folder, mode=0o755):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
        return folder

    def command(self):
        raise NotImplementedError

    def make_view(self):
        raise NotImplementedError

    def ready_at(self):
        """(address, port) that greets when it is up."""
        raise NotImplementedError

    def start(self, wait=True):
        self.runs += 1
        self.output = open(self.folder / "output", "ab")
        with self.network:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.output,
                                            stderr=self.output, start_new_session=True, cwd="/")
        return self.wait() if wait else self

    def wait(self, limit=20):
        address, port = self.ready_at()
        deadline = time.monotonic() + limit
        while True:
            try:
                with self.network, Smtp(port, host=address, limit=5) as smtp:
                    smtp.quit()
                return self
            except (OSError, Closed, AssertionError) as e:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{type(self).__name__} does not come up: {e}\n{self.shown()}") from e
                time.sleep(0.05)

    def stop(self):
        """All of it, at once or after some seconds."""
        if self.process is None:
            return
        group = self.process.pid
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for _ in range(100):
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                break
            time.sleep(0.02)
        self.process = None
        self.output.close()

    def shown(self):
        text = (self.folder / "output").read_text(errors="backslashreplace") if (self.folder / "output").exists() else ""
        for log in sorted(self.folder.rglob("*log")):
            if log.is_file():
                text += f"--- {log.name}\n" + log.read_text(errors="backslashreplace")
        return "\n".join(text.splitlines()[-40:])

    def messages(self, containing=b""):
        """What it took: contents with the line ends that it keeps, the newest last."""
        files = sorted(self.mail.rglob("new/*"), key=lambda p: p.stat().st_mtime_ns)
        found = [path.read_bytes() for path in files]
        return [content for content in found if containing in content]

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postfix(Receiver):
    """`addresses`: address -> options of its smtpd, such as {"smtpd_discard_ehlo_keywords": "8bitmime"}. Recipients
    whose local part begins with `nobody` are refused, those with `later` put off, at RCPT, `full` after the data;
    all others are kept."""

    def __init__(self, folder, network, certificate, hostname, addresses, options=None):
        self.addresses, self.options = addresses, options or {}
        super().__init__(folder, network, certificate, hostname)

    def make_view(self):
        spool, data = self.make(self.folder / "spool"), self.make(self.folder / "data")
        settings = {
            "compatibility_level": "3.6", "queue_directory": spool, "data_directory": data,
            "command_directory": "/usr/sbin", "daemon_directory": "/usr/lib/postfix/sbin", "mail_owner": "postfix",
            "setgid_group": "postdrop", "maillog_file": self.folder / "mail.log", "maillog_file_prefixes": self.folder,
            "myhostname": self.hostname, "mydestination": "", "inet_interfaces": "all",
            "inet_protocols": "all", "mynetworks": "127.0.0.0/8", "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no", "virtual_mailbox_domains": "regexp:/etc/postfix/all",
            "virtual_mailbox_maps": "regexp:/etc/postfix/boxes", "virtual_mailbox_base": self.mail,
            "virtual_mailbox_limit": "0", "mailbox_size_limit": "0", "message_size_limit": "60000000",
            "virtual_minimum_uid": "100", "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "smtpd_recipient_restrictions":
                "check_recipient_access regexp:/etc/postfix/access, permit_auth_destination, reject",
            "smtpd_end_of_data_restrictions": "check_recipient_access regexp:/etc/postfix/access_at_end, permit",
            "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": self.chain, "smtpd_tls_key_file": self.key,
            "smtpd_tls_received_header": "yes", "smtpd_tls_loglevel": "1", "smtputf8_enable": "yes",
            "strict_smtputf8": "no", "smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0",
            "smtpd_delay_reject": "yes", "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "1000",
            **self.options}
        view = View(self.folder / "view", ["postfix"], etc={
            "postfix/main.cf": "".join(f"{name} = {value}\n" for name, value in settings.items()),
            "postfix/master.cf": self.master(), "postfix/all": "/./ OK\n", "postfix/boxes": "/^.+@.+$/ all/\n",
            "postfix/access": "/^nobody/ 550 5.1.1 nobody of that name lives here\n"
                              "/^later/ 450 4.2.0 come back later\n",
            "postfix/access_at_end": "/^full/ 552 5.2.2 the box is full\n"})
        uid, gid = view.id_of("keeper")
        with open(self.folder / "view" / "etc" / "postfix" / "main.cf", "a") as main:
            main.write(f"virtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\n")
        view.give(data, "postfix")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"):
            view.give(self.make(spool / name, 0o700), "postfix")
        self.make(spool / "pid")
        for name, mode in (("public", 0o2710), ("maildrop", 0o1730)):
            folder = self.make(spool / name)
            os.chown(folder, view.id_of("postfix")[0], self.group_of(view, "postdrop"))
            folder.chmod(mode)
        self.make(self.mail / "all", 0o700)
        view.give(self.mail / "all", "keeper")
        return view

    @staticmethod
    def group_of(view, name):
        lines = (view.folder / "etc" / "group").read_text().splitlines()
        return next(int(line.split(":")[2]) for line in lines if line.startswith(name + ":"))

    def master(self):
        lines = []
        for address, options in self.addresses.items():
            at = f"[{address}]" if ":" in address else address
            lines.append(f"{at}:25 inet n - n - 100 smtpd" + "".join(f"\n  -o {n}={v}" for n, v in options.items()))
        for name, kind, program in (
                ("pickup", "unix", "pickup"), ("cleanup", "unix", "cleanup"), ("qmgr", "unix", "qmgr"),
                ("tlsmgr", "unix", "tlsmgr"), ("rewrite", "unix", "trivial-rewrite"), ("bounce", "unix", "bounce"),
                ("defer", "unix", "bounce"), ("trace", "unix", "bounce"), ("verify", "unix", "verify"),
                ("proxymap", "unix", "proxymap"), ("proxywrite", "unix", "proxymap"), ("smtp", "unix", "smtp"),
                ("error", "unix", "error"), ("retry", "unix", "error"), ("discard", "unix", "discard"),
                ("virtual", "unix", "virtual"), ("anvil", "unix", "anvil"), ("scache", "unix", "scache"),
                ("flush", "unix", "flush"), ("showq", "unix", "showq"), ("postlog", "unix-dgram", "postlogd")):
            most = {"cleanup": "0", "bounce": "0", "defer": "0", "trace": "0", "flush": "0"}.get(name, "-")
            if name in ("pickup", "qmgr", "tlsmgr", "anvil", "scache", "postlog", "proxywrite", "verify"):
                most = "1"
            private = "n" if name in ("pickup", "cleanup", "qmgr", "flush", "showq", "postlog") else "-"
            wake = {"pickup": "60", "qmgr": "300", "tlsmgr": "1000?", "flush": "1000?"}.get(name, "-")
            unprivileged = "n" if name == "virtual" else "-"
            lines.append(f"{name} {kind} {private} {unprivileged} n {wake} {most} {program}")
        return "\n".join(lines) + "\n"

    def command(self):
        return self.view.command("/usr/lib/postfix/sbin/master", "-d")

    def ready_at(self):
        return next(iter(self.addresses)), 25

    def log(self):
        path = self.folder / "mail.log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""


class Exim(Receiver):
    """Keeps what comes on port 25 to any address at all but for local parts that begin with `nobody` (refused) or
    `later` (put off); on port 587, as a provider's relay, only what comes under TLS from those who log in."""

    def __init__(self, folder, network, certificate, hostname, address, credentials):
        self.address, self.credentials = address, credentials
        super().__init__(folder, network, certificate, hostname)

    def make_view(self):
        spool, logs = self.make(self.folder / "spool", 0o750), self.make(self.folder / "log", 0o750)
        conf = f"""primary_hostname = {self.hostname}
spool_directory = {spool}
log_file_path = {logs}/%slog
log_selector = +smtp_protocol_error +tls_cipher
domainlist local_domains = *
local_interfaces = {self.address}
daemon_smtp_ports = 25 : 587
tls_advertise_hosts = *
tls_certificate = {self.chain}
tls_privatekey = {self.key}
dsn_advertise_hosts = *
rfc1413_query_timeout = 0s
host_lookup =
dns_dnssec_ok = 0
accept_8bitmime = true
message_size_limit = 60M
never_users = root
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = accept
begin acl
acl_rcpt:
  deny condition = ${{if eq{{$received_port}}{{587}}}}
       !authenticated = *
       message = log in first
  deny local_parts = ^nobody
       message = nobody of that name lives here
  defer local_parts = ^later
        message = come back later
  accept
begin routers
local:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {self.mail}/all
  maildir_format
  create_directory
  user = keeper
  group = keeper
  delivery_date_add
  envelope_to_add
  return_path_add
  headers_add = X-Authenticated: $authenticated_id
begin retry
* * F,2h,1m
begin rewrite
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${{if and{{{{def:tls_in_cipher}}{{eq{{$received_port}}{{587}}}}}}}}
  server_prompts = :
  server_condition = ${{if eq{{$auth2:$auth3}}{{{self.credentials}}}}}
  server_set_id = $auth2
"""
        path = "/etc/exim4/tests.conf"
        view = View(self.folder / "view", ["exim4-daemon-light"],
                    etc={"exim4/tests.conf": conf, "exim4/trusted_configs": path + "\n"})
        for folder in (spool, logs):
            view.give(folder, "Debian-exim")
        return view

    def command(self):
        return self.view.command("/usr/sbin/exim4", "-C", "/etc/exim4/tests.conf", "-bdf", "-q1m")

    def ready_at(self):
        return self.address, 25


class OpenSmtpd(Receiver):
    """Takes mail for any domain. Without TLS on its first address; on the second it offers STARTTLS, and then fails:
    Debian 12's OpenSMTPD cannot use its keys with this OpenSSL. Such hosts are met in the world, too."""

    def __init__(self, folder, network, certificate, hostname, addresses):
        self.addresses = addresses
        super().__init__(folder, network, certificate, hostname)

    def make_view(self):
        conf = f"""table everyone {{ "@" = keeper }}
pki here cert "/etc/smtpd.pem"
pki here key "/etc/smtpd.key"
smtp max-message-size 60M
listen on {self.addresses[0]} port 25 hostname {self.hostname}
listen on {self.addresses[1]} port 25 tls pki here hostname {self.hostname}
action "keep" maildir "{self.mail}/all" virtual <everyone>
match from any for any action "keep"
"""
        view = View(self.folder / "view", ["opensmtpd"], etc={
            "smtpd.conf": conf, "smtpd.pem": self.chain.read_text(), "smtpd.key": self.key.read_text()},
            places=["/var/spool/smtpd", "/var/lib/opensmtpd/empty"])
        (self.folder / "view" / "etc" / "smtpd.key").chmod(0o600)
        view.place("/var/spool/smtpd").chmod(0o711)
        self.make(self.mail / "all", 0o700)
        view.give(self.mail / "all", "keeper")
        return view

    def command(self):
        return self.view.command("smtpd", "-d", "-f", "/etc/smtpd.conf")

    def ready_at(self):
        return self.addresses[0], 25


class SmtpSink(Receiver):
    """Postfix's smtp-sink with its options: "-r", "mail" to put commands off, "-f", "rcpt" to refuse them, "-q",
    "data" to hang up there, "-N" and others to be without an extension, "-a" to be without ESMTP."""

    def __init__(self, folder, network, address, *options):
        self.address, self.options = address, options
        super().__init__(folder, network, (None, None), "smtp-sink.example")

    def make_view(self):
        return View(self.folder / "view", ["postfix"])

    def command(self):
        return self.view.command("smtp-sink", "-u", "keeper", "-d", f"{self.make(self.mail / 'new', 0o777)}/%s.",
                                 *self.options, f"{self.address}:25", "100")

    def ready_at(self):
        return self.address, 25

    def wait(self, limit=20):
        """It may be told to greet nobody: that the port is open has to do."""
        deadline = time.monotonic() + limit
        while True:
            try:
                with self.network:
                    socket.create_connection(self.ready_at(), timeout=5).close()
                return self
            except OSError as e:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"smtp-sink does not come up: {e}\n{self.shown()}") from e
                time.sleep(0.05)
