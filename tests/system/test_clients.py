"""Programs that people use, from Debian packages, against the running instance."""
import re
import subprocess
import tempfile
from pathlib import Path

from content import digest, random_content, without_trace
from harness import SystemTest, needs_program


class ClientTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(dir=self.instance.base)))

    def run_client(self, *command, input=None, check=True, environment=None):
        done = subprocess.run([str(c) for c in command], input=input, capture_output=True, timeout=60,
                              cwd=self.folder, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder),
                                                    "LC_ALL": "C.UTF-8", **(environment or {})})
        shown = (done.stdout[-4000:] + done.stderr[-4000:]).decode(errors="backslashreplace")
        if check:
            self.assertEqual(done.returncode, 0, f"{command[0]}: exit {done.returncode}\n{shown}")
        done.shown = shown
        return done

    def private_file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def put_message(self, user, seed=1, size=3000):
        content = random_content(size, seed)
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(content, to=user.address)
        return content


class Swaks(ClientTest):
    def swaks(self, user, port, *more, **options):
        return self.run_client("swaks", "--server", f"127.0.0.1:{self.instance.ports[port]}", "--to", user.address,
                               "--helo", "client.example.test", "--header", "Subject: by swaks", "--body",
                               "one line\n.\nafter a dot\n", "--timeout", 30, *more, **options)

    def check_arrived(self, user):
        message = self.only_message(user)
        self.assertIn(b"Subject: by swaks\r\n", message)
        self.assertTrue(message.rstrip().endswith(b"after a dot"), message)
        return message

    @needs_program("swaks")
    def test_port_25(self):
        user = self.user()
        self.swaks(user, "smtp", "--from", "someone@elsewhere.example")
        message = self.check_arrived(user)
        self.assertIn(b"Return-Path: <someone@elsewhere.example>", message)

    @needs_program("swaks")
    def test_port_25_starttls(self):
        user = self.user()
        done = self.swaks(user, "smtp", "--from", "someone@elsewhere.example", "--tls")
        self.assertIn(b"TLS started with cipher", done.stdout)
        self.assertRegex(self.check_arrived(user), rb"with ESMTPS")

    @needs_program("swaks")
    def test_submission_auth_plain(self):
        user = self.user()
        self.swaks(user, "submission", "--from", user.address, "--tls", "--auth", "PLAIN",
                   "--auth-user", user.address, "--auth-password", user.password)
        self.assertRegex(self.check_arrived(user), rb"with ESMTPSA")

    @needs_program("swaks")
    def test_submission_auth_login(self):
        user = self.user()
        self.swaks(user, "submission", "--from", user.address, "--tls", "--auth", "LOGIN",
                   "--auth-user", user.login, "--auth-password", user.password)
        self.check_arrived(user)

    @needs_program("swaks")
    def test_submission_wrong_password_is_refused(self):
        user = self.user()
        done = self.swaks(user, "submission", "--from", user.address, "--tls", "--auth", "PLAIN",
                          "--auth-user", user.address, "--auth-password", "not this one", check=False)
        self.assertEqual(done.returncode, 28, done.shown)  # swaks: authentication failed
        self.assertIn(b"535", done.stdout)
        self.assert_empty(user)

    @needs_program("swaks")
    def test_submission_without_tls_offers_no_auth(self):
        user = self.user()
        done = self.swaks(user, "submission", "--from", user.address, "--auth", "PLAIN",
                          "--auth-user", user.address, "--auth-password", user.password, check=False)
        self.assertNotEqual(done.returncode, 0, done.shown)
        self.assertNotIn(b"AUTH PLAIN ", done.stdout)
        self.assert_empty(user)

    @needs_program("swaks")
    def test_submissions_implicit_tls(self):
        user = self.user()
        self.swaks(user, "smtps", "--from", user.address, "--tls-on-connect", "--auth", "PLAIN",
                   "--auth-user", user.address, "--auth-password", user.password)
        self.check_arrived(user)

    @needs_program("swaks")
    def test_pipelining(self):
        user = self.user()
        self.swaks(user, "smtp", "--from", "someone@elsewhere.example", "--pipeline")
        self.check_arrived(user)


