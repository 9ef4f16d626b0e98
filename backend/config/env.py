"""Settings from environment variables, with every problem reported at once.

A reader never raises: it notes the problem and returns something harmless, so that the settings module
runs to its end and `Environment.refuse_problems` can list everything. Rules that hold for all readers: an
empty value counts as not set; blanks around a value are dropped, except in secrets; a message shows the
value of a variable only where no secret can be in it.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

# What a Host header may hold: django.http.request.host_validation_re.
HOST_PATTERN = r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[a-f0-9]*:[a-f0-9.:]+\])"
ALLOWED_HOST = re.compile(rf"\.?{HOST_PATTERN}")
ORIGIN = re.compile(rf"(?P<scheme>https?)://(?P<host>(?:\*\.)?{HOST_PATTERN})(?::(?P<port>[0-9]{{1,5}}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}

# Django's check security.W009: django.core.checks.security.base (SECRET_KEY_MIN_LENGTH and its neighbours).
KEY_LENGTH = 50
KEY_DISTINCT = 5
KEY_PREFIX = "django-insecure-"
# Parts of placeholders; a random key holds none of them but by a chance of one in billions.
PLACEHOLDERS = ("changeme", "replaceme", "insecure", "secretkey", "password")
KEY_COMMAND = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"

FILE_LIMIT = 65536  # bytes; a secret is short, and /dev/zero is not


class Environment:
    """Reads settings from `variables` (usually os.environ) and collects what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.problems: list[str] = []

    def refuse_problems(self) -> None:
        """Raise one ImproperlyConfigured with one problem a line, if there is any problem."""
        if self.problems:
            raise ImproperlyConfigured("\n".join(self.problems))

    def problem(self, sentence: str) -> None:
        self.problems.append(sentence)

    def flag(self, name: str, default: bool) -> bool:
        """0/1, true/false, yes/no or on/off, in any case."""
        value = self._text(name).lower()
        if value in TRUE:
            return True
        if value and value not in FALSE:
            self.problem(f"{name} is {shown(value)}: give it 1 or 0 (or true/false, yes/no, on/off).")
        return default if not value else False

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of `choices`, which are lower case; read in any case."""
        value = self._text(name).lower()
        if value and value not in choices:
            self.problem(f"{name} is {shown(value)}: give it {' or '.join(choices)}.")
            return default
        return value or default

    def port(self, name: str, default: int) -> int:
        """A TCP port, 1 to 65535, in plain decimal digits."""
        value = self._text(name)
        if not value:
            return default
        if re.fullmatch(r"[0-9]{1,5}", value) and 1 <= int(value) <= 65535:
            return int(value)
        self.problem(f"{name} is {shown(value)}: give it a port number from 1 to 65535.")
        return default

    def server(self, name: str, default: str) -> str:
        """A host name, an IP address, or the absolute path of a directory with a Unix socket."""
        value = self._text(name)
        if value and not value.startswith("/") and not re.fullmatch(r"[\w.:%,-]+", value):
            # Not shown: what does not look like a host may be a connection URL with a password.
            self.problem(
                f"{name} is not a server: give it a host name, an IP address or the absolute path of "
                "a socket directory, and nothing else."
            )
            return default
        return value or default

    def identifier(self, name: str, default: str) -> str:
        """A PostgreSQL name, at most 63 bytes: longer ones are cut off by the server."""
        value = self._text(name)
        if len(os.fsencode(value)) > 63 or "=" in value or "://" in value:
            # Not shown: it may be a connection URL with a password.
            self.problem(f"{name} is not a PostgreSQL name: give it a name of at most 63 bytes, not a URL.")
            return default
        return value or default

    def file(self, name: str, content: str) -> str:
        """The path of a file that can be read and holds `content`, or an empty string."""
        path = self._text(name)
        if (
            path
            and self._content(f"{name} names {shown(path)}, which ", path, f"let it name {content}") is None
        ):
            return ""
        return path

    def hosts(self, name: str) -> list[str]:
        """Required: host names for ALLOWED_HOSTS, comma separated; `.example.com` takes in subdomains."""
        hosts = self._list(name, "the host names that this server answers to, such as api.example.com")
        for host in hosts:
            if not ALLOWED_HOST.fullmatch(host):
                self.problem(f"{name} contains {shown(host)}: {host_advice(host)}.")
        return hosts

    def origins(self, name: str, wildcard: bool = False) -> list[str]:
        """Required: origins (scheme://host or scheme://host:port), comma separated.

        Lower-cased, as browsers send them. With `wildcard`, https://*.example.com is one too.
        """
        origins = self._list(name, "the front end's URL, such as https://app.example.com")
        for origin in origins:
            if advice := origin_advice(origin, wildcard):
                # A password may be written in a URL, before an @.
                entry = "an entry with an @" if "@" in origin else shown(origin)
                self.problem(f"{name} contains {entry}: {advice}.")
        return origins

    def secret(self, name: str) -> str:
        """Required: `name` itself, or the content of the file that `name`_FILE names.

        One trailing newline is not part of a file's secret. Never shown in a message.
        """
        value = self.variables.get(name, "")
        path = self.variables.get(f"{name}_FILE", "")
        if value and path:
            self.problem(f"{name} and {name}_FILE are both set: unset one of them.")
            return ""
        if path:
            return self._secret_file(name, path)
        if not value.strip():
            self.problem(self._missing(name, f"give it a value, or name a file that holds it in {name}_FILE"))
            return ""
        if not is_text(value):
            self.problem(f"{name} is not UTF-8: give it a value of plain characters.")
            return ""
        return value

    def secret_key(self, name: str) -> str:
        """Required: a secret that is fit to be Django's SECRET_KEY (the rules of check security.W009)."""
        key = self.secret(name)
        if key and (weakness := key_weakness(key)):
            self.problem(f"{name} is weak, {weakness}: make one with {KEY_COMMAND} .")
        return key

    def _text(self, name: str) -> str:
        value = self.variables.get(name, "").strip()
        if not is_text(value):
            self.problem(f"{name} is not UTF-8: give it a value of plain characters.")
            return ""
        return value

    def _list(self, name: str, expected: str) -> list[str]:
        known = len(self.problems)
        items = [item.strip().lower() for item in self._text(name).split(",")]
        items = [item for item in items if item]
        if not items and len(self.problems) == known:
            self.problem(self._missing(name, f"list {expected}, separated by commas"))
        return items

    def _missing(self, name: str, advice: str) -> str:
        state = "empty" if name in self.variables else "not set"
        return f"{name} is {state}: {advice}.{self._near_miss(name)}"

    def _near_miss(self, name: str) -> str:
        """A hint at a variable that was probably meant to be `name`, or nothing."""
        wanted = (name, f"{name}_FILE")
        meant, likeness, hint = "", 0.85, ""
        for spelling, value in self.variables.items():
            if not value or spelling in (*wanted, *REQUIRED) or not re.fullmatch(r"\w+", spelling, re.ASCII):
                continue
            for target in wanted:
                matcher = difflib.SequenceMatcher(None, spelling.upper().removeprefix("DJANGO_"), target)
                if matcher.ratio() > likeness:
                    meant, likeness, hint = target, matcher.ratio(), spelling
        return f" {hint} is set; did you mean {meant}?" if hint else ""

    def _secret_file(self, name: str, path: str) -> str:
        problem = f"{name}_FILE names {shown(path)}, which "
        advice = f"let it name a readable file that holds {name} alone"
        content = self._content(problem, path, advice)
        if content is None:
            return ""
        content = content.removesuffix(b"\n").removesuffix(b"\r") if content.endswith(b"\n") else content
        if not content.strip():
            self.problem(f"{problem}is empty: {advice}.")
        elif len(content) > FILE_LIMIT:
            self.problem(f"{problem}is larger than {FILE_LIMIT} bytes: {advice}.")
        elif b"\0" in content:
            self.problem(f"{problem}contains a NUL byte: {advice}.")
        else:
            try:
                return content.decode()
            except UnicodeDecodeError:
                self.problem(f"{problem}is not UTF-8 text: {advice}.")
        return ""

    def _content(self, problem: str, path: str, advice: str) -> bytes | None:
        """What the file begins with, FILE_LIMIT + 1 bytes at most; None if it cannot be read."""
        try:
            # Asked before opening: opening a pipe would wait for its writer for ever.
            if not stat.S_ISREG(os.stat(path).st_mode):
                self.problem(f"{problem}is not a regular file: {advice}.")
                return None
            with open(path, "rb") as file:
                return file.read(FILE_LIMIT + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name is not valid"
            self.problem(f"{problem}cannot be read ({reason}): {advice}.")
            return None


# Near misses are looked for among the others: DJANGO_SECRET_KEY may be meant for SECRET_KEY,
# but what already is a required variable is not a misspelling of its neighbour.
REQUIRED = (
    "SECRET_KEY",
    "POSTGRES_PASSWORD",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "CORS_ALLOWED_ORIGINS",
)


def shown(value: str) -> str:
    """`value` for a message: one line, quoted, not too long."""
    return repr(value if len(value) <= 60 else value[:57] + "...")


def is_text(value: str) -> bool:
    """Whether the variable's bytes were UTF-8 (Python marks the others with lone surrogates)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def host_advice(host: str) -> str:
    """What to write instead of `host`, which is no name for ALLOWED_HOSTS."""
    if host == "*":
        return "name each host, for a server that answers to any name can be made to link to an attacker's"
    if host.startswith("*."):
        return f"write {shown(host[1:])} for a domain with its subdomains"
    if "://" in host or "/" in host:
        return "write the host name alone, without a scheme or a path"
    if re.fullmatch(rf"\.?{HOST_PATTERN}:[0-9]+", host):
        return "write the host name alone, without a port"
    if re.fullmatch(r"[a-f0-9.:]*:[a-f0-9.:]*", host):
        return "write an IPv6 address in square brackets"
    return "a host name is made of letters, digits, hyphens and dots"


def origin_advice(origin: str, wildcard: bool) -> str:
    """What is wrong with `origin`, or an empty string."""
    match = ORIGIN.fullmatch(origin)
    if match is None:
        if not re.match(r"https?://", origin):
            return "begin it with https:// or http://"
        return "write scheme://host or scheme://host:port, without a path and without a slash at the end"
    if "*" in origin and not wildcard:
        return "name each origin, for * is not taken here"
    port = match["port"]
    if port is not None and not 1 <= int(port) <= 65535:
        return "its port is not from 1 to 65535"
    if port == DEFAULT_PORTS[match["scheme"]]:
        return f"leave out :{port}, as browsers do"
    return ""


def key_weakness(key: str) -> str:
    """Why `key` is no SECRET_KEY for production, or an empty string."""
    letters = re.sub(r"[^a-z0-9]", "", key.lower())
    if key.startswith(KEY_PREFIX):
        return f"for it begins with {KEY_PREFIX}"
    if len(key) < KEY_LENGTH:
        return f"for it has fewer than {KEY_LENGTH} characters"
    if len(set(key)) < KEY_DISTINCT:
        return f"for it has fewer than {KEY_DISTINCT} different characters"
    if any(word in letters for word in PLACEHOLDERS):
        return "for it looks like a placeholder"
    return ""
