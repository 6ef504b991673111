"""The web pages in a real browser: every walk of tests/browser, each page looked at in light and dark and on a phone."""
import http.server
import json
import threading
import unittest

from accounts import PASSWORD
from browser import Browser, WalkTest
from dialogue import Closed
from harness import SystemTest
from instance import DOMAIN, HOSTNAME, POSTMASTER_PASSWORD, free_ports

HEAD = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Trial</title>'


def page(body, head=HEAD, lang=' lang="en"'):
    return f"<!DOCTYPE html><html{lang}><head>{head}</head><body>{body}</body></html>"


def main(inside, head=""):
    return page(f"<main><h1>Good</h1>{inside}</main>", HEAD + head)


GOOD = """<form action="/sent"><label>Name <input name="name"></label>
<label for="colour">Colour</label>
<select id="colour" name="colour"><option value="g">Green</option><option value="r">Red</option></select>
<label><input type="checkbox" name="sure" value="1">Sure</label>
<fieldset><legend>Size</legend><label><input type="radio" name="size" value="s" checked>Small</label>
<label><input type="radio" name="size" value="l">Large</label></fieldset>
<button>Send</button></form>"""
REFUSED = """<form><label for="a">Name</label><input id="a" name="a" aria-invalid="true" aria-describedby="e">
<p id="e" class="error">At least 6 characters.</p><label for="b">Other</label><input id="b" name="b">
<label for="c">Far</label><input id="c" name="c" aria-invalid="true" aria-errormessage="f"><span class="tall"></span><p id="f" class="error">Far away.</p></form>"""
SHEETS = {
    "good.css": "label, button, select { min-height: 24px; line-height: 24px; display: block }",
    "tall.css": ".tall { display: block; height: 300px }",
    "small.css": "button { height: 12px }",
    "pale.css": "p { color: #ccc; background: #fff }",
    "dark.css": "@media (prefers-color-scheme: dark) { p { color: #222; background: #000 } }",
    "wide.css": "p { width: 900px }",
    "unseen.css": "button:focus { outline: none }",
}
PAGES = {  # path -> status, body
    "good.html": (200, main(GOOD, '<link rel="stylesheet" href="good.css">')),
    "refused.html": (422, main(REFUSED, '<link rel="stylesheet" href="tall.css">')),
    "outside.html": (200, main('<img alt="" src="http://127.0.0.1:1/x.png">')),
    "heavy.html": (200, main("<p>" + "weight " * 10000 + "</p>")),
    "broken.html": (200, main("<script>throw new Error('oops')</script>")),
    "missing.html": (200, main("", '<link rel="stylesheet" href="nothing.css">')),
    "blocked.html": (200, main('<p style="color: red">x</p>')),
    "pale.html": (200, main("<p>pale</p>", '<link rel="stylesheet" href="pale.css">')),
    "dark.html": (200, main("<p>dark</p>", '<link rel="stylesheet" href="dark.css">')),
    "nameless.html": (200, main("<input name=x>")),
    "wide.html": (200, main("<p>wide</p>", '<link rel="stylesheet" href="wide.css">')),
    "small.html": (200, main("<button>B</button>", '<link rel="stylesheet" href="small.css">')),
    "unseen.html": (200, main("<button>B</button>", '<link rel="stylesheet" href="unseen.css">')),
    "trap.html": (200, main("<a href=x>one</a> <a href=y>two</a><script>document.links[1].onfocus = "
                            "() => document.links[0].focus()</script><button>three</button>")),
    "bare.html": (200, page("bare", "", "")),
}


class TrialPages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path[1:].partition("?")
        if path == "sent":
            self.answer(200, page(f"<main><h1>Sent</h1><p>{query.replace('&', '&amp;')}</p></main>"), "text/html")
        elif path in PAGES:
            self.answer(*PAGES[path], "text/html")
        elif path in SHEETS:
            self.answer(200, SHEETS[path], "text/css")
        else:
            self.answer(404, "", "text/plain")

    def answer(self, status, text, kind):
        octets = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        if "blocked" in self.path:
            self.send_header("Content-Security-Policy", "style-src 'self'")
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_):
        pass


class Tools(WalkTest, unittest.TestCase):
    """The walks' own tools find what is wrong, and nothing else."""
    file = "trial.js"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TrialPages)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def config(self):
        return {"url": f"http://127.0.0.1:{self.server.server_port}"}

    def answers(self):
        return {"twice": lambda n: 2 * n}

    def test_good_page(self):
        self.walk("good_page")

    def test_errors_beside_fields(self):
        self.walk("errors_stand_beside_fields")

    def test_faults_are_found(self):
        self.assertEqual(len(self.walk("faults_are_found")), 14)

    def test_without_script(self):
        self.walk("without_script")

    def test_asks(self):
        self.walk("asks")

    def test_failure_is_seen(self):
        said = Browser.common().walk(self.file, "fails", self.config(), {})
        self.assertEqual(said, [(False, "this is to fail: as | it should")])
        with self.assertRaisesRegex(AssertionError, "as \\| it should"):
            self.walk("fails")