class Curl(ClientTest):
    def fetch(self, user, scheme, port, *more):
        url = f"{scheme}://127.0.0.1:{self.instance.ports[port]}/1"
        return self.run_client("curl", "-sS", "-k", *more, "--user", f"{user.login}:{user.password}", url).stdout

    @needs_program("curl")
    def test_pop3_stls(self):
        user = self.user()
        content = self.put_message(user, 11)
        got, _ = without_trace(self.fetch(user, "pop3", "pop3", "--ssl-reqd"))
        self.assertEqual(digest(got), digest(content))

    @needs_program("curl")
    def test_pop3s(self):
        user = self.user()
        content = self.put_message(user, 12)
        got, _ = without_trace(self.fetch(user, "pop3s", "pop3s"))
        self.assertEqual(digest(got), digest(content))

    @needs_program("curl")
    def test_pop3_sasl_plain_with_initial_response(self):
        user = self.user()
        content = self.put_message(user, 13)
        got, _ = without_trace(self.fetch(user, "pop3s", "pop3s", "--login-options", "AUTH=PLAIN", "--sasl-ir"))
        self.assertEqual(digest(got), digest(content))

    @needs_program("curl")
    def test_smtp_send(self):
        user, other = self.user(), self.user()
        message = self.folder / "message"
        message.write_bytes(f"From: <{user.address}>\r\nTo: <{other.address}>\r\nSubject: by curl\r\n\r\n.dot\r\n".encode())
        self.run_client("curl", "-sS", "-k", "--ssl-reqd", "--user", f"{user.address}:{user.password}",
                        "--mail-from", user.address, "--mail-rcpt", other.address, "--upload-file", message,
                        f"smtp://127.0.0.1:{self.instance.ports['submission']}")
        got = self.only_message(other)
        self.assertTrue(got.endswith(b"\r\n\r\n.dot\r\n"), got)


class FetchingPrograms(ClientTest):
    @needs_program("mpop")
    def test_mpop(self):
        user = self.user()
        contents = {digest(self.put_message(user, seed)) for seed in (21, 22, 23)}
        for name in ("new", "cur", "tmp"):
            (self.folder / "mail" / name).mkdir(parents=True, exist_ok=True)
        conf = self.private_file("mpoprc", f"""
account default
host 127.0.0.1
port {self.instance.ports['pop3']}
tls on
tls_starttls on
tls_certcheck off
user {user.login}
password "{user.password}"
delivery maildir {self.folder}/mail
uidls_file {self.folder}/uidls
keep off
received_header off
""")
        self.run_client("mpop", "-C", conf)
        # mpop writes LF into its Maildir; the message had CRLF everywhere.
        got = [p.read_bytes().replace(b"\n", b"\r\n") for p in (self.folder / "mail" / "new").iterdir()]
        self.assertEqual({digest(without_trace(m)[0]) for m in got}, contents)
        self.assert_empty(user)

    @needs_program("mpop")
    def test_mpop_keeps_and_does_not_fetch_twice(self):
        user = self.user()
        self.put_message(user, 24)
        conf = self.private_file("mpoprc", f"""
account default
host 127.0.0.1
port {self.instance.ports['pop3s']}
tls on
tls_starttls off
tls_certcheck off
user {user.login}
password "{user.password}"
delivery mbox {self.folder}/mbox
uidls_file {self.folder}/uidls
keep on
""")
        self.run_client("mpop", "-C", conf)
        first = (self.folder / "mbox").read_bytes()
        self.run_client("mpop", "-C", conf)
        self.assertEqual((self.folder / "mbox").read_bytes(), first, "the second run fetched what it had")
        self.assertIn(b"Subject: content 24", first)
        self.only_message(user)

    @needs_program("fetchmail")
    def test_fetchmail(self):
        user = self.user()
        for seed in (31, 32):
            self.put_message(user, seed)
        conf = self.private_file("fetchmailrc", f"""
set no bouncemail
poll 127.0.0.1 service {self.instance.ports['pop3']} protocol pop3 uidl
  user "{user.login}" password "{user.password}" sslproto "tls1.2+" no sslcertck fetchall no keep
  mda "cat >> {self.folder}/got"
""")
        # fetchmail will not run as root with some mdas unless told where it may keep its ids.
        self.run_client("fetchmail", "-f", conf, "-i", self.folder / "ids", "--pidfile", self.folder / "pid", "-v",
                        environment={"FETCHMAILHOME": str(self.folder)})
        got = (self.folder / "got").read_bytes()
        self.assertEqual(sorted(re.findall(rb"^Subject: content (\d+)", got, re.M)), [b"31", b"32"])
        self.assert_empty(user)


class SNail(ClientTest):
    @needs_program("s-nail")
    def test_sends_by_submission_and_reads_by_pop3(self):
        user, other = self.user(), self.user()
        quoted = lambda text: text.replace("@", "%40").replace(" ", "%20")
        common = ["-Sv15-compat", "-n", "-Stls-verify=ignore", f"-Sfrom={user.address}", "-Spop3-auth=plain"]
        submission, pop3 = self.instance.ports["submission"], self.instance.ports["pop3"]
        self.run_client("s-nail", *common, "-Ssmtp-use-starttls", "-Ssmtp-auth=plain",
                        f"-Smta=smtp://{quoted(user.address)}:{quoted(user.password)}@127.0.0.1:{submission}",
                        "-Ssendwait", "-s", "by s-nail", other.address, input=b"the text of it\n.\nmore\n")
        self.assertIn(b"the text of it", self.only_message(other))
        done = self.run_client(
            "s-nail", *common, "-Spop3-use-starttls", "-Spop3-keepalive=", "-f",
            f"pop3://{quoted(other.login)}:{quoted(other.password)}@127.0.0.1:{pop3}", input=b"type 1\nexit\n")
        self.assertIn(b"Subject: by s-nail", done.stdout, done.shown)
        self.assertIn(b"the text of it", done.stdout, done.shown)
