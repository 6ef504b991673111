"""The sendmail program: by hand, and called by cron, git send-email, PHP, mutt and s-nail, which find it where they look
for it, as the user `keeper` of a system on which it is installed."""
import email
import email.utils
import re
import subprocess
import threading
import unittest

from namespace import View, lacking
from outbound import OutboundTest, letter

USAGE, NOUSER, TEMPFAIL = 64, 67, 75


class SendmailTest(OutboundTest):
    peers = ()
    etc = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        why = lacking(*cls.peers)
        if why:
            raise unittest.SkipTest(why)
        folder = cls.world.base / f"sendmail-{cls.__name__}"
        usr = folder / "usr"
        program = cls.instance.program / "sendmail"
        for name in ("sbin/sendmail", "lib/sendmail", "bin/mailq", "bin/newaliases"):
            (usr / name).parent.mkdir(parents=True, exist_ok=True)
            (usr / name).symlink_to(program)
        cls.view = View(folder / "view", cls.peers, usr=usr, places=cls.places(),
                        etc={"post.office.conf": cls.instance.conf.read_text(), **cls.etc})
        uid, gid = cls.view.id_of("keeper")
        cls.as_keeper = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        cls.home = folder / "home"
        cls.home.mkdir()
        cls.view.give(cls.home, "keeper")

    @classmethod
    def places(cls):
        return ()

    def run_as(self, user, *words, input=b"", limit=60):
        who = self.as_keeper if user == "keeper" else []
        return subprocess.run(
            self.view.command(*who, *words), input=input if isinstance(input, bytes) else input.encode(),
            capture_output=True, timeout=limit, cwd=self.home,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.home), "LOGNAME": user, "USER": user, "LC_ALL": "C.UTF-8"})

    def sendmail(self, *options, input=b"", user="keeper", status=0, **how):
        done = self.run_as(user, "/usr/sbin/sendmail", *options, input=input, **how)
        self.assertEqual(done.returncode, status, f"sendmail {' '.join(options)}: {done.stdout} {done.stderr}")
        return done

    def got(self, user):
        """The message in that mailbox."""
        return self.notice(user)


