"""POP3 sessions: what they see, what they delete, and when."""
import base64
import signal

from content import random_content, without_trace
from dialogue import Closed, Pop3
from harness import SystemTest


class Pop3Test(SystemTest):
    def filled(self, count, size=500):
        user = self.user()
        contents = [random_content(size, 1000 + n) for n in range(count)]
        with self.instance.smtp() as smtp:
            smtp.ehlo()
            for content in contents:
                smtp.deliver(content, to=user.address)
            smtp.quit()
        return user, contents


class Sessions(Pop3Test):
    def test_capabilities(self):
        with self.instance.pop3() as pop:
            words = {line.decode().split(" ")[0]: line.decode() for line in pop.multi("CAPA")}
            for word in ("TOP", "UIDL", "USER", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "IMPLEMENTATION", "STLS", "UTF8"):
                self.assertIn(word, words)
            self.assertEqual(words["EXPIRE"], "EXPIRE NEVER")
            self.assertEqual(words["SASL"], "SASL PLAIN")
            pop.stls()
            self.assertNotIn(b"STLS", pop.multi("CAPA"))

    def test_list_stat_uidl_agree_with_retr(self):
        user, contents = self.filled(5)
        with self.instance.pop3(user) as pop:
            count, octets = pop.stat()
            sizes = dict(map(int, line.split()) for line in pop.multi("LIST"))
            self.assertEqual((count, octets), (5, sum(sizes.values())))
            uidl = pop.uidl()
            self.assertEqual(len(set(uidl.values())), 5)
            for number, content in enumerate(contents, 1):
                message = pop.retr(number)
                self.assertEqual(len(message), sizes[number])
                self.assertEqual(without_trace(message)[0], content)
                self.assertEqual(pop.cmd(f"LIST {number}").split()[1:], [str(number), str(sizes[number])])
                self.assertEqual(pop.cmd(f"UIDL {number}").split()[1:], [str(number), uidl[number]])
            pop.quit()
        with self.instance.pop3(user) as pop:
            self.assertEqual(pop.uidl(), uidl, "UIDs of the next session")

    def test_top(self):
        user, contents = self.filled(1, 3000)
        head, body = contents[0].split(b"\r\n\r\n", 1)
        with self.instance.pop3(user) as pop:
            for lines in (0, 1, 2, 7, 100000):
                got = b"".join(line + b"\r\n" for line in pop.multi(f"TOP 1 {lines}"))
                want = head + b"\r\n\r\n" + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:-1][:lines])
                self.assertEqual(without_trace(got)[0], want, f"TOP 1 {lines}")

    def test_what_arrives_meanwhile_does_not_disturb(self):
        user, _ = self.filled(2)
        with self.instance.pop3(user) as pop:
            before = (pop.stat(), pop.uidl())
            with self.instance.smtp() as smtp:
                smtp.ehlo().deliver(b"Subject: meanwhile\r\n\r\n", to=user.address)
            self.assertEqual((pop.stat(), pop.uidl()), before)
            pop.err("RETR 3")
            pop.quit()
        with self.instance.pop3(user) as pop:
            self.assertEqual(pop.count(), 3)

    def test_delete_only_at_quit(self):
        user, _ = self.filled(3)
        with self.instance.pop3(user) as pop:
            pop.cmd("DELE 2")
            pop.err("RETR 2")
            pop.err("DELE 2")
            self.assertEqual(pop.count(), 2)
            pop.close()  # no QUIT
        with self.instance.pop3(user) as pop:
            self.assertEqual(pop.count(), 3)
            pop.cmd("DELE 1")
            pop.cmd("RSET")
            pop.quit()
        with self.instance.pop3(user) as pop:
            self.assertEqual(pop.count(), 3)
            second = pop.uidl()[2]
            pop.cmd("DELE 1")
            pop.cmd("DELE 3")
            pop.quit()
        with self.instance.pop3(user) as pop:
            self.assertEqual(list(pop.uidl().values()), [second])

    def test_two_sessions_on_one_mailbox(self):
        user, contents = self.filled(3)
        with self.instance.pop3(user) as one, self.instance.pop3(user) as two:
            self.assertEqual(one.uidl(), two.uidl())
            one.cmd("DELE 1")
            one.cmd("DELE 2")
            self.assertEqual(without_trace(two.retr(1))[0], contents[0])
            one.quit()
            two.err("RETR 1")  # gone; the session goes on
            two.err("TOP 2 0")
            self.assertEqual(without_trace(two.retr(3))[0], contents[2])
            two.cmd("DELE 2")  # deleting it again is no error
            two.quit()
        self.assert_arrived(user, contents[2])

    def test_pipelining(self):
        user, contents = self.filled(4)
        with self.instance.pop3() as pop:
            pop.send(f"USER {user.login}\r\nPASS {user.password}\r\nSTAT\r\n"
                     + "".join(f"DELE {n}\r\n" for n in range(1, 5)) + "QUIT\r\n")
            for _ in range(8):
                pop.ok(pop.read_line())
            self.assertTrue(pop.at_end())
        self.assert_empty(user)

    def test_login_by_any_address_and_login_name(self):
        user = self.user()
        second = f"second{user.number}@second.example"
        self.instance.account_set(user.address, **{"Internet-Addresses": [user.address, second]})
        for name in (user.login, user.address, second, user.address.upper()):
            with self.instance.pop3() as pop:
                pop.login(name, user.password).quit()

    def test_sasl_plain(self):
        user = self.user()
        token = base64.b64encode(f"\0{user.login}\0{user.password}".encode()).decode()
        with self.instance.pop3() as pop:
            pop.cmd("AUTH PLAIN " + token)
            pop.stat()
        with self.instance.pop3() as pop:
            pop.send_line("AUTH PLAIN")
            self.assertEqual(pop.read_line(), b"+ ")
            pop.cmd(token)
        with self.instance.pop3() as pop:
            pop.send_line("AUTH PLAIN")
            pop.read_line()
            pop.err("*")
            pop.err("AUTH PLAIN !!!!")
            pop.err("AUTH NTLM")
            pop.cmd("AUTH PLAIN " + token)

    def test_utf8(self):
        user, contents = self.filled(1)
        with self.instance.pop3() as pop:
            pop.cmd("UTF8")
            pop.login(user.login, user.password)
            self.assertEqual(without_trace(pop.retr(1))[0], contents[0])

    def test_empty_mailbox(self):
        user = self.user()
        with self.instance.pop3(user) as pop:
            self.assertEqual(pop.stat(), (0, 0))
            self.assertEqual(pop.multi("LIST"), [])
            self.assertEqual(pop.multi("UIDL"), [])
            pop.quit()

    def test_a_slow_reader_disturbs_nobody(self):
        user, _ = self.filled(1, 4_000_000)
        slow = self.instance.pop3(user)
        slow.send_line("RETR 1")
        self.assert_works()
        slow.ok(slow.read_line())
        slow.close()

    def test_two_hundred_messages(self):
        user, contents = self.filled(200, 300)
        messages = self.instance.fetch_all(user, delete=True)
        self.assertEqual([without_trace(m)[0] for m in messages], contents)
        self.assert_empty(user)


