"""HTTP as wwwd speaks it: malformed requests, smuggling, tricks with paths, slow clients, who may ask at all, and the
fields that every answer has."""
import re
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from dialogue import Closed, Wire
from dns_server import WithDns
from harness import Pool, SystemTest, needs_program, needs_root
from instance import POSTMASTER_PASSWORD, Instance, free_ports, peak_kib, sanitized
from namespace import Network

SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
                               "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HSTS = "strict-transport-security"


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def all(self, name):
        return [value for n, value in self.fields if n == name]

    def get(self, name):
        values = self.all(name)
        assert len(values) < 2, f"{name} stands {len(values)} times"
        return values[0] if values else None

    @property
    def closes(self):
        return self.get("connection") == "close"

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:300]}"


class Http(Wire):
    """One connection; the octets are the test's own."""

    def answer(self, head=False):
        status = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [ -~]+", self.read_line())
        assert status, self.shown()
        fields = []
        while line := self.read_line():
            name, value = line.decode("latin-1").split(": ", 1)
            fields.append((name.lower(), value))
        found = Answer(int(status[1]), fields, b"")
        if found.status == 100 or head:
            return found
        if found.get("transfer-encoding") == "chunked":
            while size := int(self.read_line(), 16):
                found.body += self.read_octets(size)
                assert self.read_line() == b""
            assert self.read_line() == b""
        else:
            found.body = self.read_octets(int(found.get("content-length") or 0))
        return found

    def ask(self, octets, head=False):
        self.send(octets)
        return self.answer(head)


def get(path, *fields, method="GET", version="HTTP/1.1", host="localhost"):
    return "\r\n".join([f"{method} {path} {version}", f"Host: {host}", *fields, "", ""])


def post(path, body="", *fields, kind="application/x-www-form-urlencoded"):
    return get(path, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields, method="POST") + body


FORM = "login=nobody%40post.example&password=secret-of-the-test"