class ByHand(SendmailTest):
    def test_recipients_on_the_command_line(self):
        user, host = self.user(), self.world.sink()
        self.sendmail(user.address, f"jane@{host.domain}", input="Subject: by hand\nX-Odd:  kept \n\nText.\n")
        message = self.got(user)
        self.assertIn(b"Subject: by hand\r\nX-Odd:  kept \r\n", message)
        self.assertTrue(message.endswith(b"\r\n\r\nText.\r\n"))
        self.taken(host)
        head = email.message_from_bytes(message)
        self.assertTrue(email.utils.parsedate_to_datetime(head["Date"]))
        self.assertRegex(head["Message-ID"], r"^<[^<>@\s]+@mx\.post\.example>$")
        self.assertIn("keeper@", head["From"])
        self.assertIn("keeper@", head["Return-Path"])

    def test_recipients_from_the_header(self):
        users = [self.user() for _ in range(4)]
        to, cc, bcc, also = (u.address for u in users)
        self.sendmail("-t", "-i", input=f"To: One <{to}>,\n group: {cc};\nCc:\nBcc: {bcc},\n {also}\nSubject: with -t\n\n.\nend\n")
        for user in users:
            message = self.got(user)
            self.assertNotIn(b"Bcc", message)
            self.assertNotIn(bcc.encode(), message.split(b"Subject: ", 1)[1])
            self.assertTrue(message.endswith(b"\r\n\r\n.\r\nend\r\n"), message)

    def test_a_dot_ends_the_message_unless_told(self):
        for options, rest in (((), b"\r\n\r\nfirst\r\n"), (("-i",), b"\r\n\r\nfirst\r\n.\r\nlast\r\n"),
                              (("-oi",), b"\r\n\r\nfirst\r\n.\r\nlast\r\n")):
            user = self.user()
            self.sendmail(*options, user.address, input="Subject: dots\n\nfirst\n.\nlast\n")
            self.assertTrue(self.got(user).endswith(rest), options)

    def test_sender_and_full_name(self):
        user = self.user()
        self.sendmail("-f", "bounces@post.example", "-F", "Keeper of Keys", user.address, input="Subject: with -F\n\n", user="root")
        message = email.message_from_bytes(self.got(user))
        self.assertEqual(message["Return-Path"], "<bounces@post.example>")
        self.assertEqual(email.utils.parseaddr(message["From"]), ("Keeper of Keys", "bounces@post.example"))

    def test_a_user_who_is_not_trusted_leaves_a_trace(self):
        user, by_root = self.user(), self.user()
        text = "From: The Boss <boss@post.example>\nSubject: a raise\n\n"
        self.sendmail("-f", "boss@post.example", user.address, input=text)
        self.assertRegex(self.got(user).split(b"\r\n\r\n")[0], rb"(?m)^X-Authentication-Warning: .*keeper|uid 64006")
        self.sendmail("-f", "boss@post.example", by_root.address, input=text, user="root")
        self.assertNotIn(b"X-Authentication-Warning", self.got(by_root))

    def test_null_sender(self):
        user = self.user()
        self.sendmail("-f", "<>", user.address, input="Subject: from nobody\n\n", user="root")
        self.assertIn(b"Return-Path: <>\r\n", self.got(user))

    def test_line_ends_of_every_kind(self):
        user, other = self.user(), self.user()
        self.sendmail("-i", user.address, input=b"Subject: crlf\r\n\r\none\r\ntwo\r\n")
        self.assertTrue(self.got(user).endswith(b"\r\n\r\none\r\ntwo\r\n"))
        self.sendmail("-i", other.address, input=b"Subject: no end\n\nlast line without an end")
        self.assertTrue(self.got(other).endswith(b"\r\n\r\nlast line without an end\r\n"))

    def test_text_without_a_header(self):
        user = self.user()
        self.sendmail(user.address, input="just text\nand more\n")
        self.assertTrue(self.got(user).endswith(b"\r\n\r\njust text\r\nand more\r\n"))

    def test_eight_bit_and_large(self):
        user = self.user()
        body = "Grüße\n" * 300_000
        self.sendmail("-i", "-B8BITMIME", user.address, input="Subject: large\n\n" + body)
        self.assertTrue(self.got(user).endswith(body.replace("\n", "\r\n").encode()))

    def test_dsn_options(self):
        host = self.world.sink()
        self.sendmail("-N", "failure,delay", "-R", "hdrs", "-V", "my id+1", f"jane@{host.domain}", input="Subject: dsn\n\n")
        mail = self.taken(host)[0]
        self.assertIn("RET=HDRS", mail.sender_parameters)
        self.assertIn("ENVID=my+20id+2B1", mail.sender_parameters)
        self.assertRegex(mail.recipient_parameters[0], "NOTIFY=(FAILURE,DELAY|DELAY,FAILURE)")

    def test_bang_paths(self):
        host = self.world.sink()
        self.sendmail(f"{host.domain}!host2!user", input="Subject: uucp\n\n")
        self.assertEqual(self.taken(host)[0].recipients, [f"user%host2@{host.domain}"])

    def test_harmless_options_are_taken(self):
        user = self.user()
        self.sendmail("-oem", "-oee", "-em", "-ep", "-odb", "-om", "-h", "5", "-U", "-L", "tag", "-G", "-v", "-Ac", "-Am",
                      "-O", "DeliveryMode=b", "-bm", "-Fname", "--", user.address, input="Subject: options\n\n")
        self.got(user)

    def test_wrong_usage(self):
        for options in (("-Z",), (), ("-bz",), ("-bd",), ("-bv", "postmaster"), ("-f",)):
            self.sendmail(*options, input="Subject: x\n\n", status=USAGE)

    def test_nobody_of_that_name(self):
        done = self.sendmail("no.such.user@post.example", input="Subject: x\n\n", status=NOUSER)
        self.assertIn(b"no.such.user@post.example", done.stderr)

    def test_smtp_on_standard_input(self):
        user = self.user()
        done = self.sendmail("-bs", input=(f"EHLO here\r\nMAIL FROM:<keeper@post.example>\r\nRCPT TO:<{user.address}>\r\nDATA\r\n"
                                           "Subject: by -bs\r\n\r\n..\r\n.\r\nQUIT\r\n"))
        self.assertRegex(done.stdout, rb"(?s)\A220 .*\r\n354 .*\r\n250 .*\r\n221 ")
        self.assertTrue(self.got(user).endswith(b"\r\n\r\n.\r\n"))

    def test_other_names(self):
        self.assertEqual(self.run_as("keeper", "newaliases").returncode, 0)
        self.assertEqual(self.run_as("keeper", "/usr/sbin/sendmail", "-bi").returncode, 0)
        self.assertEqual(self.run_as("root", "/usr/sbin/sendmail", "-q").returncode, 0)
        message = self.send(letter("for mailq"), "jane@refused.example")
        self.until(lambda: self.waiting(message), "it to wait")
        for words in (("mailq",), ("/usr/sbin/sendmail", "-bp")):
            done = self.run_as("root", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(message.encode(), done.stdout)
        self.queue("remove", "--discard", message)

    def test_eight_at_once(self):
        user = self.user()
        threads = [threading.Thread(target=lambda n=n: [
            self.run_as("keeper", "/usr/sbin/sendmail", user.address, input=f"Subject: {n}.{m}\n\n") for m in range(5)])
            for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.until(lambda: len(self.instance.fetch_all(user)) >= 40, "40 messages")
        subjects = {email.message_from_bytes(m)["Subject"] for m in self.instance.fetch_all(user)}
        self.assertEqual(len(subjects), 40)

    def test_it_waits_through_a_restart(self):
        user = self.user()
        for pid in self.instance.processes()["smtpd"]:
            self.instance.signal(pid, 9)
        self.sendmail(user.address, input="Subject: through a restart\n\n", limit=80)
        self.got(user)

    def test_octets_zero_are_left_out(self):
        user = self.user()
        self.sendmail("-i", user.address, input=b"Subject: zero\n\na\0b\n")
        self.assertTrue(self.got(user).endswith(b"\r\n\r\nab\r\n"))


class Callers(SendmailTest):
    peers = ("php-cli", "git-email", "libmailtools-perl")

    def test_php_mail(self):
        user = self.user()
        done = self.run_as("keeper", "php8.2", "-n", "-r", "exit(mail($argv[1], 'by PHP', \"line\\n.\\nend\\n\", "
                           "['From' => 'web@post.example'], '-fweb@post.example') ? 0 : 1);", user.address)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        message = self.got(user)
        self.assertIn(b"Subject: by PHP\r\n", message)
        self.assertIn(b"\r\nline\r\n.\r\nend\r\n", message)

    def test_git_send_email(self):
        user = self.user()
        patch = self.home / "0001.patch"
        patch.write_text("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
                         "From: A Hacker <hacker@post.example>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
                         "Subject: [PATCH] fix\n\nWords.\n---\n a | 2 +-\n")
        done = self.run_as("keeper", "git", "-c", "user.name=A Hacker", "-c", "user.email=hacker@post.example", "send-email",
                           "--confirm=never", "--suppress-cc=all", "--from", "A Hacker <hacker@post.example>", "--to",
                           user.address, patch)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(b"Subject: [PATCH] fix\r\n", self.got(user))

    def test_mutt(self):
        user, attached = self.user(), self.home / "attached.bin"
        attached.write_bytes(bytes(range(256)))
        done = self.run_as("keeper", "mutt", "-n", "-F", "/dev/null", "-e", "set from=keeper@post.example", "-s", "by mutt", "-a",
                           attached, "--", user.address, input="Text\n.\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        message = email.message_from_bytes(self.got(user))
        self.assertEqual(message["Subject"], "by mutt")
        self.assertEqual(message.get_payload()[1].get_payload(decode=True), bytes(range(256)))

    def test_s_nail(self):
        user = self.user()
        done = self.run_as("keeper", "s-nail", "-:/", "-S", "sendwait", "-r", "keeper@post.example", "-s", "by s-nail", user.address,
                           input="Text\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(b"Subject: by s-nail\r\n", self.got(user))


class Cron(SendmailTest):
    peers = ("cron",)
    etc = {"crontab": "MAILTO=cron.reader@post.example\n@reboot root echo hello from a job; echo .; echo the end\n"}

    @classmethod
    def places(cls):
        return ("/var/spool/cron/crontabs",)

    def test_the_output_of_a_job(self):
        user = self.user()
        self.instance.account_set(user.address, Internet_Addresses=[user.address, "cron.reader@post.example"])
        with self.world.network:
            cron = subprocess.Popen(self.view.command("/usr/sbin/cron", "-f"), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            message = self.got(user)
        finally:
            cron.terminate()
            cron.wait(10)
        self.assertIn(b"hello from a job\r\n.\r\nthe end\r\n", message)
        self.assertRegex(message, rb"(?m)^Subject: Cron <root@[^>]*> ")
        self.assertRegex(message, rb"(?m)^From: .*(Cron Daemon|CronDaemon)")


class Down(SendmailTest):
    """Of an instance that stays down: EX_TEMPFAIL after a minute, since cron does not try again."""

    def test_nobody_serves(self):
        conf = self.world.base / "down.conf"
        conf.write_text(re.sub(r"(?m)^spool-directory .*", f"spool-directory {self.world.base}/down", self.instance.conf.read_text()))
        done = self.run_as("root", "/usr/sbin/sendmail", "-C", conf, "postmaster", input="Subject: x\n\n", limit=180)
        self.assertEqual(done.returncode, TEMPFAIL, done.stderr)
        self.assertTrue(done.stderr)
