"""start, stop, status, check, reload, restart; what the processes may do."""
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from content import large_content
from dialogue import Closed, Pop3, tls_context
from harness import SystemTest, needs_program, needs_root
from instance import descendants, reap
from test_http import Http, get

MODULES = ("accounts", "queue", "smtpd", "pop3d")


def status_of(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


class Status(SystemTest):
    def rows(self):
        return self.instance.status()["processes"]

    def test_status_json(self):
        rows = self.rows()
        names = [row["name"] for row in rows]
        for module in MODULES:
            self.assertTrue([n for n in names if n.split(".")[0] == module], f"{module} in {names}")
        running = {pid for pids in self.instance.processes().values() for pid in pids}
        for row in rows:
            self.assertIn(row["pid"], running)
            for key in ("uptime", "restarts", "sessions"):
                self.assertIn(key, row)

    def test_status_text(self):
        text = self.instance.command("status").stdout
        for name, pids in self.instance.processes().items():
            for pid in pids:
                self.assertRegex(text, rf"\b{pid}\b", name)

    def test_sessions_are_counted(self):
        clients = [self.instance.smtp() for _ in range(7)]
        try:
            self.instance.until(lambda: sum(r["sessions"] for r in self.rows() if r["name"].startswith("smtpd")) >= 7, 10,
                                "seven sessions in the status")
        finally:
            for client in clients:
                client.close()

    def test_check(self):
        mode = (self.instance.program / "smtpd").stat().st_mode & 0o7777
        try:
            for path in self.instance.program.iterdir():  # a sanitizer build runs with other modes
                path.chmod(0o711)
            self.instance.command("check")
        finally:
            for path in self.instance.program.iterdir():
                path.chmod(mode)

    @needs_root
    def test_check_names_thing_place_and_remedy(self):
        secrets = self.instance.spool / "secrets"
        mode = secrets.stat().st_mode & 0o7777
        secrets.chmod(0o755)
        try:
            done = self.instance.command("check", check=False)
        finally:
            secrets.chmod(mode)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        shown = done.stdout + done.stderr
        self.assertIn(str(secrets), shown)
        self.assertRegex(shown, "chmod|0?700")

    def test_a_word_too_many_does_nothing(self):
        before = self.instance.processes()
        for words in (["stop", "smtpd"], ["shutdown", "now"], ["restart", "pop3d"], ["reload", "tls"], ["status", "--xml"],
                      ["check", "all"], ["version", "1"], ["start", "smtpd"], ["halt"]):
            done = self.instance.command(*words, check=False)
            self.assertEqual(done.returncode, 64, words)
            self.assertIn(words[0], done.stderr)
        self.assertEqual(self.instance.processes(), before)

    def test_check_of_a_wrong_configuration(self):
        conf = self.instance.base / "wrong.conf"
        conf.write_text(self.instance.conf.read_text() + "nonsense here\n")
        done = subprocess.run([self.instance.program / "post.office", "-c", conf, "check"], capture_output=True, text=True,
                              timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, r"wrong\.conf:\d+: nonsense")


class Confinement(SystemTest):
    own = {"users": 0, "web": True}

    def test_modules_are_confined(self):
        self.instance.wait_all_up()
        for name, pids in self.instance.processes().items():
            for pid in pids:
                status = status_of(pid)
                if name == "dispatcher":
                    continue
                self.assertEqual(status["NoNewPrivs"], "1", name)
                self.assertEqual(status["Seccomp"], "2", name)

    def test_no_capabilities(self):
        for name, pids in self.instance.processes().items():
            for pid in pids:
                status = status_of(pid)
                for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    self.assertEqual(int(status[kind], 16), 0, f"{name}: {kind}")

    @needs_root
    def test_processes_run_as_mta(self):
        user = self.instance.user
        for name, pids in self.instance.processes().items():
            for pid in pids:
                status = status_of(pid)
                self.assertEqual(status["Uid"].split(), [str(user.pw_uid)] * 4, name)
                self.assertEqual(status["Gid"].split(), [str(user.pw_gid)] * 4, name)
                self.assertEqual(status["Groups"].split(), [], name)

    @needs_root
    def test_dispatcher_cannot_become_root_again(self):
        status = status_of(self.instance.process.pid)
        self.assertNotIn("0", status["Uid"].split() + status["Gid"].split())

    @needs_root
    def test_modules_have_no_descriptors_that_they_need_not(self):
        """Only queue has the store open, only accounts secrets/; nobody but them the lock file of the directory."""
        for name, pids in self.instance.processes().items():
            for pid in pids:
                links = []
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    try:
                        links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
                    except FileNotFoundError:
                        pass
                store = [p for p in links if p.startswith(str(self.instance.mailbox))]
                secrets = [p for p in links if p.startswith(str(self.instance.spool / "secrets"))]
                lock = [p for p in links if p == str(self.instance.spool / "directory" / "lock.mdb")]
                self.assertEqual(bool(store), name == "queue", f"{name}: {store}")
                self.assertEqual(bool(secrets), name == "accounts", f"{name}: {secrets}")
                self.assertEqual(bool(lock), name == "accounts", f"{name}: {lock}")

    @needs_root
    def test_executables_belong_to_root(self):
        for path in self.instance.program.iterdir():
            self.assertEqual((path.stat().st_uid, path.stat().st_mode & 0o022), (0, 0), path)

    def test_private_folders(self):
        for path in (self.instance.spool / "directory", self.instance.spool / "secrets", self.instance.mailbox / "store"):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


class Reload(SystemTest):
    own = {"users": 10, "web": True}

    def certificate(self, name):
        """A certificate of our own in the instance's folder."""
        chain, key = self.instance.base / f"{name}.pem", self.instance.base / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", key, "-out", chain, "-days", "30", "-subj", f"/CN={name}"], check=True, capture_output=True)
        key.chmod(0o640)
        if self.instance.user:
            os.chown(key, 0, self.instance.user.pw_gid)
        return chain, key

    def served_certificate(self, port="pop3s"):
        with socket.create_connection(("127.0.0.1", self.instance.ports[port]), timeout=20) as s:
            with tls_context().wrap_socket(s, server_hostname="localhost") as tls:
                return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))

    @needs_program("openssl")
    def test_new_certificate_while_sessions_go_on(self):
        user = self.user()
        chain, key = self.certificate("first")
        first = self.served_certificate()
        with Pop3(self.instance.ports["pop3s"], tls=True) as pop, self.instance.submission(user) as smtp:
            pop.login(user.login, user.password)
            self.instance.certificates = [(chain, key)]
            self.instance.write_conf()
            self.instance.command("reload")
            self.instance.until(lambda: self.served_certificate() == chain.read_text(), 10, "the new certificate")
            self.assertNotEqual(self.served_certificate("smtps"), first)
            pop.stat()
            smtp.deliver(b"From: <%s>\r\nSubject: goes on\r\n\r\n" % user.address.encode(), sender=user.address, to=user.address)
            smtp.quit()
            pop.quit()
        self.assertIn(b"goes on", self.only_message(user))

    def reload_with(self, *lines):
        self.instance.extra = list(lines)
        self.instance.write_conf()
        return self.instance.command("reload").stdout

    def information(self):
        return self.instance.command("form", "show", "system-information").stdout

    def test_system_information_shows_what_is_down(self):
        """Killed again and again, the finger server is started after ever longer pauses; the form says so meanwhile."""
        self.instance.wait_all_up()
        up, down = "Finger-Server: fingerd, 1 process, up", "Finger-Server: fingerd, 1 process, down"
        self.assertIn(up, self.information())

        def seen_down():
            for pid in self.instance.processes().get("fingerd", []):
                os.kill(pid, signal.SIGKILL)
            return down in self.information()
        self.instance.until(seen_down, 60, "System Information to tell of the finger server's end")
        self.instance.until(lambda: up in self.information(), 60, "System Information to tell of its return")

    def test_numbers_of_processes(self):
        """They change, and System Information shows them; what waits for a restart is named."""
        smtpd = self.instance.workers["smtpd"]
        try:
            for wanted, deliver in ((3, "off"), (1, "3")):
                self.instance.workers["smtpd"] = wanted
                said = self.reload_with(f"smtp-deliver {deliver}", "saslauthd /nowhere/mux")
                self.assertIn("These wait for `post.office restart` by root: saslauthd.\n", said)
                information = self.information()
                self.assertIn(f"SMTP-Accept: smtpd, {wanted} process", information)
                self.assertEqual("SMTP-Deliver: smtp-deliver, 3 processes" in information, deliver == "3")
                self.assertEqual("SMTP-Deliver:" in information, deliver == "3")
                counts = [wanted, 3 if deliver == "3" else 0]
                self.instance.until(lambda counts=counts: [len(self.instance.processes().get(name, []))
                                                           for name in ("smtpd", "smtp-deliver")] == counts, 60,
                                    f"{counts} processes of smtpd and smtp-deliver")
            self.instance.wait_all_up()
            self.assertIn("SMTP-Accept: smtpd, 1 process, up", self.information())
        finally:
            self.instance.workers["smtpd"] = smtpd
            self.assertNotIn("restart", self.reload_with())
        self.assert_works()

    @needs_program("openssl")
    def test_certificate_of_the_web_pages(self):
        """It is theirs alone, can be renewed in its file, and whoever is connected is served on."""
        (chain, key), mail = self.certificate("pages"), self.served_certificate()
        line = f"web-certificate {chain} {key}"
        self.instance.wait_all_up()
        self.assertEqual(self.served_certificate("web"), mail)
        with Http(self.instance.ports["web"], tls=True) as http:
            self.assertEqual(http.ask(get("/log-in")).status, 200)
            for _ in range(2):
                self.reload_with(line)
                wanted = chain.read_text()
                self.instance.until(lambda wanted=wanted: self.served_certificate("web") == wanted, 60, "the pages' certificate")
                self.assertEqual(self.served_certificate(), mail)
                self.assertEqual(self.certificate("pages"), (chain, key))
                self.assertNotEqual(chain.read_text(), wanted)
            self.reload_with()
            self.instance.until(lambda: self.served_certificate("web") == mail, 60, "the certificate of all services")
            self.assertEqual(http.ask(get("/log-in")).status, 200)

    @needs_program("openssl")
    def test_wrong_certificate_changes_nothing(self):
        before = self.served_certificate()
        old = self.instance.certificates
        chain, _ = self.certificate("third")
        _, key = self.certificate("fourth")
        self.instance.certificates = [(chain, key)]
        self.instance.write_conf()
        try:
            done = self.instance.command("reload", check=False)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertIn(str(chain), done.stdout + done.stderr)
            self.assertEqual(self.served_certificate(), before)
        finally:
            self.instance.certificates = old
            self.instance.write_conf()
        self.assert_works()


