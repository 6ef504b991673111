"""post.office account and form: the same on a running and on a stopped system."""
import json
import os
import re
import shutil
import subprocess

import accounts
from harness import SystemTest, needs_root
from instance import POSTMASTER_PASSWORD


class CommandTest(SystemTest):
    def command(self, *words, fields=None, input=None, **more):
        return self.instance.command(*words, input=accounts.form(fields) if fields else input, **more)

    def refused(self, *words, fields=None, input=None, naming=()):
        done = self.command(*words, fields=fields, input=input, check=False)
        shown = done.stdout + done.stderr
        self.assertNotEqual(done.returncode, 0, f"accepted: {words}\n{shown}")
        for word in naming:
            self.assertIn(word.lower(), shown.lower(), f"{words}")
        return shown

    def value(self, shown, name):
        """The values of a field in a printed form."""
        found, inside = [], False
        for line in shown.splitlines():
            field = re.match(r"\s*([A-Za-z][\w'-]*):\s", line)
            inside = field[1] == name if field else inside and line.startswith((" ", "\t"))
            if inside and (value := re.search(r"\[((?:[^\]]|\]\])*)\]", line)):
                found.append(value[1].replace("]]", "]"))
        return found


class WhileRunning(CommandTest):
    def test_show_prints_a_form_that_set_takes(self):
        user = self.user()
        shown = self.command("account", "show", user.address).stdout
        self.assertEqual(self.value(shown, "User's-Real-Name"), [f"Test User {user.number}"])
        self.assertEqual(self.value(shown, "Internet-Addresses"), [user.address])
        self.assertEqual(self.value(shown, "POP3-Delivery"), ["yes"])
        self.assertEqual(self.value(shown, "Account-Locked"), ["no"])
        self.assertNotIn("$scrypt$", shown)
        self.command("account", "set", user.address, input=shown)
        self.assertEqual(self.command("account", "show", user.address).stdout, shown)
        self.instance.pop3(user).quit()  # the password is still the same one

    def test_show_as_json(self):
        user = self.user()
        shown = json.loads(self.command("account", "show", "--json", user.address).stdout)
        text = json.dumps(shown)
        self.assertIn(user.address, text)
        self.assertIn("Internet-Addresses", text)

    def test_add_set_remove(self):
        address = "made.by.hand@post.example"
        self.command("account", "add", input=accounts.form({
            "User's-Real-Name": "Made by Hand", "Mail-Account-Password": "a good password",
            "Internet-Addresses": [address, "hand@second.example"], "POP-Login-Name": "hand"}))
        with self.instance.pop3() as pop:
            pop.login("hand", "a good password")
        self.command("account", "set", address, fields={"User's-Real-Name": "Another Name"})
        self.assertEqual(self.value(self.command("account", "show", address).stdout, "User's-Real-Name"), ["Another Name"])
        self.assertEqual(self.value(self.command("account", "show", "hand@second.example").stdout, "Internet-Addresses"),
                         [address, "hand@second.example"])
        self.refused("account", "remove", address, naming=["--delete-mail", "--hand-mail-to"])
        self.command("account", "remove", address, "--delete-mail")
        self.refused("account", "show", address, naming=[address])
        self.instance.until(lambda: self.rcpt_code(address) == 550, 5, "the address to be unknown")

    def test_list(self):
        user = self.user()
        self.assertIn(user.address, self.command("account", "list").stdout)
        listed = json.loads(self.command("account", "list", "--json").stdout)
        self.assertGreater(len(listed), self.instance.users)
        self.assertIn(user.address, json.dumps(listed))

    def test_lock_and_unlock(self):
        user = self.user()
        self.command("account", "lock", user.address)
        self.assertEqual(self.value(self.command("account", "show", user.address).stdout, "Account-Locked"), ["yes"])
        with self.instance.pop3() as pop:
            pop.cmd("USER " + user.login)
            pop.err("PASS " + user.password)
        self.command("account", "unlock", user.address)
        self.instance.pop3(user).quit()

    def test_passwd(self):
        user = self.user()
        self.command("account", "passwd", user.address, input="another password\n")
        with self.instance.pop3() as pop:
            pop.login(user.login, "another password")

    def test_wrong_fields_are_refused_whole(self):
        user, other = self.user(), self.user()
        before = self.command("account", "show", user.address).stdout
        for name, value in (("Internet-Addresses", "not an address"), ("Internet-Addresses", "a@b@c"),
                            ("Internet-Addresses", other.address), ("POP-Login-Name", other.login),
                            ("From-Address-Rewrite", "sometimes"), ("Account-Locked", "perhaps"),
                            ("General-Access-Restrictions", "300.1.1.1/99"), ("Maximum-POP3-Mailbox-Size", "big"),
                            ("Maximum-POP3-Mailbox-Size", "-1"), ("Mail-Account-Password", "abc12"),
                            ("No-Such-Field", "x")):
            shown = self.refused("account", "set", user.address, fields={"User's-Real-Name": "Changed", name: value},
                                 naming=[name] + ([] if name in ("Mail-Account-Password", "No-Such-Field") else [value]))
            self.assertGreater(len(shown.strip()), len(name) + len(value) + 5, "no rule is named: " + shown)
            self.assertEqual(self.command("account", "show", user.address).stdout, before, f"{name}: {value}")

    def test_unreadable_forms(self):
        for text in ("", "no field at all", "User's-Real-Name: [unclosed", "User's-Real-Name: no brackets",
                     "User's-Real-Name: [a]\nUser's-Real-Name: [b]\n", "\0\n"):
            self.refused("account", "add", input=text)

    def bulk(self, tag, count, wrong=()):
        forms = []
        for n in range(count):
            fields = {"User's-Real-Name": f"{tag} {n}", "Mail-Account-Password": accounts.READY_HASH,
                      "Internet-Addresses": f"{tag}{n}@post.example"}
            if n in wrong:
                fields["Account-Locked"] = "perhaps"
            forms.append(accounts.form(fields))
        return "\n".join(forms)

    def known(self, address):
        return self.command("account", "show", address, check=False).returncode == 0

    def test_bulk_add_is_checked_whole(self):
        self.refused("account", "add", input=self.bulk("whole", 50, wrong=(30,)), naming=["perhaps", "Account-Locked"])
        self.assertFalse(self.known("whole0@post.example"))
        self.assertFalse(self.known("whole49@post.example"))
        self.command("account", "add", input=self.bulk("whole", 50))
        self.assertTrue(self.known("whole49@post.example"))

    def test_bulk_add_refuses_the_same_address_twice_in_one_file(self):
        twice = self.bulk("twice", 2) + "\n" + self.bulk("twice", 1)
        self.refused("account", "add", input=twice, naming=["twice0@post.example"])
        self.assertFalse(self.known("twice1@post.example"))

    def test_bulk_add_keep_going(self):
        done = self.command("account", "add", "--keep-going", input=self.bulk("going", 60, wrong=(7, 41)), check=False)
        self.assertNotEqual(done.returncode, 0, "some were refused: the status has to tell")
        shown = done.stdout + done.stderr
        self.assertEqual(shown.count("perhaps"), 2, shown)
        for n in range(60):
            self.assertEqual(self.known(f"going{n}@post.example"), n not in (7, 41), n)

    def test_system_forms(self):
        for name in ("system-configuration", "system-security", "mail-routing"):
            shown = self.command("form", "show", name).stdout
            self.assertIn(": [", shown)
            self.command("form", "set", name, input=shown)
            self.assertEqual(self.command("form", "show", name).stdout, shown, name)
            self.assertIsInstance(json.loads(self.command("form", "show", "--json", name).stdout), (dict, list))
        self.refused("form", "set", "system-configuration", fields={"Maximum-Message-Size": "a lot"},
                     naming=["Maximum-Message-Size", "a lot"])
        self.refused("form", "set", "system-configuration", fields={"SMTP-Error-Limit": "99999999999999999999"},
                     naming=["SMTP-Error-Limit"])
        self.refused("form", "show", "no-such-form")

    def test_new_local_domain_works_at_once(self):
        user = self.user()
        shown = self.command("form", "show", "mail-routing").stdout
        self.addCleanup(self.command, "form", "set", "mail-routing", input=shown.split("\nForm-Revision")[0])
        domains = self.value(shown, "Local-Mail-Domains")
        self.command("form", "set", "mail-routing", fields={"Local-Mail-Domains": domains + ["third.example"]})
        self.instance.account_set(user.address, **{"Internet-Addresses": [user.address, "new@third.example"]})
        self.instance.until(lambda: self.rcpt_code("new@third.example") == 250, 5, "the new domain")

    def test_postmaster_cannot_be_removed(self):
        self.refused("account", "remove", "postmaster@post.example", "--delete-mail")
        self.assertEqual(self.rcpt_code("postmaster"), 250)

    def test_usage_errors(self):
        for words in (["account"], ["account", "dance"], ["account", "show"], ["nonsense"], ["form", "set"]):
            done = self.command(*words, check=False)
            self.assertEqual(done.returncode, 64, f"{words}: {done.stdout}{done.stderr}")
            self.assertTrue(done.stderr.strip(), words)

    @needs_root
    def test_others_need_the_postmasters_password(self):
        user = self.user()
        secret = self.instance.base / "postmasters-password"

        def as_nobody(password):
            secret.write_text(password + "\n")
            os.chmod(secret, 0o600)
            shutil.chown(secret, "nobody")
            return subprocess.run(
                [self.instance.program / "post.office", "-c", self.instance.conf, "--password-file", secret, "account", "show",
                 user.address], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, user="nobody",
                cwd="/", env={"ASAN_OPTIONS": "detect_leaks=0", "PATH": os.environ["PATH"]})
        for wrong in ("", "not the password", user.password):
            done = as_nobody(wrong)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertNotIn("Test User", done.stdout)
        done = as_nobody(POSTMASTER_PASSWORD)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Test User", done.stdout)

    @needs_root
    def test_suites_own_user_may_not_give_commands(self):
        """A taken-over process must not administer: its uid has no right at the command socket."""
        user = self.user()
        done = subprocess.run(
            [self.instance.program / "post.office", "-c", self.instance.conf, "account", "show", user.address],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, user="mta", group="mta",
            extra_groups=[], cwd="/", env={"ASAN_OPTIONS": "detect_leaks=0", "PATH": os.environ["PATH"]})
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("Test User", done.stdout)

    def test_mailbox_and_queue_status(self):
        user = self.user()
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: counted\r\n\r\n", to=user.address)
        shown = self.command("mailbox", user.address).stdout
        self.assertRegex(shown, r"\b1\b")
        self.assertTrue(self.command("queue", "status").stdout.strip())
        self.refused("mailbox", "nobody.here@post.example", naming=["no account"])


