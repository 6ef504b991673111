"""Forms with their history: what was changed by whom, taken back, told apart from another's change; export and import."""
import json
import os
import re
import shutil
import subprocess

import accounts
from harness import SystemTest, needs_root
from instance import POSTMASTER_PASSWORD


class Forms(SystemTest):
    def command(self, *words, **more):
        return self.instance.command(*words, **more)

    def refused(self, *words, input=None, naming=()):
        done = self.command(*words, input=input, check=False)
        shown = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, f"{words}\n{shown}")
        for word in naming:
            self.assertIn(word, shown, f"{words}")
        return shown

    def history(self, *words):
        return json.loads(self.command(*words, "--json").stdout)

    def test_changed_by_its_text_and_undone(self):
        address = "life.story@post.example"
        self.command("account", "add", "--address", address, "--name", "First Name")
        text = self.command("account", "show", address).stdout
        self.command("account", "set", address, input=text.replace("[First Name]", "[Second Name]"))
        rows = self.history("account", "history", address)
        self.assertEqual([row["kind"] for row in rows], ["changed", "added"])
        self.assertEqual(rows[0]["changes"],
                         [{"field": "User's-Real-Name", "before": ["First Name"], "after": ["Second Name"]}])
        self.assertEqual(rows[0]["way"], "command")
        self.assertIn(rows[0]["who"], ("root", f"uid {os.getuid()}"))
        self.command("account", "undo", address, str(rows[0]["revision"]))
        self.assertIn("[First Name]", self.command("account", "show", address).stdout)
        self.assertEqual(self.history("account", "history", address)[0]["undoes"], rows[0]["revision"])

    def test_the_second_of_two_is_told_of_the_first(self):
        user = self.user()
        text = self.command("account", "show", user.address).stdout
        self.command("account", "set", user.address, "Finger-Information=by the first")
        self.refused("account", "set", user.address, input=text.replace("Account-Locked:", "Account-Locked :"),
                     naming=["changed since", "Finger-Information: [] -> [by the first]", "nothing was changed"])
        self.assertIn("[by the first]", self.command("account", "show", user.address).stdout)

    def test_a_settings_form_likewise(self):
        text = self.command("form", "show", "greeting").stdout
        self.command("form", "set", "greeting", "Greeting-Text=Hello")
        self.refused("form", "set", "greeting", input=text, naming=["Greeting-Text: [] -> [Hello]"])
        revision = self.history("form", "history", "greeting")[0]["revision"]
        self.command("form", "undo", "greeting", str(revision))
        self.assertEqual(re.sub(r"Form-Revision: \[\d+\]", "", self.command("form", "show", "greeting").stdout),
                         re.sub(r"Form-Revision: \[\d+\]", "", text))

    def test_removed_and_made_again(self):
        address = "gone.and.back@post.example"
        self.command("account", "add", "--address", address, "--name", "Gone", "--password", "a good password")
        self.instance.until(lambda: self.rcpt_code(address) == 250, 5, "the new account")
        self.refused("account", "remove", address, naming=["--delete-mail", "--hand-mail-to", "nothing was removed"])
        told = self.command("account", "remove", address, "--delete-mail").stdout
        self.instance.until(lambda: self.rcpt_code(address) == 550, 5, "the account to be gone")
        number, revision = re.search(r"account undo (\d+) (\d+)'", told).groups()
        self.assertIn("without a password", self.command("account", "undo", number, revision).stdout)
        self.instance.until(lambda: self.rcpt_code(address) == 250, 5, "the account again")
        with self.instance.pop3() as pop:
            pop.cmd("USER " + address)
            pop.err("PASS a good password")

    @needs_root
    def test_export_comes_back(self):
        address = "exported@post.example"
        self.command("account", "add", "--address", address, "--name", "Exported", "--password", accounts.READY_HASH)
        everything = self.command("export", "--passwords").stdout
        self.assertIn("nothing would change", self.command("import", input=everything).stdout)
        self.command("account", "remove", address, "--delete-mail")
        self.command("form", "set", "greeting", "Greeting-Text=changed since")
        preview = self.command("import", input=everything).stdout
        self.assertIn("new account " + address, preview)
        self.assertIn("Greeting-Text: [changed since] -> []", preview)
        self.assertIn("dry run", preview)
        self.refused("account", "show", address)
        self.command("import", "--yes", input=everything)
        self.assertIn("nothing would change", self.command("import", input=everything).stdout)
        with self.instance.pop3() as pop:
            pop.login(address, accounts.PASSWORD)
        self.assertEqual(self.history("account", "history", address)[0]["way"], "import")
        broken = everything.replace("[Exported]", "[]")
        self.refused("import", "--yes", input=broken, naming=["User's-Real-Name", "nothing was imported"])

    @needs_root
    def test_who_gave_the_postmasters_password(self):
        user = self.user()
        secret = self.instance.base / "postmasters-password-for-forms"
        secret.write_text(POSTMASTER_PASSWORD + "\n")
        os.chmod(secret, 0o600)
        shutil.chown(secret, "nobody")

        def as_nobody(*words):
            return subprocess.run(
                [self.instance.program / "post.office", "-c", self.instance.conf, "--password-file", secret, *words],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, user="nobody", cwd="/",
                env={"ASAN_OPTIONS": "detect_leaks=0", "PATH": os.environ["PATH"]})
        done = as_nobody("account", "set", user.address, "Finger-Information=by nobody")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(self.history("account", "history", user.address)[0]["who"], r"^Postmaster \(uid \d+\)$")
        self.assertEqual(as_nobody("export").returncode, 0)
        done = as_nobody("export", "--passwords")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("$scrypt$", done.stdout)

    def test_on_a_stopped_system_too(self):
        address = "stopped@post.example"
        self.command("account", "add", "--address", address, "--name", "Running")
        self.assertEqual(self.instance.stop(), 0)
        try:
            self.command("account", "set", address, "User's-Real-Name=Stopped")
            rows = self.history("account", "history", address)
            self.assertEqual([row["kind"] for row in rows], ["changed", "added"])
            self.assertIn(rows[0]["who"], ("root", f"uid {os.getuid()}"))
            self.assertIn("Program-Directory", self.command("form", "show", "system-information").stdout)
        finally:
            self.instance.start()
        self.command("account", "undo", address, str(rows[0]["revision"]))
        self.assertIn("[Running]", self.command("account", "show", address).stdout)