class Deaths(SystemTest):
    """A module killed is back within a second; nobody sees more than a temporary failure."""
    own = {"users": 80}

    def other_pids(self, module, before):
        now = self.instance.processes().get(module, [])
        return len(now) == len(before) and not set(now) & set(before)

    def kill(self, module):
        before = self.instance.processes()[module]
        for pid in before:
            self.instance.signal(pid, 9)
        self.instance.until(lambda: self.other_pids(module, before), 5, f"{module} to be started again")
        self.instance.until(self.all_work, 10, f"all to work after the death of {module}")

    def all_work(self):
        try:
            user = self.instance.take_user()
            self.instance.next_user -= 1
            with self.instance.smtp(limit=5) as smtp:
                if smtp.ehlo().message(b"Subject: probe\r\n\r\n", to="postmaster").code != 250:
                    return False
            self.instance.pop3(user, limit=5).quit()
            return True
        except (Closed, OSError, AssertionError):
            return False

    def survive(self, module):
        """Clients of the other modules go on through the death; their answers are 2xx, 3xx, 4xx, +OK or -ERR [SYS/TEMP]."""
        user, reader = self.user(), self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: before\r\n\r\n", to=reader.address)
        pop = self.instance.pop3(reader)
        smtp = self.instance.smtp().ehlo()
        self.kill(module)
        if module != "smtpd":
            reply = smtp.message(b"Subject: after\r\n\r\n", to=user.address) if module == "pop3d" else smtp.cmd("NOOP")
            self.assertLess(reply.code, 500, reply)
            smtp.cmd("RSET", 250)
            smtp.deliver(b"Subject: after\r\n\r\n", to=user.address)
            smtp.quit()
        if module in ("smtpd", "accounts"):
            self.assertIn(b"before", pop.retr(1))
            pop.quit()
        pop.close()
        smtp.close()
        self.assertEqual(len(self.instance.fetch_all(reader)), 1)
        self.assert_works()

    def test_smtpd(self):
        self.survive("smtpd")

    def test_pop3d(self):
        self.survive("pop3d")

    def test_queue(self):
        self.survive("queue")

    def test_accounts(self):
        self.survive("accounts")

    def test_back_within_a_second(self):
        """The pause before the start, as the log has it: how long the start takes is the machine's affair."""
        for module in ("smtpd", "pop3d", "accounts", "queue"):
            time.sleep(2)  # beyond what the back-off remembers of the deaths before
            self.kill(module)
            pauses = re.findall(rf"event=child-restart name={module}\S* in_ms=(\d+)", self.instance.log_text())
            self.assertLess(int(pauses[-1]), 1000, module)

    def test_restarts_are_counted(self):
        self.kill("pop3d")
        rows = self.instance.status()["processes"]
        self.assertGreaterEqual(sum(r["restarts"] for r in rows if r["name"].startswith("pop3d")), 1)