MALFORMED = [  # what is sent, the status
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: a\n\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    ("GET / HTTP/1.1\rHost: a\r\r", 400),
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("GET /\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX Y: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", 400),
    ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("PUT / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("CONNECT a:25 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (get("/", "Content-Length: 5") + "abcde", 400),
    (get("/", method="POST"), 411),
    (get("/", "Content-Length: 5", "Content-Length: 5", method="POST") + "abcde", 400),
    (get("/", "Content-Length: 5", "Content-Length: 6", method="POST") + "abcde", 400),
    (get("/", "Content-Length : 5", method="POST") + "abcde", 400),
    (get("/", "Content-Length: +5", method="POST") + "abcde", 400),
    (get("/", "Content-Length: -5", method="POST") + "abcde", 400),
    (get("/", "Content-Length: 0x5", method="POST") + "abcde", 400),
    (get("/", "Content-Length: 5, 5", method="POST") + "abcde", 400),
    (get("/", "Content-Length: 5 5", method="POST") + "abcde", 400),
    (get("/", "Content-Length: ", method="POST"), 400),
    (get("/", "Content-Length: 99999999999999999999", method="POST"), 413),
    (get("/", "Content-Type: text/plain", "Content-Length: 1048577", method="POST"), 413),
    (get("/", "Transfer-Encoding: chunked", method="POST") + "0\r\n\r\n", 501),
    (get("/", "Transfer-Encoding: identity, chunked", method="POST") + "0\r\n\r\n", 501),
    (get("/", "Transfer-Encoding: chunked", "Content-Length: 5", method="POST") + "0\r\n\r\n", 501),
    (get("/", "Content-Length: 5", "Transfer-Encoding: xchunked", method="POST") + "abcde", 501),
    (get("/", "Content-Length: 5", "Content-Encoding: gzip", method="POST") + "abcde", 415),
    (post("/log-in", "{}", kind="application/json"), 415),
    (post("/log-in", "--x--", kind="multipart/form-data; boundary=x"), 415),
    (post("/log-in", "a=%zz"), 400),
    (post("/log-in", "a=%00"), 400),
    (post("/log-in", "a=%ff"), 400),
    (post("/log-in", FORM, "Expect: 200-ok"), 417),
    (get("/", "Cookie: a=b", "Cookie: c=d"), 400),
    (get("/" + "a" * 8192), 414),
    ("GET /" + "a" * 9000, 414),
    (get("/", "X: " + "x" * 16384), 431),
    (get("/", *["X: y"] * 101), 431),
    ("\x16\x03\x01\x02\0\x01\0", 400),
    ("EHLO mx.example\r\n", None),  # a head that is not whole: nothing yet
]

PATHS = ["//", "//etc/passwd", "/..", "/../", "/../etc/passwd", "/static/../log-in", "/./log-in", "/%2e%2e/", "/%2E./x",
         "/static/%2e%2e%2fx", "/a%2fb", "/a%5cb", "/a\\b", "/%00", "/log-in%00", "/%0d%0aX:%20y", "/%c0%ae%c0%ae/",
         "/%ff", "/%", "/%2", "/%zz", "/log-in#x", "/\xe9", "/log-in;/../x", "/a//b"]


class HttpTest(SystemTest):
    own = {"users": 5, "web": True}
    settings = {"Web-Sessions-per-Address": "50"}
    service = ""

    @classmethod
    def setUpClass(cls):
        cls.clear_port = free_ports(1)[0]
        cls.own = {"forms": {"system-configuration": cls.settings},
                   "extra": [f"service clear http 127.0.0.1:{cls.clear_port} wwwd {cls.service}"], **cls.own}
        super().setUpClass()
        cls.instance.wait_all_up()

    def clear(self, **options):
        return Http(self.clear_port, **options)

    def tls(self, **options):
        return Http(self.instance.ports["web"], tls=True, **options)

    def assert_protected(self, answer, tls=False):
        for name, value in SECURITY.items():
            self.assertEqual(answer.get(name), value, f"{name} of {answer}")
        self.assertEqual(answer.get(HSTS), "max-age=31536000" if tls else None)
        self.assertIsNone(answer.get("server"))
        self.assertRegex(answer.get("date"), r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertIn(answer.get("cache-control"), ("no-store", "public, max-age=31536000, immutable"))

    def http_lines(self):
        return [line for line in self.instance.log_text().splitlines() if " event=http " in line]


class Requests(HttpTest):
    def test_malformed_requests_are_refused_and_nothing_behind_them_is_read(self):
        for text, status in MALFORMED:
            with self.subTest(request=text[:80]), self.clear() as http:
                if status is None:
                    http.send(text)
                    self.assertTrue(http.quiet_for(0.3))
                    continue
                answer = http.ask(text.encode("latin-1") + get("/never-asked").encode())
                self.assertEqual(answer.status, status, answer)
                self.assertTrue(answer.closes, answer)
                self.assertEqual(answer.get("allow"), "GET, HEAD, POST" if status == 405 else None)
                self.assert_protected(answer)
                self.assertTrue(http.at_end(), "the connection goes on")
        self.assertNotIn("/never-asked", self.instance.log_text())

    def test_malformed_requests_in_tls(self):
        for text, status in [(text, status) for text, status in MALFORMED if status][::7]:
            with self.subTest(request=text[:80]), self.tls() as http:
                answer = http.ask(text)
                self.assertEqual(answer.status, status)
                self.assert_protected(answer, tls=True)
                self.assertTrue(http.at_end())

    def test_no_path_leads_out(self):
        for path in PATHS:
            with self.subTest(path=path), self.clear() as http:
                answer = http.ask(get(path).encode("latin-1"))
                self.assertEqual(answer.status, 400, answer)
        for path in ("/static/", "/static/style.css.", "/etc/passwd", "/%252e%252e/", "/static/..%252fx", "/...", "/~root"):
            with self.subTest(path=path), self.clear() as http:
                self.assertIn(http.ask(get(path)).status, (303, 404))

    def test_smuggled_requests_stay_bodies(self):
        hidden = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for text in (
                get("/log-in", "Content-Length: 6", "Transfer-Encoding: chunked", method="POST") + "0\r\n\r\n" + hidden,
                get("/log-in", "Transfer-Encoding: chunked", "Content-Length: 4", method="POST") + "5c\r\n" + hidden,
                get("/log-in", "Transfer-Encoding:\tchunked", "Content-Length: 0", method="POST") + hidden,
                get("/log-in", "Transfer-Encoding\r\n: chunked", "Content-Length: 0", method="POST") + hidden,
                get("/log-in", "X: y\nContent-Length: 0", method="POST") + hidden,
                get("/log-in", "X: y\rTransfer-Encoding: chunked", "Content-Length: 0", method="POST") + hidden,
                get("/log-in", "Content-Length: 0\0", method="POST") + hidden,
                get("/log-in", "Content-Length: 00000000000000000000000000000000000", "Content-Length: 5", method="POST") + hidden,
                get("/log-in", f"Content-Length: {len(hidden)}") + hidden,
                get("/log-in", f"Content-Length: {len(hidden)}", method="HEAD") + hidden):
            with self.subTest(request=text[:120]), self.clear() as http:
                http.send(text)
                self.assertGreaterEqual(http.answer(head="HEAD" in text).status, 400)
                self.assertTrue(http.at_end())
        with self.clear() as http:  # a request inside a body that is framed as it should be
            self.assertIn(http.ask(post("/log-in", hidden, kind="text/plain")).status, (403, 404, 422, 200))
            self.assertEqual(http.ask(get("/log-in")).status, 200)
        self.assertNotIn("/smuggled", self.instance.log_text())

    def test_every_kind_of_answer_is_protected(self):
        style = None
        with self.tls() as http:
            page = http.ask(get("/log-in"))
            self.assertEqual(page.status, 200)
            self.assertEqual(page.get("cache-control"), "no-store")
            style = re.search(rb'<link rel="stylesheet" href="([^"]+)"', page.body)[1].decode()
            answers = [page, http.ask(get("/")), http.ask(get("/not-there")), http.ask(get(style)),
                       http.ask(get("/log-in", method="HEAD"), head=True), http.ask(post("/log-in", FORM))]
            self.assertEqual(answers[3].get("cache-control"), "public, max-age=31536000, immutable")
            self.assertEqual(answers[3].get("content-type").split(";")[0], "text/css")
            self.assertEqual({a.status for a in answers} - {200, 303, 403, 404}, set())
            for answer in answers:
                self.assertFalse(answer.closes)
                self.assert_protected(answer, tls=True)
        with self.clear() as http:
            self.assert_protected(http.ask(get(style)))

    def test_head_is_get_without_its_body(self):
        with self.clear() as http:
            whole = http.ask(get("/log-in"))
            head = http.ask(get("/log-in", method="HEAD"), head=True)
            self.assertEqual(head.status, 200)
            self.assertEqual(head.get("content-length"), str(len(whole.body)))
            self.assertEqual(head.get("content-type"), whole.get("content-type"))
            self.assertEqual(http.ask(get("/log-in")).body, whole.body)

    def test_one_connection_many_requests_in_order(self):
        with self.clear() as http:
            http.send("".join(get("/log-in") if n % 3 else get(f"/none-{n}") for n in range(60)))
            self.assertEqual([http.answer().status for _ in range(60)], [200 if n % 3 else 404 for n in range(60)])
            self.assertTrue(http.ask(get("/log-in", "Connection: close")).closes)
            self.assertTrue(http.at_end())

    def test_cut_into_octets(self):
        with self.clear() as http:
            for octet in get("/log-in") + post("/log-in", FORM) + get("/log-in", "Connection: close"):
                http.send(octet)
            self.assertEqual([http.answer().status for _ in range(3)], [200, 403, 200])

    def test_http_1_0_is_answered_once(self):
        with self.clear() as http:
            answer = http.ask(get("/log-in", "Connection: keep-alive", version="HTTP/1.0") + get("/log-in"))
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.closes)
            self.assertTrue(http.at_end())

    def test_expect_100_continue(self):
        with self.clear() as http:
            self.assertEqual(http.ask(get("/log-in", "Content-Type: application/x-www-form-urlencoded",
                                          f"Content-Length: {len(FORM)}", "Expect: 100-continue", method="POST")).status, 100)
            self.assertEqual(http.ask(FORM).status, 403)

    def test_forms_of_other_sites_are_refused(self):
        host = f"localhost:{self.clear_port}"
        for fields, refused in (
                ((f"Origin: http://{host}",), False),
                (("Sec-Fetch-Site: same-origin",), False),
                (("Origin: null",), True),
                ((f"Origin: https://{host}",), True),
                (("Origin: http://localhost",), True),
                ((f"Origin: http://{host}.evil.example",), True),
                (("Sec-Fetch-Site: cross-site",), True),
                (("Sec-Fetch-Site: same-site",), True),
                ((f"Origin: http://{host}", "Sec-Fetch-Site: cross-site"), True)):
            with self.subTest(fields=fields), self.clear() as http:
                answer = http.ask(post("/log-in", FORM, *fields).replace("Host: localhost\r\n", f"Host: {host}\r\n"))
                self.assertEqual(answer.status, 403)  # one for the password, one for the site
                self.assertEqual(b"Not sent by this server" in answer.body, refused, answer)
                self.assertEqual(answer.closes, refused)

    def test_what_is_too_long_for_accounts_costs_nobody_the_pipe(self):
        much, long_cookie = "x" * 200_000, "Cookie: post.office=" + "t" * 2048
        with self.clear() as http:
            for octets in (get("/accounts", long_cookie), post("/log-out", "seal=s", long_cookie),
                           post("/log-in", f"login=user1&password={much}"),
                           post("/log-in", f"login={much}&password=secret-of-the-test")):
                self.assertEqual(http.ask(octets).status, 403)
            answer = http.ask(post("/log-in", f"login=Postmaster&password={POSTMASTER_PASSWORD}"))
            self.assertEqual(answer.status, 303, answer)
            cookie = "Cookie: " + answer.get("set-cookie").split(";")[0]
            self.assertEqual(http.ask(post("/account/passwords", f"name=a&seal={much}", cookie)).status, 403)
            self.assertEqual(http.ask(post("/account/passwords", f"seal=s&name={much}", cookie)).status, 422)
            self.assertEqual(http.ask(get("/accounts", cookie)).status, 200)
        self.assertNotIn("event=pipe-closed", self.instance.log_text())

    def test_one_line_for_each_request_and_no_secret_in_it(self):
        with self.clear() as http:
            http.ask(get("/not-there-at-all?password=hidden-in-query"))
            http.ask(post("/log-in", FORM))
        self.instance.until(lambda: any("/not-there-at-all" in line for line in self.http_lines()), 5, "a log line")
        line = next(line for line in self.http_lines() if "/not-there-at-all" in line)
        self.assertRegex(line, r"event=http session=\S+ client=127\.0\.0\.1 method=GET path=/not-there-at-all status=404 "
                               r"octets=\d+ ms=\d+$")
        self.assertNotIn("hidden-in-query", self.instance.log_text())
        self.assertNotIn("secret-of-the-test", self.instance.log_text())

    def test_clear_text_on_the_port_of_tls_is_told_the_address(self):
        host = f"mail.post.example:{self.instance.ports['web']}"
        with Http(self.instance.ports["web"]) as http:
            answer = http.ask(get("/log-in", host=host) + get("/never-asked"))
            self.assertEqual(answer.status, 403)
            self.assertIn(f'href="https://{host}/"'.encode(), answer.body)
            self.assert_protected(answer)
            self.assertTrue(http.at_end())

    def test_tls_fails_and_the_next_client_is_served(self):
        for octets in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 500, b"\x80" * 4000):
            with Http(self.instance.ports["web"]) as http:
                http.send(octets)
                http.socket.settimeout(15)
                try:
                    while http.socket.recv(4096):
                        pass
                except ConnectionError:
                    pass
        with self.tls() as http:
            self.assertEqual(http.ask(get("/log-in")).status, 200)


