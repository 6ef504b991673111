"""What becomes of the mail of an account that is removed, and the greeting of a new one: once each, though queue is
killed in the middle."""
import json
import os
import signal
import time

import accounts
from harness import SystemTest

MESSAGES = 2000


class Errands(SystemTest):
    own = {"users": 12}

    def fill(self, user, first, count):
        with self.instance.smtp(limit=120) as smtp:
            smtp.ehlo()
            for n in range(first, first + count):
                smtp.deliver(f"Subject: {n}\r\nX-Mark: {n}\r\n\r\nbody of {n}\r\n".encode(), to=user.address)
            smtp.quit()

    def queue_pid(self):
        found = []
        self.instance.until(lambda: found.extend(self.instance.processes().get("queue", [])) or found, 30, "queue to run")
        return found[0]

    def entries(self):
        return json.loads(self.instance.command("queue", "status", "--json").stdout)["entries"]

    def count(self, user):
        with self.instance.pop3(user, limit=120) as pop:
            count = pop.count()
            pop.quit()
        return count

    def logged(self, event, address):
        return any(f"event={event} " in line and address in line for line in self.instance.log_text().splitlines())

    def test_mail_is_handed_over_once_though_queue_is_killed(self):
        old, heir = self.user(), self.user()
        self.fill(old, 0, MESSAGES)
        # One message is in both mailboxes already.
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            for user in (old, heir):
                smtp.cmd(f"RCPT TO:<{user.address}>", 250)
            smtp.cmd("DATA", 354)
            smtp.send(b"Subject: both\r\n\r\nboth\r\n.\r\n")
            smtp.expect(smtp.reply(), 250)
            smtp.quit()

        def handed_over():
            if self.logged("mailbox-handed-over", old.address):
                return True
            time.sleep(0.5)  # a kill between the last commit and its line in the log leaves the line out
            return self.count(heir) == MESSAGES + 1

        # Nothing is begun before the first kill can land in it.
        os.kill(self.queue_pid(), signal.SIGSTOP)
        self.instance.command("account", "remove", old.address, "--hand-mail-to", heir.address)
        kills = 0
        for delay in (0.002, 0.01, 0.03, 0.06, 0.1):
            pid = self.queue_pid()
            self.instance.signal(pid, signal.SIGCONT)
            time.sleep(delay)
            if self.logged("mailbox-handed-over", old.address):
                break
            self.instance.signal(pid, signal.SIGKILL)
            self.instance.until(lambda: pid not in self.instance.processes().get("queue", []), 10, "queue to be gone")
            kills += 1
        self.assertGreater(kills, 0)
        self.instance.wait_all_up()
        self.instance.until(handed_over, 60, "all to be handed over")
        self.assertLessEqual(self.instance.log_text().count("event=mailbox-handed-over"), 1)
        with self.instance.pop3(heir, limit=120) as pop:
            self.assertEqual(pop.count(), MESSAGES + 1)
            ids = pop.uidl()
            self.assertEqual(len(set(ids)), MESSAGES + 1, "messages with one id")
            for number in (1, MESSAGES // 2, MESSAGES):
                text = pop.retr(number)
                self.assertIn(f"Delivered-To: {old.address}\r\n".encode(), text)
                self.assertIn(f"body of {number - 1}\r\n".encode(), text)
            self.assertIn(f"Delivered-To: {heir.address}\r\n".encode(), pop.retr(MESSAGES + 1))
            pop.quit()

    def test_mail_of_a_removed_account_is_deleted(self):
        user = self.user()
        self.fill(user, 0, 300)
        before = self.entries()
        self.instance.command("account", "remove", user.address, "--delete-mail")
        self.instance.until(lambda: self.logged("mailbox-deleted", user.address), 30, "the mail to be deleted")
        after = self.entries()
        self.assertEqual(before - after, 300)

    def test_a_new_account_is_greeted_once(self):
        user = accounts.User(9001)
        self.instance.form_set("greeting", **{"Send-Greeting": "yes", "Greeting-Text": ["Welcome to Podunk."]})
        self.addCleanup(self.instance.form_set, "greeting", **{"Send-Greeting": "no"})
        self.instance.command("account", "add", input=accounts.account_form(9001, accounts.READY_HASH))
        self.instance.until(lambda: self.logged("greeted", user.address), 30, "the greeting")
        for _ in range(2):
            pid = self.queue_pid()
            self.instance.signal(pid, signal.SIGKILL)
            self.instance.until(lambda: self.queue_pid() != pid, 30, "queue to be started again")
        self.instance.wait_ready()
        text = self.only_message(user)
        for part in (f"To: {user.address}\r\n", f"From: Account-Manager <postmaster@{self.instance.hostname}>\r\n",
                     f"Reply-To: Account-Manager <postmaster@{self.instance.hostname}>\r\n", "Subject: Form: Greeting\r\n",
                     "MIME-Version: 1.0\r\n", "Welcome to Podunk.\r\n", f"[{user.address}]\r\n"):
            self.assertIn(part.encode(), text)
        self.assertEqual(self.instance.log_text().count("event=greeted"), 1)
