"""installpo, Setup and removal, each on a whole host of its own (whole_host.py): Debian with users, and at times with another
mail system, on which the installer does as root what it does anywhere."""
import re
import stat
import unittest
from pathlib import Path

from harness import Pool, needs_root
from instance import sanitized
from namespace import PEERS
from whole_host import Host

ROOT = Path(__file__).resolve().parents[2]
INSTALLPO = ROOT / "install" / "installpo"
OFFICE = "/usr/local/post.office"
PORTS = {25, 587, 465, 110, 995, 79, 443}
# What may be otherwise after an installation and its removal: the other mail system's own state, copies that useradd makes.
TRACES = re.compile(r"/var/spool/(postfix|exim4)/|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-|/etc/\.pwd\.lock|"
                    r"/etc/(rc.\.d|alternatives|mtab)\b|-old\b")
PLACES = ("/etc", "/usr/sbin", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases", "/usr/local/sbin",
          "/usr/local/share/man", OFFICE, "/var/spool", "/var/mail", "/var/log/post.office", "/var/lib/dpkg/diversions")


class InstallTest(unittest.TestCase):
    """A host for each class, with two users; what is installed on the machine for other reasons is taken off."""
    others = ()  # packages of another mail system, installed and started before
    systemd = False

    @classmethod
    @needs_root
    def setUpClass(cls):
        if sanitized(Pool.build):
            raise unittest.SkipTest("release build only")
        cls.host = host = Host(systemd=cls.systemd)
        cls.addClassCleanup(host.close)
        host.run("dpkg --purge --force-depends postfix exim4-base exim4-config exim4-daemon-light > /dev/null 2>&1;"
                 "for u in $(awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }' /etc/passwd) mta; do userdel $u; groupdel $u; done"
                 " 2> /dev/null;"
                 "rm -f /etc/aliases; true")
        host.add_user("jane", "Sur+Fer!", dot_project="Counting the rain\n", dot_plan="to live] in \\x41\n\nfor ever\n")
        host.add_user("bob", "Bob+Bob!", dot_forward="# mine\nbob@elsewhere.example, \\bob\n|/usr/bin/vacation bob\n")
        for name in cls.others:
            host.install(PEERS / name / "packages")
            host.run(*(("systemctl", "start", cls.service) if cls.systemd else (f"/etc/init.d/{cls.service}", "start")))

    def installpo(self, *options, status=0, **more):
        done = self.host.run(INSTALLPO, *options, check=False, **more)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def setup_program(self, *options, status=0, **more):
        done = self.host.run(f"{OFFICE}/Setup", *options, check=False, **more)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def office(self, *words, **options):
        return self.host.said("post.office", *words, **options)

    def remove(self, *options):
        return self.setup_program("--remove", "--unattended", "--data", "delete", *options)

    def look(self):
        return [line for line in self.host.tree(*PLACES) if not TRACES.search(line)]

    def assert_as_before(self, before):
        after = self.look()
        self.assertEqual([line for line in after if line not in before], [], "new or changed")
        self.assertEqual([line for line in before if line not in after], [], "gone or changed")

    def ports(self):
        lines = self.host.said("ss", "-Hltn").splitlines()
        return {int(line.split()[3].rsplit(":", 1)[1]) for line in lines}

    def mail(self, login, text, sender="root"):
        """Sent by the host's own sendmail; comes into the user's mail drop."""
        self.host.run("/usr/sbin/sendmail", "-f", sender, login, stdin=None, input=f"Subject: {text}\n\n{text}\n")
        self.host.until(lambda: text in self.drop(login), f"{text} in {login}'s mail drop")

    def drop(self, login):
        path = self.host.path(f"/var/mail/{login}")
        return path.read_text() if path.exists() else ""