class Site(WalkTest, SystemTest):
    """Walks through the pages of an instance, without script: that is to add comfort, not function."""
    script = False
    own = {"users": 130, "web": True}

    def config(self):
        return {"url": f"https://127.0.0.1:{self.instance.ports['web']}", "postmaster": POSTMASTER_PASSWORD}

    def person(self, user=None):
        user = user or self.user()
        return {"login": user.login, "address": user.address, "password": user.password}

    def accounts(self, address="@"):
        return sum(1 for line in self.instance.command("account", "list").stdout.splitlines() if address in line)

    def put_off(self, sender, *recipients):
        """A letter to each, at far.example or away.example, which refuse connections: those two as routes have them."""
        far, away = (f"[127.0.0.1]:{port}" for port in free_ports(2))
        self.instance.form_set("mail-routing", **{"Mail-Routing-Table": [f"far.example:{far}", f"away.example:{away}"]})
        tried = set()
        with self.instance.submission(sender) as smtp:
            for to in recipients:
                smtp.deliver(b"From: <%s>\r\nSubject: waits\r\n\r\n<script>alert(1)</script>\r\n" % sender.address.encode(),
                             sender=sender.address, to=to)
                domain = to.partition("@")[2]
                if domain in tried:  # it is spared since the first one's attempt
                    self.instance.command("queue", "retry", "--recipient", to)
                tried.add(domain)
                self.instance.until(lambda to=to: self.is_put_off(to), 30, f"an attempt for {to}")
        return far, away

    def is_put_off(self, to):
        return '"state":"deferred"' in self.instance.command("queue", "list", "--recipient", to, "--json").stdout

    # ---- what a walk may ask

    def answers(self):
        return {name: getattr(self, "ask_" + name) for name in (
            "pop3", "submit", "deliver", "arrived", "has", "rcpt", "rcpt_text", "size", "finger", "form", "form_set",
            "account", "account_set", "relay_passwords")}

    def ask_pop3(self, login, password):
        with self.instance.pop3() as pop:
            try:
                pop.login(login, password)
            except (AssertionError, Closed):
                return "refused"
            return "welcome"

    def ask_submit(self, address, password):
        with self.instance.submission() as smtp:
            smtp.auth(address, password)
            return "welcome"

    def ask_deliver(self, to, subject):
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(f"Subject: {subject}\r\n\r\nbody\r\n".encode(), to=to)
        return True

    def ask_has(self, login, text, password=PASSWORD):
        with self.instance.pop3() as pop:
            pop.login(login, password)
            return any(text.encode() in pop.retr(n) for n in range(1, pop.count() + 1))

    def ask_arrived(self, login, text, password=PASSWORD):
        self.instance.until(lambda: self.ask_has(login, text, password), 20, f"{text!r} in the mailbox of {login}")
        return True

    def ask_rcpt(self, address):
        return self.rcpt_code(address)

    def ask_rcpt_text(self, address):
        with self.instance.smtp() as smtp:
            smtp.ehlo().cmd("MAIL FROM:<someone@elsewhere.example>", 250)
            return str(smtp.cmd(f"RCPT TO:<{address}>"))

    def ask_relay_passwords(self):
        return self.instance.command("relay-password", "list").stdout

    def ask_size(self):
        with self.instance.smtp() as smtp:
            return int(smtp.ehlo().capabilities["SIZE"])

    def ask_finger(self, query):
        return self.instance.finger(query)

    def ask_form(self, name):
        return self.instance.command("form", "show", name).stdout

    def ask_form_set(self, name, fields):
        self.instance.form_set(name, **fields)
        return True

    def ask_account(self, address):
        return self.instance.command("account", "show", address).stdout

    def ask_account_set(self, address, fields):
        self.instance.account_set(address, **fields)
        return True


class User(Site):
    file = "user.js"

    def walk_as_user(self, name, **more):
        self.walk(name, user=self.person(), other=self.person(), **more)

    def test_log_in(self):
        self.walk_as_user("log_in")

    def test_own_account(self):
        self.walk_as_user("own_account")

    def test_own_password(self):
        self.walk_as_user("own_password")

    def test_application_passwords(self):
        self.walk_as_user("application_passwords")

    def test_sign_ins(self):
        self.walk_as_user("sign_ins")

    def test_history_and_undo(self):
        self.walk_as_user("history_and_undo")

    def test_not_for_users(self):
        self.walk_as_user("not_for_users")


