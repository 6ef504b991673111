"""The web pages in a real browser: every walk of tests/browser, each page looked at in light and dark and on a phone."""
import http.server
import threading
import unittest

from browser import Browser, WalkTest, needs_browser

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


@needs_browser
class Tools(WalkTest, unittest.TestCase):
    """The walks' own tools find what is wrong, and nothing else."""
    file = "trial.js"

    @classmethod
    def setUpClass(cls):
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