class Fresh(InstallTest):
    def test_from_nothing_to_mail_and_back(self):
        """Must show 1 and 2: unattended on a fresh Debian, mail of every user in the mail drops; after removal it is as before."""
        before = self.look()
        said = self.installpo("--unattended", "--start")
        self.assertIn("Post.Office runs on mail.podunk.test.", said)
        self.assertEqual(self.ports(), PORTS)
        self.assert_layout()
        for login in ("jane", "bob"):
            self.mail(login, f"hello {login}")
            drop = self.host.path(f"/var/mail/{login}").stat()
            self.assertEqual(stat.S_IMODE(drop.st_mode), 0o660)
            self.assertEqual(str(drop.st_uid), self.host.said("id", "-u", login).strip())
        self.assertEqual(self.host.said("id", "-nG", "mta").split(), ["mta"])
        self.assertIn("Nothing is wrong", self.office("check"))
        self.host.run("rm /var/mail/jane /var/mail/bob")
        self.host.run("post.office queue remove --discard --all")
        self.remove()
        self.assertEqual(self.ports(), set())
        self.assert_as_before(before)

    def assert_layout(self):
        """Every owner and mode of install/layout, read here in another way than installpo does it."""
        places = {"PROGRAM": OFFICE, "SPOOL": "/var/spool/post.office", "MAILBOX": "/var/spool/mailbox", "LOG": "/var/log/post.office"}
        names = {"USER": "mta", "GROUP": "mta"}
        seen = 0
        for line in (ROOT / "install" / "layout").read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            _, owner, group, mode, path = line.split()
            top = path.split("/")[0]
            path = path.replace(top, places[top], 1) if top in places else path
            with self.subTest(path=path):
                self.assertEqual(self.host.said("stat", "-c", "%U %G %04a", path).strip(),
                                 f"{names.get(owner, owner)} {names.get(group, group)} {mode}")
            seen += 1
        self.assertGreater(seen, 20)


