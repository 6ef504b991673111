"""What TLS this suite speaks, seen by openssl s_client and by hand."""
import ssl
import subprocess

from dialogue import Pop3, Smtp, tls_context
from harness import SystemTest, needs_program


class SClient(SystemTest):
    def s_client(self, port, *more, starttls=None):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.instance.ports[port]}", "-brief", *more]
        if starttls:
            command += ["-starttls", starttls]
        done = subprocess.run(command, input=b"QUIT\r\n", capture_output=True, timeout=30)
        return done, (done.stdout + done.stderr).decode(errors="backslashreplace")

    def both(self):
        return (("smtp", "smtp"), ("submission", "smtp"), ("smtps", None), ("pop3", "pop3"), ("pop3s", None))

    @needs_program("openssl")
    def test_every_port_speaks_tls_13(self):
        for port, starttls in self.both():
            done, shown = self.s_client(port, "-tls1_3", starttls=starttls)
            self.assertEqual(done.returncode, 0, f"{port}: {shown}")
            self.assertIn("Protocol version: TLSv1.3", shown, port)

    @needs_program("openssl")
    def test_tls_12_has_forward_secrecy(self):
        for port, starttls in self.both():
            done, shown = self.s_client(port, "-tls1_2", starttls=starttls)
            self.assertEqual(done.returncode, 0, f"{port}: {shown}")
            self.assertRegex(shown, r"Ciphersuite: (ECDHE|DHE)-", port)

    @needs_program("openssl")
    def test_older_versions_are_refused(self):
        # @SECLEVEL=0 lets this client offer what its own policy forbids, so that the server is what refuses.
        for version in ("-tls1", "-tls1_1"):
            for port, starttls in self.both():
                done, shown = self.s_client(port, version, "-cipher", "ALL:@SECLEVEL=0", starttls=starttls)
                self.assertNotEqual(done.returncode, 0, f"{port} {version}: {shown}")
                self.assertIn("alert", shown.lower(), f"{port} {version}: not refused by the server\n{shown}")

    @needs_program("openssl")
    def test_ciphers_without_forward_secrecy_are_refused(self):
        for port, starttls in self.both():
            done, shown = self.s_client(port, "-tls1_2", "-cipher", "kRSA:@SECLEVEL=0", starttls=starttls)
            self.assertNotEqual(done.returncode, 0, f"{port}: {shown}")


class Starttls(SystemTest):
    def inject(self, port, extra):
        """STARTTLS and more clear text in one segment; returns the client with TLS up."""
        client = Smtp(self.instance.ports[port]).ehlo()
        client.send(b"STARTTLS\r\n" + extra)
        client.expect(client.reply(), 220)
        client.start_tls()
        return client

    def test_commands_pipelined_after_starttls_are_forgotten(self):
        user = self.user()
        for port in ("smtp", "submission"):
            extra = b"MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<%s>\r\n" % user.address.encode()
            try:
                with self.inject(port, extra) as client:
                    self.assertTrue(client.quiet_for(0.5), "an answer to what came in clear text")
                    client.cmd("RCPT TO:<" + user.address + ">", 503, 530)
                    client.ehlo()
                    client.quit()
            except (ssl.SSLError, ConnectionError):
                pass  # refusing the handshake altogether is as safe
        self.assert_empty(user)

    def test_envelope_is_forgotten_at_starttls(self):
        with self.instance.smtp() as client:
            client.ehlo()
            client.cmd("MAIL FROM:<x@elsewhere.example>", 250)
            client.send_line("STARTTLS")
            reply = client.reply()
            if reply.code == 220:
                client.start_tls()
                client.ehlo()
            client.cmd("RCPT TO:<postmaster>", 503 if reply.code == 220 else 250)

    def test_starttls_is_not_offered_twice(self):
        with self.instance.smtp() as client:
            client.ehlo()
            self.assertIn("STARTTLS", client.capabilities)
            client.starttls()
            self.assertNotIn("STARTTLS", client.capabilities)
            client.cmd("STARTTLS", 503, 554, 502)
            client.ehlo().quit()

    def test_helo_is_forgotten(self):
        with self.instance.smtp() as client:
            client.ehlo()
            client.cmd("STARTTLS", 220)
            client.start_tls()
            client.cmd("MAIL FROM:<x@elsewhere.example>", 503)

    def test_pop3_commands_after_stls_are_forgotten(self):
        user = self.user()
        with self.instance.pop3() as pop:
            pop.send(b"STLS\r\nUSER " + user.login.encode() + b"\r\n")
            pop.ok(pop.read_line())
            try:
                pop.start_tls()
            except (ssl.SSLError, ConnectionError):
                return
            self.assertTrue(pop.quiet_for(0.5), "an answer to what came in clear text")
            pop.err("PASS " + user.password)
            pop.cmd("CAPA")
            pop.lines()

    def test_session_resumption_across_workers(self):
        context = tls_context(maximum_version=ssl.TLSVersion.TLSv1_2)
        first = Pop3(self.instance.ports["pop3"]).stls(context)
        session = first.socket.session
        first.quit()
        again = Pop3(self.instance.ports["pop3"])
        again.cmd("STLS")
        again.socket = context.wrap_socket(again.socket, server_hostname="localhost", session=session)
        self.assertTrue(again.socket.session_reused, "the ticket was not accepted")
        again.quit()

    def test_garbage_instead_of_a_handshake(self):
        for port in ("smtps", "pop3s"):
            client = Smtp(self.instance.ports[port], greet=False)
            client.send(b"EHLO this is not TLS\r\n\x00\xff" * 20)
            try:
                while client.socket.recv(4096):
                    pass
            except ConnectionError:
                pass
            client.close()
        self.assert_works()
