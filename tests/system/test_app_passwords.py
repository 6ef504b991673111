"""Application passwords open the mailbox and submit mail, and end at once; sign-ins are told to their owner."""
import json

from harness import SystemTest


class AppPasswords(SystemTest):
    own = {"users": 6}

    def make(self, user, name):
        return self.instance.command("app-password", "make", user.login, name).stdout.strip()

    def pop3_lets_in(self, login, password):
        with self.instance.pop3() as pop:
            pop.cmd("USER " + login)
            pop.send_line("PASS " + password)
            return pop.read_line().startswith(b"+OK")

    def submission_lets_in(self, login, password):
        with self.instance.submission() as smtp:
            return smtp.auth(login, password, 235, 535).code == 235

    def listed(self, user):
        return json.loads(self.instance.command("app-password", "list", user.login, "--json").stdout)

    def sign_ins(self, user):
        rows = json.loads(self.instance.command("account", "sign-ins", user.login, "--json").stdout)
        return {(r["service"], r["by"]): r["count"] for r in rows}

    def test_it_opens_the_mailbox_and_submits_until_it_is_revoked(self):
        user = self.instance.take_user()
        phone, laptop = self.make(user, "Phone"), self.make(user, "Laptop")
        self.assertNotEqual(phone, laptop)
        for _ in range(2):  # the second time nothing is remembered of the first
            self.assertTrue(self.pop3_lets_in(user.login, phone))
            self.assertTrue(self.pop3_lets_in(user.login, phone.replace("-", " ").upper()))
            self.assertTrue(self.submission_lets_in(user.address, phone))
            self.assertTrue(self.pop3_lets_in(user.login, user.password))
        self.instance.command("app-password", "revoke", user.login, "Phone")
        self.assertFalse(self.pop3_lets_in(user.login, phone))
        self.assertTrue(self.pop3_lets_in(user.login, laptop))
        self.assertEqual([row["name"] for row in self.listed(user)], ["Laptop"])

    def test_it_is_of_one_account_and_not_on_disk(self):
        user, other = self.instance.take_user(), self.instance.take_user()
        made = self.make(user, "Phone")
        self.assertFalse(self.pop3_lets_in(other.login, made))
        for kept in (made, made.replace("-", "")):
            for path in (self.instance.spool / "secrets").iterdir():
                self.assertNotIn(kept.encode(), path.read_bytes(), path)
            self.assertNotIn(kept, self.instance.log_text())

    def test_a_lock_holds_for_it_too(self):
        user = self.instance.take_user()
        made = self.make(user, "Phone")
        self.instance.command("account", "lock", user.login)
        self.assertFalse(self.pop3_lets_in(user.login, made))
        self.instance.command("account", "unlock", user.login)
        self.assertTrue(self.pop3_lets_in(user.login, made))

    def test_last_use_and_sign_ins_are_told_and_outlive_a_restart(self):
        user = self.instance.take_user()
        made = self.make(user, "Phone")
        self.assertEqual(self.listed(user)[0]["used"], 0)
        self.assertEqual(self.sign_ins(user), {})
        for _ in range(3):
            self.assertTrue(self.pop3_lets_in(user.login, made))
        self.assertFalse(self.pop3_lets_in(user.login, "wrong"))
        wanted = {("POP3", "Phone"): 3, ("POP3", "refused: wrong password"): 1}
        self.assertEqual(self.sign_ins(user), wanted)
        row = self.listed(user)[0]
        self.assertEqual(row["from"], "127.0.0.1")
        self.assertGreaterEqual(row["used"], row["made"])
        self.assertTrue(self.submission_lets_in(user.login, user.password))
        self.instance.stop()  # what has gathered is written then
        wanted["submission", "password"] = 1
        self.assertEqual(self.sign_ins(user), wanted)
        self.instance.start()
        self.assertEqual(self.sign_ins(user), wanted)