class ClearText(Pop3Test):
    """No password before TLS, except from the loopback address: a setting."""

    def tearDown(self):
        self.instance.form_set("system-configuration", **{"POP3-Clear-Text-Log-In": "loopback"})

    def test_setting(self):
        user = self.user()
        self.instance.pop3(user).quit()
        self.instance.form_set("system-configuration", **{"POP3-Clear-Text-Log-In": "never"})

        def offered():
            with self.instance.pop3() as pop:
                return b"USER" in pop.multi("CAPA")
        self.instance.until(lambda: not offered(), 5, "CAPA without USER")
        with self.instance.pop3() as pop:
            pop.err("USER " + user.login)
            pop.err("AUTH PLAIN AHUAcA==")
            pop.stls()
            pop.login(user.login, user.password).quit()
        Pop3(self.instance.ports["pop3s"], tls=True).login(user.login, user.password).quit()


class QueueGone(Pop3Test):
    own = {"users": 40}

    def kill_queue(self):
        pid, = self.instance.processes()["queue"]
        self.instance.signal(pid, signal.SIGKILL)
        self.instance.until(lambda: self.instance.processes().get("queue", [pid]) != [pid], 5, "another queue")
        self.instance.until(self.accepts, 10, "mail to be accepted again")

    def accepts(self):
        try:
            with self.instance.smtp() as smtp:
                smtp.ehlo().deliver(b"Subject: probe\r\n\r\n", to="postmaster")
            return True
        except AssertionError:  # a temporary failure, anywhere in the dialogue
            return False

    def test_deletions_are_not_done_and_it_is_said(self):
        user, contents = self.filled(3)
        with self.instance.pop3(user) as pop:
            pop.cmd("DELE 1")
            pop.cmd("DELE 2")
            self.kill_queue()
            answer = pop.err("QUIT")
            self.assertIn("[SYS/TEMP]", answer)
        self.assertEqual([without_trace(m)[0] for m in self.instance.fetch_all(user)], contents)

    def test_retr_is_a_temporary_failure(self):
        user, _ = self.filled(1)
        with self.instance.pop3(user) as pop:
            self.kill_queue()
            try:
                self.assertIn("[SYS/TEMP]", pop.err("RETR 1"))
            except Closed as e:
                self.assertIn("[SYS/TEMP]", str(e))
        self.assertEqual(len(self.instance.fetch_all(user)), 1)

    def test_quit_without_deletions_is_fine(self):
        user, _ = self.filled(1)
        with self.instance.pop3(user) as pop:
            pop.stat()
            self.kill_queue()
            pop.send_line("QUIT")
            self.assertRegex(pop.read_line(), rb"^(\+OK|-ERR \[SYS/TEMP\])")
        self.assertEqual(len(self.instance.fetch_all(user)), 1)
