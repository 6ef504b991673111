"""`post.office check --dns` against a real DNS server: what others find of this host, and the records to paste."""
import unittest

from harness import Pool
from instance import Instance
from name_server import NameServer
from namespace import Network, lacking

HOST = "mail.podunk.edu"
ADDRESS, NO_NAME, LIAR, DNS = "192.0.2.25", "192.0.2.26", "192.0.2.27", "192.0.2.53"
ZONES = {
    "podunk.edu": "mail IN A 192.0.2.25\n@ IN MX 10 mail\nliar IN A 192.0.2.99\nns IN A 192.0.2.53\n",
    "elsewhere.test": "@ IN MX 10 mx\nmx IN A 203.0.113.9\n",
    "nomx.test": "@ IN A 203.0.113.9\n",
    "ours.test": "@ IN A 192.0.2.25\n",
    "bare.test": "www IN A 203.0.113.9\n",
    "null.test": "@ IN MX 0 .\n",
    "gone.test": "@ IN MX 10 none\n@ IN MX 20 mail.podunk.edu.\n",
    "backup.test": "@ IN MX 5 mx.elsewhere.test.\n@ IN MX 20 mail.podunk.edu.\n",
    "2.0.192.in-addr.arpa": "25 IN PTR mail.podunk.edu.\n27 IN PTR liar.podunk.edu.\n53 IN PTR ns.podunk.edu.\n",
}
EXPECTED = [
    f"ok     {HOST}: leads to {ADDRESS}, an address of this host",
    f"ok     {ADDRESS}: has the reverse name {HOST}, which leads back to it",
    f"WRONG  {NO_NAME}: has no reverse name: many servers refuse mail from it; whoever gave you the address enters it\n"
    f"           26.2.0.192.in-addr.arpa. IN PTR {HOST}.",
    f"WRONG  {LIAR}: has the reverse name liar.podunk.edu, which does not lead back to it: many servers refuse mail from it\n"
    f"           27.2.0.192.in-addr.arpa. IN PTR {HOST}.",
    f"note   {DNS}: has the reverse name ns.podunk.edu; it leads back to it, but this host says that it is {HOST}\n"
    f"           53.2.0.192.in-addr.arpa. IN PTR {HOST}.",
    f"ok     {HOST}: its mail comes here by its address record",
    "ok     podunk.edu: its mail comes here first",
    f"WRONG  elsewhere.test: its mail goes to mx.elsewhere.test, and does not come here\n"
    f"           elsewhere.test. IN MX 10 {HOST}.",
    f"WRONG  nomx.test: has no MX record, so its mail goes to 203.0.113.9, which is not this host\n"
    f"           nomx.test. IN MX 10 {HOST}.",
    f"note   ours.test: its mail comes here by its address record; an MX record says so for certain\n"
    f"           ours.test. IN MX 10 {HOST}.",
    f"WRONG  bare.test: has neither an MX record nor an address record: nobody outside can send it mail\n"
    f"           bare.test. IN MX 10 {HOST}.",
    f"WRONG  null.test: its MX record says that it takes no mail at all\n           null.test. IN MX 10 {HOST}.",
    "WRONG  gone.test: its MX record names none.gone.test, which has no address: mail waits at its senders or comes back",
    "note   silent.test: its MX records could not be asked; try again later",
    "ok     backup.test: its mail goes to mx.elsewhere.test first and comes here only if that does not answer",
]
LOCAL = ["podunk.edu", "elsewhere.test", "nomx.test", "ours.test", "bare.test", "null.test", "gone.test", "silent.test"]


@unittest.skipIf(lacking("nsd"), lacking("nsd"))
class SetUpCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.network = Network()
        for address in (ADDRESS, NO_NAME, LIAR, DNS):
            cls.network.ip(f"addr add {address}/24 dev lo")
        cls.instance = Instance(
            Pool.build, users=0, network=cls.network, address=ADDRESS, resolvers=[DNS], hostname=HOST,
            forms={"mail-routing": {"Local-Mail-Domains": LOCAL, "Relay-Domains": ["backup.test"]}})
        cls.server = NameServer(cls.instance.base, cls.network, DNS, ZONES, silent=("silent.test",)).wait()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        Pool.discard(cls.instance)
        cls.network.close()

    def check(self):
        with self.network:
            return self.instance.command("check", "--dns", check=False)

    def test_every_finding(self):
        done = self.check()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for finding in EXPECTED:
            self.assertIn(finding + "\n", done.stdout)
        wrong = sum(f.startswith("WRONG") for f in EXPECTED)
        self.assertIn(f"{wrong} things are wrong.\n", done.stdout)

    def test_findings_come_in_the_order_in_which_they_were_asked_for(self):
        out = self.check().stdout
        places = [out.index(finding.split("\n")[0]) for finding in EXPECTED]
        self.assertEqual(places, sorted(places))

    def test_more_domains_than_are_asked(self):
        names = [f"d{n}.bare.test" for n in range(60)]
        self.instance.form_set("mail-routing", **{"Local-Mail-Domains": names, "Relay-Domains": []})
        try:
            out = self.check().stdout
        finally:
            self.instance.form_set("mail-routing", **{"Local-Mail-Domains": LOCAL, "Relay-Domains": ["backup.test"]})
        self.assertIn("note   domains: there are 61 domains; the first 50 were asked\n", out)
        self.assertIn("WRONG  d48.bare.test:", out)
        self.assertNotIn("d49.bare.test", out)