class Accounts(InstallTest):
    """What becomes of users, their files and the aliases. One installation, which all tests look at."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        host = cls.host
        host.write("/etc/shadow.secret", "secret words\n", 0o600)
        host.add_user("eve")
        host.run("cd /home/eve && ln -s /etc/shadow.secret .plan && mkfifo .forward && ln -s /etc/shadow.secret .project")
        host.add_user("max", dot_plan="x" * 100_000 + "\n", dot_forward="max@elsewhere.example\n")
        host.run("chsh -s /usr/sbin/nologin games; useradd -M -s /usr/sbin/nologin robot")
        host.write("/etc/aliases", '# who is who\nroot: jane\nstaff: jane,\n  bob\nfred: jane\npostmaster: root\nprog: "|/bin/x"\n'
                                   "list: :include:/etc/list\njane: somebody@elsewhere.example\nodd/name: jane\nfile: /var/tmp/x\n")
        done = host.run(INSTALLPO, "--unattended", "--start", "--set", "domain-mail=yes", "--set", "domain=podunk.test", "--set",
                        "more-domains=other.test", "--set", "greeting=yes", check=False)
        assert done.returncode == 0, done.stdout
        cls.said = done.stdout

    def field(self, account, name):
        """The values of a field of the account's form."""
        found, inside = [], False
        for line in self.office("account", "show", account).splitlines():
            if re.match(r" *[A-Z][^\[]*:", line):
                inside = line.strip().startswith(name + ":")
            if inside and "[" in line:
                found.append(re.search(r"\[(.*)\]", line).group(1))
        return found

    def test_addresses_in_every_domain(self):
        self.assertEqual(self.field("jane", "Internet-Addresses"), ["jane@podunk.test", "jane@mail.podunk.test", "jane@other.test"])

    def test_real_name(self):
        self.assertEqual(self.field("jane", "User's-Real-Name"), ["Jane Lee"])

    def test_plan_and_project_once(self):
        information = ["Project: Counting the rain", "Plan:", "to live]] in \\x5cx41", "", "for ever"]
        self.assertEqual(self.field("jane", "Finger-Information"), information)
        self.host.write("/home/jane/.plan", "another\n")
        self.setup_program("--unattended")
        self.assertEqual(self.field("jane", "Finger-Information"), information)

    def test_files_of_others_stay_unread(self):
        """A link in a home that leads to what its owner may not read, and a pipe that nobody writes to."""
        self.assertEqual(self.field("eve", "Finger-Information"), [""])
        self.assertNotIn("secret words", self.office("export"))

    def test_long_lines_are_cut(self):
        self.assertEqual(self.field("max", "Finger-Information"), ["Plan:", "x" * 255])

    def test_passwords(self):
        """The password of the host's user opens the account, which has no mailbox to fetch."""
        for password, answer in (("Sur+Fer!", "-ERR [SYS/PERM] this account has no mailbox"), ("wrong one", "-ERR [AUTH]")):
            said = self.host.said("sh", "-c", f"(sleep 1; printf 'USER jane\\r\\nPASS {password}\\r\\nQUIT\\r\\n'; sleep 2) |"
                                  "openssl s_client -quiet -connect 127.0.0.1:995 2>/dev/null; true").splitlines()
            self.assertTrue(said[2].startswith(answer), said)
        self.assertIn("these accounts have no password (post.office account passwd LOGIN): eve max", self.said)

    def test_forward(self):
        self.assertEqual(self.field("bob", "Forwarding-Addresses"), ["bob@elsewhere.example"])
        self.assertEqual(self.field("bob", "UNIX-Delivery"), ["yes"])
        self.assertEqual(self.field("max", "Forwarding-Addresses"), ["max@elsewhere.example"])
        self.assertEqual(self.field("max", "UNIX-Delivery"), ["no"])
        self.assertIn("bob: |/usr/bin/vacation bob", self.said)

    def test_aliases(self):
        self.assertEqual(self.field("staff", "Forwarding-Addresses"), ["jane@podunk.test", "bob@podunk.test"])
        listed = self.office("alias", "list")
        for domain in ("podunk.test", "mail.podunk.test", "other.test"):
            self.assertIn(f"<fred@{domain}> <jane@podunk.test>", listed)
            self.assertIn(f"<root@{domain}> <jane@podunk.test>", listed)
            self.assertIn(f"<abuse@{domain}> <postmaster@mail.podunk.test>", listed)
        self.assertNotIn("<jane@", re.sub("> <.*", "", listed))
        for left in ('prog: "|/bin/x"', "list: :include:/etc/list", "file: /var/tmp/x", "odd/name: a name of other characters"):
            self.assertIn(left, self.said)

    def test_only_people(self):
        self.assertNotIn("robot", self.office("account", "list"))
        self.assertNotIn("games", self.office("account", "list"))

    def test_the_summary_is_mailed_to_the_postmaster(self):
        self.host.until(lambda: "Subject: Post.Office was installed" in self.drop("jane"), "the summary")
        self.assertIn("added: bob@podunk.test", self.drop("jane"))

    def test_each_new_account_is_welcomed(self):
        self.host.until(lambda: "Subject: Form: Greeting" in self.drop("jane"), "the greeting")

    def test_a_second_run_adds_nobody(self):
        accounts, aliases = self.office("account", "list"), self.office("alias", "list")
        self.setup_program("--unattended")
        self.assertEqual((self.office("account", "list"), self.office("alias", "list")), (accounts, aliases))

    def test_a_user_who_came_since_gets_an_account(self):
        self.host.add_user("kim")
        self.addCleanup(self.host.run, "userdel kim; post.office account remove kim --delete-mail")
        self.setup_program("--unattended")
        self.assertEqual(self.field("kim", "UNIX-Login-Name"), ["kim"])


