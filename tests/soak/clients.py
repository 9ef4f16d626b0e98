"""The load: pages, the API, photos, static files, logins and uploads, by clients that repeat nothing and count everything."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import os
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Self

from tests.cluster.load import HOST, PORT, Site

READERS = 6
PAUSE = 0.05  # seconds between two requests of a reader
UPLOAD, LOGIN = 1.5, 5.0  # seconds between two uploads, two logins; the proxy allows 20 logins a minute
PHOTO = 100_000  # bytes
PATIENCE = 30.0  # seconds that a client waits for an answer
USER = "soak"

LOGIN_PAGE, LIST, ADD = "/admin/login/", "/admin/meals/meal/", "/admin/meals/meal/add/"
MEALS, HEALTH, STATIC = "/api/meals/", "/api/health/", "/static/admin/css/base.css"


@dataclass(frozen=True)
class Asked:
    """A request, and what came of it: a status, or the error's name. Times are monotonic seconds."""

    what: str
    method: str
    began: float
    ended: float
    outcome: str
    right: bool

    @property
    def idempotent(self) -> bool:
        return self.method == "GET"


@dataclass
class Record:
    """What all clients have met."""

    asked: list[Asked] = field(default_factory=list)
    uploads: dict[str, str] = field(
        default_factory=dict
    )  # the photos' digests, by the meals' names; all that were tried
    accepted: set[str] = field(default_factory=set)  # the names of those whose answer said so

    @property
    def failures(self) -> list[Asked]:
        return [each for each in self.asked if not each.right]


class Browser:
    """One client: a connection that is kept, and cookies. It lives in the thread that made it."""

    def __init__(self, site: Site, record: Record) -> None:
        site.engine.enter()
        self._record = record
        self._tls = ssl.create_default_context(cafile=site.certificate)
        self._connection: http.client.HTTPConnection | None = None
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        what: str,
        path: str,
        expected: int = 200,
        method: str = "GET",
        body: bytes = b"",
        kind: str = "",
    ) -> bytes | None:
        """What the answer says; None unless it has the status that is expected. Counted in any case."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if method == "POST":
            headers |= {"Referer": f"https://{HOST}/", "Content-Type": kind}
        began = time.monotonic()
        content: bytes | None = None
        try:
            answer = self._connected().getresponse_to(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            outcome, right = type(error).__name__, False
            self.close()
        else:
            outcome, right = str(answer.status), answer.status == expected
            content = answer.content if right else None
            for name, value in answer.cookies.items():
                self.cookies[name] = value
        self._record.asked.append(Asked(what, method, began, time.monotonic(), outcome, right))
        return content

    def log_in(self, password: str) -> bool:
        """Log in as USER, as a browser does."""
        self.cookies.clear()
        if self.ask("login page", LOGIN_PAGE) is None:
            return False
        token = self.cookies.get("csrftoken", "")
        form = f"csrfmiddlewaretoken={token}&username={USER}&password={password}&next=/admin/"
        kind = "application/x-www-form-urlencoded"
        return self.ask("login", LOGIN_PAGE, 302, "POST", form.encode(), kind) is not None

    def upload(self, name: str) -> None:
        """Add a meal of this name, with a photo that nobody else has."""
        photo = b"\xff\xd8\xff" + os.urandom(PHOTO)
        fields = {
            "csrfmiddlewaretoken": self.cookies["csrftoken"],
            "name": name,
            "kcal": "250",
            "eaten_at_0": "2026-01-01",
            "eaten_at_1": "12:00:00",
        }
        boundary = uuid.uuid4().hex  # a short one would be in a photo now and then
        lines = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        )
        file = f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="{name}.jpg"\r\n\r\n'.encode()
        self._record.uploads[name] = hashlib.sha256(photo).hexdigest()
        body = lines + file + photo + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        if self.ask("upload", ADD, 302, "POST", body, kind) is not None:
            self._record.accepted.add(name)

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connected(self) -> _Connection:
        if self._connection is None or self._connection.sock is None:
            self._connection = _Connection(HOST, PORT)
            plain = socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE)
            self._connection.sock = self._tls.wrap_socket(plain, server_hostname=HOST)
        return self._connection


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes
    cookies: dict[str, str]


class _Connection(http.client.HTTPConnection):
    auto_open = 0  # without TLS, it would be

    def getresponse_to(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send the request; read the whole answer."""
        self.request(method, path, body or None, headers)
        answer = self.getresponse()
        content = answer.read()
        cookies: dict[str, str] = {}
        for line in answer.headers.get_all("Set-Cookie", []):
            cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        if answer.will_close:
            self.close()
        return Answer(answer.status, content, cookies)


class Clients:
    """All of them, while a `with` block runs."""

    def __init__(self, site: Site, password: str) -> None:
        self.record = Record()
        self._site, self._password = site, password
        self._stop = threading.Event()
        self._photo = ""
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(READERS)]
        self._threads += [threading.Thread(target=each) for each in (self._upload, self._log_in)]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _read(self, number: int) -> None:
        """Page, style sheet, API, photo, static file and health, again and again; half of them in the admin, too."""
        browser = Browser(self._site, self.record)
        member = number % 2 == 0 and browser.log_in(self._password)
        style = STATIC
        turns: list[Callable[[], object]] = [
            lambda: browser.ask("page", "/"),
            lambda: browser.ask("static file", style),
            lambda: browser.ask("api", MEALS),
            lambda: browser.ask("photo", self._photo) if self._photo else None,
            lambda: browser.ask("health", HEALTH),
            lambda: browser.ask("static file", STATIC),
        ]
        if member:
            turns.append(lambda: browser.ask("admin", LIST))
        for turn in itertools.cycle(range(len(turns))):
            if self._stop.wait(PAUSE):
                return
            content = turns[turn]()
            if turn == 0 and content:
                style = re.search(rb'href="(/static/core/site[^"]*)"', content)[1].decode()
            elif turn == 2 and content:
                photos = [meal["photo"] for meal in json.loads(content)["results"] if meal["photo"]]
                self._photo = photos[number % len(photos)] if photos else ""

    def _upload(self) -> None:
        browser = Browser(self._site, self.record)
        member = False
        for number in itertools.count(1):
            if self._stop.wait(UPLOAD):
                return
            member = member or browser.log_in(self._password)
            if member:
                browser.upload(f"soak-{number}")

    def _log_in(self) -> None:
        browser = Browser(self._site, self.record)
        while not self._stop.wait(LOGIN):
            browser.log_in(self._password)
