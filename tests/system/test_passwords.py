"""Passwords: hashes brought along, wrong ones slowed down, nothing told about who exists."""
import statistics
import subprocess
import time

import accounts
from harness import SystemTest


def crypt_hash(method, password):
    """By openssl or crypt(3) - whatever makes that form here; None if nothing does."""
    if method == "6":
        return subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True,
                              check=True).stdout.strip()
    try:
        import crypt
    except ImportError:
        return None
    salt = {"y": "$y$j9T$SgVPWTGxrbPHe9lCcBWVt1$", "2b": "$2b$05$abcdefghijklmnopqrstuu"}[method]
    hashed = crypt.crypt(password, salt)
    return hashed if hashed and hashed.startswith(f"${method}$") else None


class PasswordTest(SystemTest):
    def answer(self, login, password, source="127.0.0.1"):
        with self.instance.pop3(source=source) as pop:
            pop.cmd("USER " + login)
            pop.send_line("PASS " + password)
            return pop.read_line()

    def may(self, login, password, source="127.0.0.1"):
        return self.answer(login, password, source).startswith(b"+OK")


class Hashes(PasswordTest):
    def brought(self, method):
        hashed = crypt_hash(method, "brought along")
        if hashed is None:
            self.skipTest(f"crypt(3) here does not make ${method}$")
        user = self.user(Mail_Account_Password=hashed)
        self.assertFalse(self.may(user.login, "something else", "127.0.1.1"))
        self.assertFalse(self.may(user.login, hashed, "127.0.1.2"), "the hash itself is no password")
        self.assertTrue(self.may(user.login, "brought along"))
        return user

    def test_crypt_sha512(self):
        self.brought("6")

    def test_yescrypt(self):
        self.brought("y")

    def test_bcrypt(self):
        self.brought("2b")

    def test_our_own_form(self):
        user = self.user(Mail_Account_Password=accounts.scrypt_hash("my own scrypt", salt=b"another salt, 16"))
        self.assertTrue(self.may(user.login, "my own scrypt"))
        self.assertFalse(self.may(user.login, "my own scrypT", "127.0.1.3"))

    def test_passwords_do_not_stand_on_disk_or_in_the_log(self):
        secret = "never to be seen anywhere"
        user = self.user(Mail_Account_Password=secret)
        self.assertTrue(self.may(user.login, secret))
        self.assertFalse(self.may(user.login, secret + " at all", "127.0.1.4"))
        for path in [*self.instance.spool.rglob("*"), *self.instance.log.rglob("*")]:
            if path.is_file():
                self.assertNotIn(secret.encode(), path.read_bytes(), path)

    def test_rules_for_passwords(self):
        user = self.user()
        for wrong, rule in (("abc12", "6"), (" begins with a space", "space"), ("ends with a space ", "space")):
            done = self.instance.command("account", "set", user.address, check=False,
                                         input=accounts.form({"Mail-Account-Password": wrong}))
            self.assertNotEqual(done.returncode, 0, wrong)
            self.assertIn("Mail-Account-Password", done.stderr + done.stdout)
            self.assertIn(rule, done.stderr + done.stdout)
            self.assertNotIn(wrong, done.stderr + done.stdout, "a password in an error message")
        self.assertTrue(self.may(user.login, user.password), "the old password still works")

    def test_case_matters(self):
        user = self.user(Mail_Account_Password="Case Matters")
        self.assertTrue(self.may(user.login, "Case Matters"))
        self.assertFalse(self.may(user.login, "case matters", "127.0.1.5"))

    def test_old_password_ends_with_the_change(self):
        user = self.user()
        self.assertTrue(self.may(user.login, user.password))
        self.instance.command("account", "passwd", user.address, input="a new password\n")
        self.assertFalse(self.may(user.login, user.password, "127.0.1.6"), "a cached verdict")
        self.assertTrue(self.may(user.login, "a new password"))