class Curl(HttpTest):
    def curl(self, *words, tls=True, path="/log-in", **options):
        base = f"https://localhost:{self.instance.ports['web']}" if tls else f"http://localhost:{self.clear_port}"
        done = subprocess.run(["curl", "-sS", "-k", "--ipv4", "--max-time", "30", "-w", "\n%{http_code} %{http_version}", *words,
                               base + path], capture_output=True, text=True, timeout=60, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        body, _, last = done.stdout.rpartition("\n")
        return body, last

    @needs_program("curl")
    def test_curl_is_served(self):
        for words, tls, last in (((), True, "200 1.1"), (("--http2",), True, "200 1.1"), (("--http1.0",), False, "200 1.1"),
                                 (("-I",), True, "200 1.1"), (("-d", FORM), True, "403 1.1"),
                                 (("-F", "a=b"), True, "415 1.1"), (("-X", "PUT", "-d", "x"), True, "405 1.1"),
                                 (("-H", "Transfer-Encoding: chunked", "-d", "x"), False, "501 1.1"),
                                 (("--path-as-is",), True, "200 1.1")):
            with self.subTest(words=words):
                self.assertEqual(self.curl(*words, tls=tls)[1], last)

    @needs_program("curl")
    def test_curl_sends_too_much(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"a=" + b"x" * (1 << 21))
            file.flush()
            self.assertEqual(self.curl("--data-binary", f"@{file.name}")[1], "413 1.1")
            self.assertEqual(self.curl("-H", "Expect:", "--data-binary", f"@{file.name}", tls=False)[1], "413 1.1")

    @needs_program("curl")
    def test_curl_logs_in(self):
        with tempfile.TemporaryDirectory() as folder:
            jar = str(Path(folder) / "jar")
            form = ["--data-urlencode", "login=Postmaster", "--data-urlencode", f"password={POSTMASTER_PASSWORD}"]
            self.assertEqual(self.curl("-c", jar, *form)[1], "303 1.1")
            body, last = self.curl("-b", jar, "-L", path="/")
            self.assertEqual(last, "200 1.1")
            self.assertNotIn("<title>Authentication", body)
            line = re.findall(r"#HttpOnly_localhost\t\S+\t/\tTRUE\t", Path(jar).read_text())
            self.assertEqual(len(line), 1, "the cookie is HttpOnly and Secure")


class SlowClients(HttpTest):
    settings = {"Web-Sessions-per-Address": "300"}
    service = "sessions=250"

    def assert_page(self, **options):
        """A new connection gets a page."""
        with self.clear(limit=60, **options) as http:
            self.assertEqual(http.ask(get("/log-in")).status, 200)

    def test_half_open_clients_do_not_keep_pages_from_others(self):
        """200 that have said half a header, then 400: more than the service takes at all."""
        slow = []
        try:
            for number in range(400):
                client = self.clear(limit=60, source=f"127.0.{1 + number % 40}.1")
                client.send("GET /slow HTTP/1.1\r\nHost: loc")
                slow.append(client)
                if number in (199, 399):
                    for _ in range(20):
                        self.assert_page(source="127.0.99.1")
            statuses = []
            for client in slow[300:]:
                try:
                    statuses.append(client.answer().status)
                except (Closed, ConnectionError):
                    statuses.append(None)  # it made room
            self.assertGreater(statuses.count(408), 50)
        finally:
            for client in slow:
                client.close()

    def test_half_open_handshakes_too(self):
        idle = []
        try:
            for number in range(200):
                idle.append(Http(self.instance.ports["web"], limit=60, source=f"127.0.{1 + number % 40}.2"))
                if number % 2:
                    idle[-1].send(b"\x16\x03\x01")
            with self.tls(limit=60) as http:
                self.assertEqual(http.ask(get("/log-in")).status, 200)
            for client in idle:
                self.assertTrue(client.at_end())
        finally:
            for client in idle:
                client.close()

    def test_an_address_has_its_share_and_its_oldest_silent_connection_gives_way(self):
        with self.clear(source="127.0.50.1") as oldest:
            self.assertEqual(oldest.ask(get("/log-in")).status, 200)
            others = [self.clear(source="127.0.50.1") for _ in range(249)]
            try:
                self.assert_page(source="127.0.50.1")
                self.assertTrue(oldest.at_end(), "the connection that was silent longest was kept")
            finally:
                for other in others:
                    other.close()

    def test_time_limits(self):
        """All at once, because each takes its time: a header by the octet, an idle connection, a slow body."""
        found = {}

        def timed(name, talk):
            start = time.monotonic()
            with self.clear(limit=120, source="127.0.60.1") as http:
                status = talk(http)
            found[name] = (status, time.monotonic() - start)

        def drip(text):
            def talk(http):
                http.socket.settimeout(0.25)
                for octet in text + "x" * 1000:
                    try:
                        http.send(octet)
                        if not http.quiet_for(0.25):
                            break
                    except (ConnectionError, BrokenPipeError):
                        break
                return http.answer().status
            return talk

        def body(http):
            http.send(get("/log-in", "Content-Type: text/plain", "Content-Length: 100000", method="POST"))
            return drip("")(http)

        def idle(http):
            http.ask(get("/log-in"))
            return http.at_end()

        talks = {
            "header": drip("GET /log-in HTTP/1.1\r\nHost: localhost\r\nX: "),
            "body": body,
            "idle": idle,
            "silent": lambda http: http.at_end(),
        }
        threads = [threading.Thread(target=timed, args=item) for item in talks.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, status, least in (("header", 408, 9), ("body", 408, 9), ("idle", True, 28), ("silent", True, 28)):
            with self.subTest(limit=name):
                self.assertEqual(found[name][0], status)
                self.assertGreaterEqual(found[name][1], least)
        for name in ("header", "body"):
            self.assertLess(found[name][1], found["silent"][1], f"{name}: its octets put off the end")

    def test_memory(self):
        for _ in range(30):
            with self.clear() as http:
                http.send(get("/log-in") * 50)
                self.assertEqual({http.answer().status for _ in range(50)}, {200})
        if not sanitized(Pool.build):
            self.assertLess(peak_kib(self.instance.processes()["wwwd"][0]), 30 * 1024)


class SlowExports(HttpTest):
    def test_what_nobody_takes_stays_in_accounts(self):
        """Meanwhile others get their pages; and whoever takes one later gets all of it."""
        name = "a-name-that-fills-the-local-part-of-an-address-to-its-end"
        aliases = [f"<{name}{n}@post.example> <{name}{n}@elsewhere.example>" for n in range(60_000)]
        self.instance.form_set("channel-aliases", Aliases=aliases)
        self.assertEqual(self.instance.stop(), 0)  # what is read of them at the start does not count
        self.instance.start()
        self.instance.wait_all_up()
        with self.clear() as http:
            answer = http.ask(post("/log-in", f"login=Postmaster&password={POSTMASTER_PASSWORD}"))
            cookie = "Cookie: " + answer.get("set-cookie").split(";")[0]
        before = peak_kib(self.instance.processes()["wwwd"][0])
        slow = [self.clear(limit=60) for _ in range(12)]
        try:
            for client in slow:
                client.send(get("/export", cookie))
            for client in slow:
                client.socket.settimeout(client.limit)
                self.assertTrue(client.socket.recv(1, socket.MSG_PEEK))
            with self.clear(limit=60) as other:
                for _ in range(20):
                    self.assertEqual(other.ask(get("/accounts", cookie)).status, 200)
            self.assertIn(aliases[-1].encode(), slow[0].answer().body)
            if not sanitized(Pool.build):
                self.assertLess(peak_kib(self.instance.processes()["wwwd"][0]) - before, 12 * 1024)
        finally:
            for client in slow:
                client.close()


class WhoMayAsk(WithDns, HttpTest):
    def setUp(self):
        super().setUp()
        self.security(**{"Limit-Configuration-via-Web-Forms": "", "Trusted-Web-Proxies": ""})

    def security(self, **fields):
        self.instance.form_set("system-security", **fields)
        time.sleep(1.1)  # wwwd looks once a second, if the notice got lost

    def status(self, source, *fields):
        with self.clear(source=source) as http:
            answer = http.ask(get("/log-in", *fields))
            self.assertEqual(answer.closes, answer.status >= 400)
            if answer.closes:
                self.assertTrue(http.at_end())
            self.assert_protected(answer, tls="https" in "".join(fields))
            return answer.status

    def test_by_number(self):
        self.security(**{"Limit-Configuration-via-Web-Forms": ["127.0.5.0", "192.0.2.0/24"]})
        self.assertEqual(self.status("127.0.5.7"), 200)
        self.assertEqual(self.status("127.0.6.7"), 403)
        with self.tls(source="127.0.6.7") as http:
            answer = http.ask(get("/log-in"))
            self.assertEqual(answer.status, 403)
            self.assertIn(b"127.0.6.7", answer.body)
            self.assert_protected(answer, tls=True)

    def test_by_confirmed_name(self):
        self.security(**{"Limit-Configuration-via-Web-Forms": "trusted.example"})
        self.assertEqual(self.status("127.0.0.2"), 200)
        self.assertEqual(self.status("127.0.0.3"), 403)

    def test_behind_a_proxy(self):
        self.security(**{"Limit-Configuration-via-Web-Forms": "192.0.2.0/24", "Trusted-Web-Proxies": "127.0.7.0/24"})
        https = "X-Forwarded-Proto: https"
        self.assertEqual(self.status("127.0.7.1", "X-Forwarded-For: 192.0.2.9", https), 200)
        self.assertEqual(self.status("127.0.7.1", "X-Forwarded-For: 192.0.2.1, 192.0.3.9", https), 403)
        self.assertEqual(self.status("127.0.7.1", "X-Forwarded-For: 192.0.2.9, 127.0.7.2", https), 200)
        self.assertEqual(self.status("127.0.7.1", "X-Forwarded-For: 192.0.2.9"), 403)  # it came without encryption
        self.assertEqual(self.status("127.0.7.1", "X-Forwarded-For: nobody"), 400)
        self.assertEqual(self.status("127.0.8.1", "X-Forwarded-For: 192.0.2.9"), 403)  # not listed: not believed

    def test_changes_are_heeded_on_open_connections(self):
        with self.clear(source="127.0.9.1") as http:
            self.assertEqual(http.ask(get("/log-in")).status, 200)
            self.security(**{"Limit-Configuration-via-Web-Forms": "192.0.2.1"})
            self.assertEqual(http.ask(get("/log-in")).status, 403)
            self.assertTrue(http.at_end())


class FromElsewhere(HttpTest):
    """In a network of its own, whose addresses are not this host's loopback ones."""

    @classmethod
    @needs_root
    def setUpClass(cls):
        cls.network = Network()
        cls.network.own("192.0.2.0/24")
        names = ("smtp", "submission", "smtps", "pop3", "pop3s", "finger", "web")
        cls.clear_port = 8081
        cls.instance = Instance(Pool.build, users=5, web=True, network=cls.network, address="192.0.2.1",
                                ports={name: 8443 if name == "web" else 2500 + n for n, name in enumerate(names)},
                                extra=[f"service clear http 192.0.2.1:{cls.clear_port} wwwd"])
        cls.instance.start()
        cls.instance.wait_all_up()

    def clear(self, **options):
        with self.network:
            return Http(self.clear_port, host="192.0.2.1", source="192.0.2.7", **options)

    def test_pages_without_encryption_are_for_this_host_unless_allowed(self):
        for value, status in (("loopback", 403), ("always", 200), ("loopback", 403)):
            self.instance.form_set("system-security", **{"Web-Clear-Text": value})
            time.sleep(1.1)
            with self.subTest(value=value), self.clear() as http:
                answer = http.ask(get("/log-in", host="mail.post.example:8081"))
                self.assertEqual(answer.status, status)
                self.assertEqual(b'href="https://mail.post.example:8443/"' in answer.body, status == 403)
                self.assert_protected(answer)