class Postmaster(Site):
    file = "postmaster.js"

    def test_list_of_accounts(self):
        self.walk("list_of_accounts", accounts=self.accounts(), matching=self.accounts("user1"))

    def test_account_life(self):
        self.walk("account_life", heir=self.person())

    def test_settings(self):
        self.walk("settings", user=self.person(), hostname=HOSTNAME)

    def test_greeting(self):
        self.walk("greeting")

    def test_history_and_undo(self):
        self.walk("history_and_undo")

    def test_two_editors(self):
        self.walk("two_editors")

    def test_by_delivery_field(self):
        self.walk("by_delivery_field", deputy=self.person())


class Access(Site):
    file = "access.js"

    def test_refused_address(self):
        self.addCleanup(self.instance.form_set, "system-security", Limit_Configuration_via_Web_Forms="")
        self.walk("refused_address", user=self.person())

    def test_idle(self):
        self.addCleanup(self.instance.form_set, "system-security", Web_Idle_Limit="300")
        self.walk("idle", user=self.person())

    def test_slow_down(self):
        self.addCleanup(self.instance.form_set, "system-security", Log_In_Failures_per_Account="1000")
        self.walk("slow_down", victim=self.person())


class Queue(Site):
    file = "queue.js"

    def test_queue(self):
        """Letters that wait for hosts that refuse connections: looked for, acted on together, one by one."""
        sender = self.user()
        far, away = self.put_off(sender, "one@far.example", "two@away.example", "two@far.example", "three@far.example")
        for name in ("filters", "actions", "one_message"):
            self.walk(name, sender=self.person(sender), far=far, away=away)


class Import(Site):
    file = "import.js"

    def test_pasted_forms(self):
        for script in (False, True):
            newcomers = [{"login": f"{name}{script}".lower(), "address": f"{name}.{script}@{DOMAIN}".lower(),
                          "password": f"{name}'s own words"} for name in ("Ann", "Bert")]
            self.walk("pasted", script=script, accounts=newcomers)

    def test_files_and_export(self):
        for script in (False, True):
            self.walk("files", script=script, user=self.person(), count=self.accounts())


class Desk(Site):
    file = "desk.js"

    def test_front_page(self):
        self.walk("front_page", user=self.person())

    def test_story(self):
        self.walk("story", user=self.person(), other=self.person())

    def test_rehearsal(self):
        self.walk("rehearsal", user=self.person())

    def test_setup_check(self):
        self.walk("setup_check", hostname=HOSTNAME, domain=DOMAIN)


class Look(Site):
    """Each page in light, dark and on a phone: pictures in build/test/screenshots."""
    file = "look.js"

    def test_before_log_in(self):
        self.walk("before", pages=[("log-in", "/log-in"), ("not-there", "/nothing", 404)])

    def test_user(self):
        self.walk("as_user", user=self.person(), pages=[
            ("own-account", "/account"), ("own-passwords", "/account/passwords"), ("own-sign-ins", "/account/sign-ins"),
            ("own-history", "/account/history"), ("own-messages", "/story")])

    def test_postmaster(self):
        user = self.user()
        self.instance.account_set(user.address, Account_Locked="yes")
        one = f"/accounts/{user.number + 1}"
        self.put_off(self.user(), "one@far.example", "two@away.example")
        waiting = json.loads(self.instance.command("queue", "list", "--json", "--limit=1").stdout)["id"]
        with self.instance.smtp() as smtp:
            smtp.ehlo().deliver(b"Subject: a story\r\n\r\nOnce.\r\n", to=user.address)
        settings = ("system-configuration", "system-security", "mail-routing", "channel-aliases", "mail-queue",
                    "default-account", "greeting", "system-information", "relay-passwords")
        self.walk("as_postmaster", pages=[
            ("overview", "/"), ("queue-message", f"/queue/{waiting}"), ("messages", f"/story?about={user.address}"), ("route", f"/route?address={user.address}"),
            ("route-elsewhere", "/route?address=someone@far.example"), ("setup", "/setup"), ("queue", "/queue"),
            ("queue-counts", "/queue/counts"), ("accounts", "/accounts"), ("accounts-found", "/accounts?find=user1"), ("account-new", "/accounts/new"),
            ("account", one), ("account-history", f"{one}/history"), ("account-remove", f"{one}/remove"),
            ("account-passwords", f"{one}/passwords"), ("account-sign-ins", f"{one}/sign-ins"), ("settings", "/settings"),
            *((name, f"/settings/{name}") for name in settings), ("settings-history", "/settings/mail-routing/history")])

    def test_states(self):
        self.walk("states")