class WhileStopped(CommandTest):
    own = {"users": 5}

    def test_commands_on_a_stopped_system(self):
        """Everything asked of the running system gives the same when it is stopped, and holds after the start."""
        user = self.user()
        running = [self.command(*words).stdout for words in (
            ("account", "show", user.address), ("account", "show", "--json", user.address), ("account", "list"),
            ("form", "show", "system-configuration"))]
        self.assertEqual(self.instance.stop(), 0)
        stopped = [self.command(*words).stdout for words in (
            ("account", "show", user.address), ("account", "show", "--json", user.address), ("account", "list"),
            ("form", "show", "system-configuration"))]
        self.assertEqual(stopped, running)
        self.command("account", "set", user.address, fields={"User's-Real-Name": "Set While Stopped"})
        self.command("account", "lock", "user4@post.example")
        self.command("account", "remove", "user5@post.example", "--delete-mail")
        self.refused("account", "set", user.address, fields={"Account-Locked": "perhaps"}, naming=["Account-Locked", "perhaps"])
        done = self.command("status", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.instance.start()
        self.assertEqual(self.value(self.command("account", "show", user.address).stdout, "User's-Real-Name"),
                         ["Set While Stopped"])
        self.assertEqual(self.value(self.command("account", "show", "user4@post.example").stdout, "Account-Locked"), ["yes"])
        self.refused("account", "show", "user5@post.example")
        self.instance.pop3(user).quit()

    def test_files_still_belong_to_the_suite(self):
        """Commands on a stopped system, given by root, leave nothing that the suite's user cannot write."""
        if self.instance.user is None:
            self.skipTest("needs root")
        wrong = [str(p) for folder in ("directory", "secrets") for p in (self.instance.spool / folder).rglob("*")
                 if p.stat().st_uid != self.instance.user.pw_uid]
        self.assertEqual(wrong, [])
