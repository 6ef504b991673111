"""Configuration, forms and accounts as text, in the forms that post.office.conf(5) and forms(5) give."""
import base64
import hashlib

PASSWORD = "a password for tests"


def scrypt_hash(password, salt=b"sixteen octets!!", n=1 << 15):
    """The suite's own form of a password hash."""
    key = hashlib.scrypt(password.encode(), salt=salt, n=n, r=8, p=1, maxmem=1 << 26, dklen=32)
    encode = lambda octets: base64.b64encode(octets).decode().rstrip("=")
    return f"$scrypt$ln={n.bit_length() - 1},r=8,p=1${encode(salt)}${encode(key)}"


READY_HASH = scrypt_hash(PASSWORD, n=1 << 10)  # cheap, for a thousand users log in; test_passwords has the real price


class User:
    """One of user1, user2, ... that every instance has."""

    def __init__(self, number, domain="post.example"):
        self.number = number
        self.login = f"user{number}"
        self.address = f"user{number}@{domain}"
        self.password = PASSWORD


def form(fields):
    """`Name: [value]`, further values on lines of their own. A name may have _ for -, to be a Python word; the last
    of a name counts."""
    lines = []
    for name, values in {name.replace("_", "-"): values for name, values in fields.items()}.items():
        values = [values] if isinstance(values, str) else list(values) or [""]
        values = [value.replace("]", "]]") for value in values]
        lines.append(f"{name}: [{values[0]}]")
        lines += [f"    [{value}]" for value in values[1:]]
    return "\n".join(lines) + "\n"


def account_form(number, password, domain="post.example", **more):
    return form({
        "User's-Real-Name": f"Test User {number}", "Mail-Account-Password": password,
        "Internet-Addresses": [f"user{number}@{domain}"], "POP-Login-Name": f"user{number}", **more})


def configuration(instance):
    """post.office.conf for a private instance."""
    at = {name: f"{instance.address}:{port}" for name, port in instance.ports.items()}
    smtpd, pop3d = (f"{name} processes={instance.workers[name]} sessions={instance.sessions}" for name in ("smtpd", "pop3d"))
    lines = [
        f"hostname {instance.hostname}",
        f"program-directory {instance.program}",
        f"spool-directory {instance.spool}",
        f"mailbox-directory {instance.mailbox}",
        f"log-directory {instance.log}",
        f"service smtp smtp {at['smtp']} {smtpd}",
        f"service submission submission {at['submission']} {smtpd}",
        f"service submissions submission {at['smtps']} {smtpd} tls=implicit",
        f"service local local-submission run/submission {smtpd}",
        f"service pop3 pop3 {at['pop3']} {pop3d}",
        f"service pop3s pop3 {at['pop3s']} {pop3d} tls=implicit",
        "service command command run/command accounts",
    ]
    if "finger" in at:
        lines.append(f"service finger finger {at['finger']} fingerd")
    if "web" in at:
        lines.append(f"service web http {at['web']} wwwd tls=implicit")
    if instance.user:
        lines += ["user mta", "group mta"]
    lines += [f"resolver {r}" for r in instance.resolvers or ["none"]]
    lines += [f"certificate {chain} {key}" for chain, key in instance.certificates]
    lines += instance.extra
    return "\n".join(lines) + "\n"