class Guessing(PasswordTest):
    own = {"users": 40}

    def test_unknown_account_gets_the_same_answer(self):
        user = self.user()
        wrong = self.answer(user.login, "wrong password", "127.0.2.1")
        self.assertEqual(wrong, self.answer("nobody.here", "wrong password", "127.0.2.2"))
        self.assertEqual(wrong, self.answer("nobody@remote.example", "wrong password", "127.0.2.3"))
        self.assertTrue(wrong.startswith(b"-ERR [AUTH]"), wrong)

    def test_unknown_account_takes_the_same_time(self):
        known, unknown = [], []
        dear = accounts.scrypt_hash(accounts.PASSWORD)
        for n in range(6):
            user = self.user(Mail_Account_Password=dear)
            for login, times in ((user.login, known), (f"nobody{n}", unknown)):
                start = time.monotonic()
                self.answer(login, f"wrong password {n}", f"127.0.3.{2 * n + (times is known)}")
                times.append(time.monotonic() - start)
        # A password of nobody's that were not hashed would be told a hundred times sooner.
        one, two = statistics.median(known), statistics.median(unknown)
        self.assertLess(max(one, two) / min(one, two), 5, f"known {known}, unknown {unknown}")

    def test_failures_slow_an_address_down(self):
        """After some failures the address waits or is told to; another address is served at once."""
        user, other = self.user(), self.user()
        source = "127.0.4.1"
        answers, slowest = [], 0.0
        for n in range(16):
            start = time.monotonic()
            answers.append(self.answer(self.user().login if n % 4 == 0 else user.login, f"wrong {n} password", source))
            slowest = max(slowest, time.monotonic() - start)
            if slowest > 2 or b"IN-USE" in answers[-1] or b"LOGIN-DELAY" in answers[-1] or answers[-1] != answers[0]:
                break
        else:
            self.fail(f"16 wrong passwords and no slow-down: {answers[-1]}, {slowest:.2f} s")
        self.assertTrue(self.may(other.login, other.password, "127.0.4.99"))

    def test_who_logged_in_before_is_not_shut_out_by_others(self):
        user = self.user()
        home = "127.0.5.1"
        self.assertTrue(self.may(user.login, user.password, home))
        for n in range(30):
            self.answer(user.login, f"guess number {n}", f"127.0.6.{n + 1}")
        self.assertTrue(self.may(user.login, user.password, home))

    def test_smtp_says_535(self):
        user = self.user()
        with self.instance.submission(source="127.0.7.1") as smtp:
            first = smtp.auth(user.address, "wrong password", 535)
        with self.instance.submission(source="127.0.7.2") as smtp:
            second = smtp.auth("nobody@post.example", "wrong password", 535)
        self.assertEqual(first.text, second.text)

    def test_polling_clients_do_not_wait_for_scrypt(self):
        """Hits of the cache go past the queue of those who guess."""
        import threading
        user = self.user()
        self.assertTrue(self.may(user.login, user.password))
        stop, guesses = threading.Event(), [0] * 8

        def guess(number):
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    self.answer(f"nobody{number}x{n}", "wrong password", f"127.0.{10 + number}.{n % 250 + 1}")
                    guesses[number] += 1
                except (OSError, AssertionError):
                    pass
        threads = [threading.Thread(target=guess, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        try:
            passed = []  # guesses that were answered during one log-in: a log-in behind them in the queue waits for all eight
            for _ in range(20):
                before = sum(guesses)
                self.assertTrue(self.may(user.login, user.password))
                passed.append(sum(guesses) - before)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertGreater(sum(guesses), 8, "nobody was in the way")
        self.assertLess(statistics.median(passed), 6, passed)


class ReplacedHash(SystemTest):
    """Foreign hashes are replaced at the next log-in: seen on a copy of secrets/, which has no trace of the old one."""
    own = {"users": 3}

    def secrets(self):
        return b"".join(p.read_bytes() for p in sorted((self.instance.spool / "secrets").rglob("*")) if p.is_file())

    def test_hash_is_replaced_at_log_in(self):
        hashed = crypt_hash("6", "brought along")
        user = self.user(Mail_Account_Password=hashed)
        self.assertIn(hashed.encode(), self.secrets(), "the test's premise: the imported hash can be found on disk")
        user.password = "brought along"
        self.instance.pop3(user).quit()

        def replaced():
            # LMDB leaves old pages in the file until they are used again: write until they are.
            self.instance.command("account", "passwd", "user3@post.example", input="another one\n")
            return hashed.encode() not in self.secrets()
        self.instance.until(replaced, 30, "the old hash to be gone from the disk")
        self.instance.pop3(user).quit()