class Questions(InstallTest):
    def test_quit_at_every_question_and_run_again(self):
        """Nothing is changed but the file of the answers, and it begins with those given before."""
        before = self.look()
        asked = 0
        while True:
            typed = "\n" * asked + "quit\n"
            done = self.host.run(INSTALLPO, check=False, stdin=None, input=typed)
            self.assertEqual(done.returncode, 3, done.stdout)
            self.assertIn("Quit. Nothing was changed", done.stdout)
            if "Go ahead?" in done.stdout:
                break
            asked += 1
        self.assertGreater(asked, 18)
        self.host.run("rm /etc/post.office.answers")
        self.assert_as_before(before)

    def test_the_end_of_input_is_quit(self):
        self.assertIn("Quit.", self.installpo(status=3))

    def test_what_is_wrong_is_asked_again_and_answers_are_kept(self):
        said = self.installpo(status=3, stdin=None, input="nodots\nhost.example.org\nquit\n")
        self.assertIn("a name with at least one dot", said)
        self.assertIn("Name of this host? [host.example.org]", self.installpo(status=3, stdin=None, input="quit\n"))
        self.host.run("rm /etc/post.office.answers")

    def test_every_question_is_explained(self):
        """--questions lists each with its explanation; a name that is none is refused."""
        names = re.findall(r"(?m)^([a-z-]+)$", self.installpo("--questions"))
        self.assertGreater(len(names), 18)
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("colour is no question's name", self.installpo("--unattended", "--set", "colour=red", status=1))

    def test_refused_answers(self):
        """Unattended: the answer, what is wrong with it, and nothing is done."""
        before = self.look()
        self.host.run("groupadd friends; usermod -aG friends jane")
        self.addCleanup(self.host.run, "groupdel friends; true")
        for answer, why in (("hostname=localhost", "at least one dot"), ("group=mail", "could read everybody's mail"), ("group=friends", "has members"),
                            ("user=root", "gives up root"), ("spool-directory=relative", "a path from the root"), ("spool-directory=/a b/c", "a path of"),
                            ("spool-directory=/var/../etc", "a path of"), ("web-port=0", "1 to 65535"), ("web-port=65536", "1 to 65535"),
                            ("unix-delivery=maybe", "yes or no"), ("relay=a b", "a host"), ("postmaster=a;b", "a user of this host"),
                            ("postmaster-password-file=/nowhere", "no such file"), ("more-domains=a.b c", "at least one dot")):
            with self.subTest(answer=answer):
                self.assertIn(why, self.installpo("--unattended", "--set", answer, status=1))
                self.host.run("rm -f /etc/post.office.answers")
        self.host.run("groupdel friends; true")
        self.assert_as_before(before)

    def test_what_stands_in_the_way(self):
        """A port of another program's, directories that are not empty: named, and nothing is done."""
        self.host.run("mkdir -p /var/spool/mailbox && touch /var/spool/mailbox/old")
        self.host.start("python3", "-m", "http.server", "443", "--bind", "127.0.0.1")
        self.host.until(lambda: 443 in self.ports(), "the other program at port 443")
        before = self.look()
        said = self.installpo("--unattended", status=1)
        self.assertIn("PROBLEM: port 443 is taken by python3", said)
        self.assertIn("PROBLEM: /var/spool/mailbox is not empty", said)
        self.assertIn("this has to be mended first", said)
        self.assertEqual([line for line in self.look() if line not in before and "/etc/post.office.answers" not in line], [])
        self.host.run("pkill python3; rm -r /var/spool/mailbox /etc/post.office.answers")

    def test_answers_from_a_file_and_not_started(self):
        """Nothing starts until it is told to; Setup --start does it later."""
        self.host.write("/root/answers", "# of the school\nweb-port=8443\nunix-accounts=no\npostmaster=none@elsewhere.example\n")
        said = self.installpo("--unattended", "--answers", "/root/answers")
        self.assertIn("Nothing runs yet. To start it:  /usr/local/post.office/Setup --unattended --start", said)
        self.assertEqual(self.ports(), set())
        self.setup_program("--unattended", "--start")
        self.assertEqual(self.ports(), PORTS - {443} | {8443})
        self.assertEqual(len(self.office("account", "list").splitlines()), 1)
        self.remove("--force")


