"""Mailbox limits: asked at RCPT, never after DATA."""
from content import random_content
from harness import SystemTest


class Quota(SystemTest):
    # One process of smtpd: each keeps the answer about a mailbox for some seconds.
    own = {"users": 20, "smtpd": 1}

    def until_it_says(self, user, code):
        self.instance.until(lambda: self.rcpt(user).code == code, 20, f"{code} for {user.address}")

    def rcpt(self, user):
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            return smtp.cmd(f"RCPT TO:<{user.address}>")

    def fill(self, user, octets):
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(random_content(octets, 3), to=user.address)

    def full_user(self):
        user = self.user(**{"Maximum-POP3-Mailbox-Size": "20"})
        self.fill(user, 30_000)  # beyond it in one go: after DATA quota never refuses
        self.until_it_says(user, 452)
        return user

    def test_full_mailbox_is_a_temporary_failure(self):
        user = self.full_user()
        reply = self.rcpt(user)
        self.assertEqual(reply.code, 452, reply)
        self.assertIn("4.2.2", reply.text)
        self.assertEqual(len(self.instance.fetch_all(user, delete=True)), 1)
        self.until_it_says(user, 250)

    def test_permanent_by_setting(self):
        user = self.full_user()
        self.addCleanup(self.instance.form_set, "system-configuration", **{"Mailbox-Full-Is-Permanent": "no"})
        self.instance.form_set("system-configuration", **{"Mailbox-Full-Is-Permanent": "yes"})
        self.until_it_says(user, 552)
        self.assertIn("5.2.2", self.rcpt(user).text)

    def test_others_of_the_message_still_get_it(self):
        full, other = self.full_user(), self.user()
        content = random_content(300, 1)
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            smtp.cmd(f"RCPT TO:<{full.address}>", 452)
            smtp.cmd(f"RCPT TO:<{other.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            smtp.expect(smtp.reply(), 250)
        self.assert_arrived(other, content)

    def test_default_limit_of_the_system(self):
        self.addCleanup(self.instance.form_set, "system-configuration", **{"Maximum-POP3-Mailbox-Size": ""})
        user = self.user()
        self.fill(user, 30_000)
        self.instance.form_set("system-configuration", **{"Maximum-POP3-Mailbox-Size": "20"})
        self.until_it_says(user, 452)
