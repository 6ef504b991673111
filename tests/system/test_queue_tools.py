"""What waits, seen and handled with `post.office queue`, mailq and `post.office trace`."""
import json
import subprocess
import time

from outbound import STRANGER, OutboundTest, letter


class QueueTools(OutboundTest):
    def waiting_letter(self, mark, to=("jane@refused.example",), **how):
        """A letter that waits because its host is away; its id, after the first attempt."""
        message = self.send(letter(mark), list(to), **how)
        if not self.attempted(message):
            self.queue("retry", message, check=False)  # its host may be spared for another test's letter
        self.until(lambda: self.attempted(message), "the first attempt")
        self.addCleanup(lambda: self.queue("remove", "--discard", message, check=False))
        return message

    def states(self, message):
        return {address: row["state"] for address, row in self.recipients(message).items()}

    def lines(self, *words):
        return [json.loads(line) for line in self.queue(*words, "--json").stdout.splitlines() if line.strip()]

    def test_list_and_its_filters(self):
        one = self.waiting_letter("listed one", sender="list1@elsewhere.example")
        two = self.waiting_letter("listed two", to=["a@silent.example", "b@refused.example"], sender="list2@other.example")
        shown = self.queue("list").stdout
        for word in (one, two, "list1@elsewhere.example", "a@silent.example"):
            self.assertIn(word, shown)
        for filters, there, away in ((("--sender", "list1@elsewhere.example"), one, two),
                                     (("--recipient", "a@silent.example"), two, one),
                                     (("--domain", "silent.example"), two, one)):
            shown = self.queue("list", *filters).stdout
            self.assertIn(there, shown, filters)
            self.assertNotIn(away, shown, filters)
        self.assertNotIn(one, self.queue("list", "--older", "1h").stdout)
        self.assertNotIn(one, self.queue("list", "--state", "held").stdout)
        self.assertTrue(self.lines("list"))

    def test_show(self):
        message = self.waiting_letter("shown", sender="shown@elsewhere.example")
        shown = self.queue("show", message).stdout
        for word in (message, "shown@elsewhere.example", "jane@refused.example", "203.0.113.246", "refused"):
            self.assertIn(word, shown)
        self.assertIn("Subject: shown", self.queue("show", message, "--headers").stdout)
        self.assertNotIn("A line.", self.queue("show", message, "--headers").stdout)
        self.assertIn("A line.", self.queue("show", message, "--content").stdout)
        self.assertNotEqual(self.queue("show", "0" * 20, check=False).returncode, 0)

    def test_summary(self):
        self.waiting_letter("summed up")
        # What other tests have left waiting may be more than is shown without a selection.
        shown = self.queue("summary", "--domain", "refused.example").stdout
        self.assertRegex(shown, r"(?m)^\s*refused\.example\s+\d+")
        self.assertRegex(shown, r"(?i)total\s+\d+")

    def test_status_counts_what_waits(self):
        self.waiting_letter("counted")
        self.assertGreaterEqual(json.loads(self.queue("status", "--json").stdout)["waiting"], 1)

    def test_hold_and_release(self):
        host = self.world.sink(faults={"connect": []})
        self.world.servers.deaf(host)
        message = self.send(letter("held"), f"jane@{host.domain}")
        self.until(lambda: self.attempted(message), "the first attempt")
        self.queue("hold", message)
        self.assertEqual(self.states(message), {f"jane@{host.domain}": "held"})
        again = self.world.servers.listen(host.address, host.name)
        self.queue("retry", message, check=False)
        time.sleep(1)
        self.assertFalse(again.sessions, "what is held was tried")
        self.queue("release", message)
        self.queue("retry", message, check=False)
        self.taken(again)

    def test_hold_by_sender_and_by_domain(self):
        one = self.waiting_letter("held by sender", sender="holdme@elsewhere.example")
        two = self.waiting_letter("held by domain", to=["x@refusedtoo.example", "y@refused.example"])
        self.queue("hold", "--sender", "holdme@elsewhere.example")
        self.assertEqual(self.states(one), {"jane@refused.example": "held"})
        self.queue("hold", "--domain", "refusedtoo.example")
        self.assertEqual(self.states(two)["x@refusedtoo.example"], "held")
        self.assertNotEqual(self.states(two)["y@refused.example"], "held")
        self.queue("release", "--sender", "holdme@elsewhere.example")
        self.queue("release", "--domain", "refusedtoo.example")
        self.assertNotIn("held", [*self.states(one).values(), *self.states(two).values()])

    def test_remove_tells_nobody(self):
        user = self.user()
        message = self.waiting_letter("removed", user=user)
        self.assertNotEqual(self.queue("remove", message, check=False).returncode, 0, "whether to tell was left open")
        self.queue("remove", "--discard", message)
        self.assertFalse(self.waiting(message))
        self.assert_empty(user)

    def test_remove_tells_the_sender(self):
        user = self.user()
        message = self.waiting_letter("bounced by hand", user=user)
        self.queue("remove", "--bounce", message)
        notice = self.notice(user)
        self.assertIn(b"Subject: bounced by hand", notice)
        self.assertIn(b"Ask your Postmaster why.", notice)
        self.assertFalse(self.waiting(message))
        self.assertIn(f"about={message} action=failed", self.instance.log_text())

    def test_expire_returns_it_now(self):
        user = self.user()
        message = self.waiting_letter("expired", user=user)
        self.queue("expire", message)
        self.assertIn(b"Subject: expired", self.notice(user))
        self.until(lambda: not self.waiting(message), "it to be gone")

    def test_reroute_to_another_host(self):
        host = self.world.sink()
        message = self.waiting_letter("rerouted", to=["gone@refused.example"])
        self.queue("reroute", message, "--to", f"[{host.address}]")
        self.assertEqual(self.taken(host)[0].recipients, ["gone@refused.example"])
        self.until(lambda: not self.waiting(message), "it to be gone")

    def test_many_at_once_by_sender(self):
        for n in range(5):
            self.waiting_letter(f"many {n}", sender="many@elsewhere.example")
        self.queue("remove", "--discard", "--sender", "many@elsewhere.example")
        self.assertNotIn("many@elsewhere.example", self.queue("list").stdout)

    def test_mailq(self):
        message = self.waiting_letter("in mailq", sender="mailq@elsewhere.example")
        program = self.instance.program / "mailq"
        if not program.exists():
            program.symlink_to("sendmail")
        shown = subprocess.run([program, "-C", self.instance.conf], capture_output=True, text=True, timeout=30)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for word in (message, "mailq@elsewhere.example", "jane@refused.example"):
            self.assertIn(word, shown.stdout)
        self.assertRegex(shown.stdout.splitlines()[-1], r"^-- \d+ .* in \d+ Request")

    def test_watch_shows_what_changes(self):
        with self.instance.inside():
            watch = subprocess.Popen([self.instance.program / "post.office", "-c", self.instance.conf, "queue", "watch"],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            time.sleep(0.5)
            message = self.waiting_letter("watched")
            deadline, seen = time.monotonic() + 20, ""
            while message not in seen and time.monotonic() < deadline:
                seen += watch.stdout.readline()
            self.assertIn(message, seen)
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()


class Trace(OutboundTest):
    def trace(self, what):
        return self.instance.command("trace", what).stdout

    def test_the_life_of_a_message(self):
        host, user = self.world.sink(tls=True), self.user()
        message = self.send(letter("traced", Message_ID="<traced.1@elsewhere.example>"), f"jane@{host.domain}", user=user)
        self.taken(host)
        for what in (message, "<traced.1@elsewhere.example>", f"jane@{host.domain}"):
            shown = self.until(lambda w=what: "delivered" in self.trace(w) and self.trace(w), f"the story of {what}")
            for word in (message, user.address, f"jane@{host.domain}", host.name, "TLSv1.3", "250 2.0.0 taken"):
                self.assertIn(word, shown, what)

    def test_attempts_that_failed_and_the_bounce(self):
        user = self.user()
        message = self.send(letter("traced refusal"), "nobody.traced@postfix.example", user=user)
        self.notice(user)
        shown = self.trace(message)
        self.assertIn("550 5.1.1", shown)
        self.assertRegex(shown, r"notice .* action=failed")

    def test_refused_attempts(self):
        with self.instance.smtp(source=STRANGER) as smtp:
            smtp.ehlo().cmd("MAIL FROM:<tracedspammer@elsewhere.example>", 250)
            smtp.cmd("RCPT TO:<tracedvictim@remote.example>", 550)
        shown = self.until(lambda: self.trace("tracedspammer@elsewhere.example"), "the refusal's story")
        for word in (STRANGER, "tracedvictim@remote.example", "550"):
            self.assertIn(word, shown)

    def test_local_deliveries(self):
        user = self.user()
        message = self.send(letter("traced at home"), user.address)
        self.assertIn(user.address, self.trace(message))