class Setup(InstallTest):
    def setUp(self):
        self.installpo("--unattended", "--start")
        self.addCleanup(self.remove, "--force")

    def test_changes_an_answer_and_nothing_else(self):
        self.office("account", "set", "jane", "Finger-Information=mine")
        self.office("form", "set", "system-configuration", "Maximum-Message-Size=1234")
        self.host.run("sed -i 's/smtpd processes=2/smtpd processes=3/' /etc/post.office.conf; echo 'log-days 7' >> /etc/post.office.conf")
        settings = self.settings()
        conf = self.host.read("/etc/post.office.conf")
        self.setup_program("--unattended", "--set", "web-port=8443", "--set", "unix-delivery=no")
        self.assertEqual(self.ports(), PORTS - {443} | {8443})
        self.assertEqual(self.settings(), settings)
        conf = conf.replace(":443", ":8443").replace("unix-deliver       on", "unix-deliver       off")
        self.assertEqual(self.host.read("/etc/post.office.conf"), conf)
        self.assertEqual(self.host.said("stat", "-c", "%a", f"{OFFICE}/maildrop").strip(), "0")
        self.setup_program("--unattended", "--set", "unix-delivery=yes")
        self.assertEqual(self.host.said("stat", "-c", "%a", f"{OFFICE}/maildrop").strip(), "4510")
        self.mail("jane", "again into the drop")

    def settings(self):
        return [line for line in self.office("export").splitlines() if not line.startswith("#")]

    def test_the_places_stay(self):
        said = self.setup_program("--unattended", "--set", "spool-directory=/var/spool/elsewhere", status=1)
        self.assertIn("stays there; to move it", said)

    def test_removal_waits_for_the_queue(self):
        """What waits is named, and nothing is done; data that is to be kept stays, and serves the next installation."""
        self.host.run("/usr/sbin/sendmail", "friend@elsewhere.example", stdin=None, input="Subject: x\n\nx\n")
        self.host.until(lambda: "friend@" in self.office("queue", "list", check=False), "the message in the queue")
        said = self.setup_program("--remove", "--unattended", "--data", "keep", status=1)
        self.assertIn("mail for 1 recipients waits in the queue", said)
        self.office("account", "set", "jane", "Finger-Information=kept")
        self.setup_program("--remove", "--unattended", "--data", "keep", "--force")
        self.assertEqual(self.host.said("ls", "/var/spool/post.office").split(), ["directory", "run", "secrets", "tls"])
        self.assertEqual(self.ports(), set())
        self.installpo("--unattended", "--start")
        self.assertIn("[kept]", self.office("account", "show", "jane"))
        self.assertIn("friend@", self.office("queue", "list"))

    def test_removal_says_what_to_decide(self):
        self.assertIn("--data keep or --data delete", self.setup_program("--remove", "--unattended", status=1))


class Upgrade(InstallTest):
    """The installed programs are made old ones by an octet at their end."""

    def setUp(self):
        self.installpo("--unattended", "--start")
        self.addCleanup(self.remove, "--force")
        for name in ("story", "wwwd"):
            self.host.run(f"cd {OFFICE} && cp -p {name} old && printf x >> old && mv old {name}")

    def size(self, name):
        return int(self.host.said("stat", "-c", "%s", name))

    def test_tried_on_a_copy_then_done_and_back(self):
        old, before = self.size(f"{OFFICE}/wwwd"), self.office("account", "list")
        said = self.installpo("--unattended")
        self.assertIn("Upgrading: the new programs are tried on a copy of the database", said)
        self.assertEqual(self.size(f"{OFFICE}/wwwd"), old - 1)
        self.assertEqual(self.ports(), PORTS)
        self.mail("jane", "after the upgrade")
        self.assertIn("The programs of before the upgrade are back", self.setup_program("--back"))
        self.assertEqual(self.size(f"{OFFICE}/wwwd"), old)
        self.assertEqual(self.office("account", "list"), before)
        self.mail("jane", "after the way back")
        self.assertIn("there are no programs of before", self.setup_program("--back", status=1))

    def test_a_trial_that_fails_changes_nothing(self):
        old = self.size(f"{OFFICE}/wwwd")
        self.host.run(f"cp {ROOT}/build/bin/accounts /root/accounts; cp /bin/false {ROOT}/build/bin/accounts")
        self.addCleanup(self.host.run, f"cp /root/accounts {ROOT}/build/bin/accounts")
        self.assertIn("nothing was changed", self.installpo("--unattended", status=1))
        self.assertEqual(self.size(f"{OFFICE}/wwwd"), old)
        self.mail("bob", "still the old programs")


