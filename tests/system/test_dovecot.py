"""Debian's Dovecot reads a mail drop by IMAP while unix-deliver writes it."""
import imaplib
import os
import subprocess
import threading
import time
import unittest

from harness import Pool
from instance import free_ports
from namespace import View, lacking
from test_unix_delivery import UnixTest

CONFIGURATION = """protocols = imap
listen = 127.0.0.1
base_dir = /run/dovecot
state_dir = /run/dovecot
log_path = /run/dovecot.log
ssl = no
disable_plaintext_auth = no
default_internal_user = keeper
default_internal_group = keeper
default_login_user = keeper
first_valid_uid = 1000
mail_location = mbox:/run/mail/%u:INBOX=/var/mail/%u
mail_privileged_group = mail
passdb {{
  driver = static
  args = password=readers
}}
userdb {{
  driver = static
  args = uid=20001 gid=20001 home=/run/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@unittest.skipIf(lacking("dovecot-imapd"), lacking("dovecot-imapd"))
class Dovecot(UnixTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot = None
        cls.addClassCleanup(cls.end)
        cls.port, = free_ports(1)
        cls.view = View(cls.host.folder / "dovecot", ["dovecot-imapd"], {"dovecot/dovecot.conf": CONFIGURATION.format(port=cls.port)})
        run = cls.view.place("/run")
        (run / "mail" / "jane").mkdir(parents=True)
        os.chown(run / "mail" / "jane", 20001, 20001)
        cls.dovecot = subprocess.Popen([*cls.host.launcher, *cls.view.command("/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf")],
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        cls.log = run / "dovecot.log"

        def serves():
            try:
                imaplib.IMAP4("127.0.0.1", cls.port).logout()
                return True
            except OSError:
                assert cls.dovecot.poll() is None, cls.log.read_text() if cls.log.exists() else "Dovecot did not start"
                return False
        cls.instance.until(serves, 60, "Dovecot to serve IMAP")

    @classmethod
    def end(cls):
        if cls.dovecot:
            cls.dovecot.terminate()
            cls.dovecot.wait(60)

    def imap(self):
        imap = imaplib.IMAP4("127.0.0.1", self.port)
        imap.login("jane", "readers")
        imap.select("INBOX")
        return imap

    @staticmethod
    def subjects(imap, numbers):
        out = []
        for part in imap.fetch(b",".join(numbers), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
            if isinstance(part, tuple):
                out.append(part[1].decode().strip().removeprefix("Subject: "))
        return out

    def test_it_reads_and_deletes_while_mail_arrives(self):
        user, total, seen = self.unix_user(), 80, []
        self.send(user, b"Subject: first\r\n\r\nx\r\n")
        self.until_there(1)
        ended = threading.Event()

        def read():
            while True:
                last = ended.is_set()
                imap = self.imap()
                numbers = imap.search(None, "ALL")[1][0].split()
                if numbers:
                    seen.extend(self.subjects(imap, numbers))
                    imap.store(b",".join(numbers), "+FLAGS", "\\Deleted")
                    imap.expunge()
                imap.logout()
                if last:
                    return
                time.sleep(0.05)
        reader = threading.Thread(target=read)
        reader.start()
        try:
            for i in range(total):
                self.send(user, b"Subject: m%d\r\n\r\nFrom here\r\nbody %d\r\n" % (i, i))
            self.instance.until(lambda: not self.waiting(user), 180, "all mail to leave the queue")
        finally:
            ended.set()
            reader.join()
        self.assertEqual(sorted(seen), sorted(["first", *(f"m{i}" for i in range(total))]))
        # Dovecot's own: what it knows of an empty folder.
        self.assertEqual([m["subject"] for m in self.messages() if "FOLDER INTERNAL DATA" not in m["subject"]], [])
        wrong = [line for line in self.log.read_text().splitlines() if "Error" in line or "Panic" in line or "Fatal" in line]
        self.assertEqual(wrong, [])

    def test_a_message_is_as_it_was_sent(self):
        user = self.unix_user()
        self.send(user, b"Subject: whole\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n\r\n.dot\r\n")
        self.until_there(1)
        imap = self.imap()
        text = imap.fetch(b"1", "(BODY[])")[1][0][1]
        imap.logout()
        self.assertTrue(text.endswith(b"Subject: whole\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n\r\n.dot\r\n"), text)
        self.assertIn(b"Delivered-To: " + user.address.encode(), text)