class Stopping(SystemTest):
    own = {"users": 20}

    def setUp(self):
        if self.instance.process is None:
            self.instance.start()
        super().setUp()

    def test_stop_drains(self):
        """A message on its way when stop comes is finished, and kept."""
        user = self.user()
        content = large_content(400_000, 1)
        smtp = self.instance.smtp().ehlo()
        smtp.cmd("MAIL FROM:<a@elsewhere.example>", 250)
        smtp.cmd(f"RCPT TO:<{user.address}>", 250)
        smtp.cmd("DATA", 354)
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        smtp.send(stuffed[:100_000])
        stopping = threading.Thread(target=self.instance.command, args=("stop",))
        stopping.start()
        time.sleep(0.5)
        smtp.send(stuffed[100_000:] + b".\r\n")
        smtp.expect(smtp.reply(), 250)
        stopping.join()
        self.assertEqual(self.instance.stop(), 0)
        smtp.close()
        self.instance.start()
        self.assert_arrived(user, content)

    def test_stop_does_not_wait_for_idle_clients(self):
        """They are told so; a server that waited for them would be killed, and tell nobody."""
        clients = [self.instance.smtp() for _ in range(5)] + [self.instance.pop3() for _ in range(5)]
        self.instance.command("stop")
        self.assertEqual(self.instance.stop(), 0)
        for client in clients:
            self.assertRegex(client.read_line(), rb"^(421 4\.3\.2|-ERR \[SYS/TEMP\]) ")
            self.assertTrue(client.at_end())
            client.close()

    def test_nothing_is_left(self):
        processes = {pid for pids in self.instance.processes().values() for pid in pids}
        self.instance.command("shutdown")
        self.assertEqual(self.instance.stop(), 0)
        self.instance.until(lambda: self.all_gone(processes), 5, "all to be gone")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", self.instance.ports["smtp"]), timeout=2)

    def test_restart_in_the_background(self):
        """`restart` ends the dispatcher in the foreground and returns when another one serves, in the background."""
        before = {pid for pids in self.instance.processes().values() for pid in pids}
        self.instance.command("restart")
        self.assertEqual(self.instance.process.wait(20), 0)
        self.assert_works()
        pid = int((self.instance.spool / "run" / "pid").read_text().split()[0])
        self.assertNotIn(pid, before)
        after = {pid, *descendants(pid)}
        self.assertFalse(before & after)
        self.instance.command("stop")
        self.instance.until(lambda: self.all_gone(after), 15, "all to be gone")
        self.instance.stop()

    def all_gone(self, pids):
        reap()
        return not any(os.path.exists(f"/proc/{pid}") for pid in pids)

    def test_second_dispatcher_refuses(self):
        done = subprocess.run([self.instance.program / "post.office", "-c", self.instance.conf, "start", "--foreground"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assert_works()

    def test_death_of_the_dispatcher_ends_the_modules(self):
        processes = {pid for name, pids in self.instance.processes().items() if name != "dispatcher" for pid in pids}
        self.instance.signal(self.instance.process.pid, 9)
        self.instance.process.wait()
        self.instance.until(lambda: self.all_gone(processes), 10, "the modules to end by themselves")
        self.instance.start_again()
        self.assert_works()