class Systemd(InstallTest):
    """The unit, with a real systemd as the host's first process."""
    systemd = True

    def test_the_whole_way(self):
        """Started by systemd, a drop is made under the unit; killed, it comes back; after removal nothing of it is left."""
        before = self.look()
        self.installpo("--unattended", "--start")
        self.assertEqual(self.host.said("systemctl", "is-active", "post.office").strip(), "active")
        self.assertEqual(self.host.said("systemctl", "is-enabled", "post.office").strip(), "enabled")
        self.mail("jane", "into a drop that was not there")
        self.assert_rights()
        first = self.main_pid()
        self.host.run("kill", "-9", first)
        self.host.until(lambda: self.main_pid() not in (first, "0") and self.ports() == PORTS, "the system to be started again")
        self.mail("bob", "after its death")
        self.host.run("systemctl", "reload", "post.office")
        self.host.run("systemctl", "stop", "post.office")
        self.assertEqual(self.ports(), set())
        self.host.run("rm /var/mail/jane /var/mail/bob")
        self.remove("--force")
        self.assertEqual(self.host.said("systemctl", "is-active", "post.office", check=False).strip(), "inactive")
        self.assert_as_before(before)

    def main_pid(self):
        return self.host.said("systemctl", "show", "-P", "MainPID", "post.office").strip()

    def assert_rights(self):
        """No more than the unit names: of capabilities those until the ports are bound, and CAP_CHOWN for maildrop; no home."""
        pid = self.main_pid()
        status = dict(line.split(":\t", 1) for line in self.host.read(f"/proc/{pid}/status").splitlines() if ":\t" in line)
        self.assertEqual(status["NoNewPrivs"].strip(), "0")
        self.assertEqual(status["CapEff"].strip(), "0" * 16)
        self.assertEqual(status["CapBnd"].strip(), f"{1 << 0:016x}")  # CAP_CHOWN
        self.assertEqual(self.host.said("ls", "-A", f"/proc/{pid}/root/home", check=False).strip(), "")
        self.assertNotEqual(self.host.run(f"touch /proc/{pid}/root/etc/x", check=False).returncode, 0)


class OverAnother(InstallTest):
    """On a host where another mail system runs and has mail in its queue."""
    program = "/usr/sbin/sendmail"

    def take_over(self, servers):
        host = self.host
        host.run("printf 'finger stream tcp nowait nobody /usr/sbin/in.fingerd in.fingerd\\n#pop3 off\\n' >> /etc/inetd.conf")
        host.run(self.program, "friend@elsewhere.example", stdin=None, input="Subject: old\n\nold\n")
        host.until(lambda: int(host.said(self.count).strip()) > 0, "a message in the old queue")
        before = self.look()
        said = self.installpo("--unattended", "--start")
        self.assertIn("has 1 messages in its queue; they stay with it", said)
        self.assertEqual(self.ports(), PORTS)
        self.assertIn("#<post.office># finger", host.read("/etc/inetd.conf"))
        self.assertEqual(host.said("readlink", self.program).strip(), f"{OFFICE}/sendmail")
        self.assertTrue(host.path(f"{self.program}.bak").exists())
        self.assertNotRegex(host.said("ss", "-Hltnp"), f'"({servers})"')
        self.mail("jane", "by the new system")
        self.host.run("post.office queue remove --discard --all; rm /var/mail/jane")
        self.remove()
        self.assert_as_before(before)
        self.assertIn(25, self.ports())
        self.assertRegex(host.said("ss", "-Hltnp"), f'"({servers})"')
        self.assertEqual(int(host.said(self.count).strip()), 1)


class OverPostfix(OverAnother):
    others = ("postfix",)
    service = "postfix"
    count = "find /var/spool/postfix/deferred /var/spool/postfix/active /var/spool/postfix/incoming -type f | wc -l"

    def test_over_postfix(self):
        self.host.run("postconf -e 'mydestination = podunk.test, $myhostname, localhost' 'relayhost = [relay.podunk.test]:587'")
        said = self.installpo(status=3, stdin=None, input="\n" * 4 + "quit\n")
        self.assertIn("Further domains? [mail.podunk.test podunk.test]", said)
        self.assertIn("Host for all outgoing mail? [relay.podunk.test:587]", said)
        self.host.run("rm /etc/post.office.answers")
        self.take_over("master")


class OverPostfixWithSystemd(OverPostfix):
    systemd = True


class OverExim(OverAnother):
    others = ("exim4-daemon-light",)
    service = "exim4"
    count = "find /var/spool/exim4/input -name '*-H' | wc -l"

    def test_over_exim(self):
        self.host.run("sed -i s/configtype=.*/configtype=\\'internet\\'/ /etc/exim4/update-exim4.conf.conf; update-exim4.conf")
        self.take_over("exim4")


del OverAnother
