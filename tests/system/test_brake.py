"""The brake on outgoing mail: above a number of recipients an hour and a day, 452, and the Postmaster hears of it once."""
from outbound import FRIEND, OutboundTest, letter

FORM = "mail-queue"


class Brake(OutboundTest):
    def limit(self, **fields):
        self.instance.form_set(FORM, **{name: str(value) for name, value in fields.items()})

    def offer(self, smtp, sender, to):
        """The codes of the recipients and of the message."""
        smtp.cmd(f"MAIL FROM:<{sender}>", 250)
        codes = [smtp.cmd(f"RCPT TO:<{address}>").code for address in to]
        if 250 not in codes:
            smtp.cmd("RSET", 250)
            return codes
        smtp.cmd("DATA", 354)
        smtp.send(letter("under the brake", author=sender) + b".\r\n")
        return codes + [smtp.reply().code]

    def test_an_account(self):
        """A stolen password: the account stops, others go on, local mail goes on, and there is one notice."""
        user, other, host = self.user(), self.user(), self.world.sink()
        self.limit(Recipients_per_Hour_per_Account=6)
        try:
            with self.instance.submission(user) as smtp:
                for n in range(3):
                    self.assertNotIn(452, self.offer(smtp, user.address, [f"v{n}a@{host.domain}", f"v{n}b@{host.domain}"]))
                for n in range(3, 6):
                    self.assertIn(452, self.offer(smtp, user.address, [f"v{n}@{host.domain}"]))
                self.assertNotIn(452, self.offer(smtp, user.address, [other.address]), "local mail needs no brake")
            with self.instance.submission(other) as smtp:
                self.assertNotIn(452, self.offer(smtp, other.address, [f"w@{host.domain}"]))
        finally:
            self.limit(Recipients_per_Hour_per_Account=1000)
        self.taken(host, 4)
        self.until(lambda: self.postmaster_mail(user.address.encode()), "the Postmaster's notice")
        notices = [m for m in self.postmaster_mail(user.address.encode()) if b"Recipients-per-Hour" in m or b"limit" in m]
        self.assertEqual(len(notices), 1, "notices to the Postmaster")

    def test_one_message_with_too_many(self):
        user, host = self.user(), self.world.sink()
        self.limit(Recipients_per_Day_per_Account=4)
        try:
            with self.instance.submission(user) as smtp:
                self.assertIn(452, self.offer(smtp, user.address, [f"v{n}@{host.domain}" for n in range(10)]))
        finally:
            self.limit(Recipients_per_Day_per_Account=5000)

    def test_a_network(self):
        host = self.world.sink()
        self.limit(Recipients_per_Hour_per_Network=3)
        try:
            with self.instance.smtp(source=FRIEND) as smtp:
                smtp.ehlo()
                codes = [self.offer(smtp, "friend@elsewhere.example", [f"v{n}@{host.domain}"])[-1] for n in range(12)]
        finally:
            self.limit(Recipients_per_Hour_per_Network=0)
        self.assertIn(452, codes)
