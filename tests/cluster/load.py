"""Bounded load on a service, from a few threads: what a browser asks for, again and again, until it is told to stop."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from tests.cluster.engine import Engine

HOST = "api.example.com"
PORT = 443
THREADS = 2
MOST = 4000  # page views a thread, however long it takes
PAUSE = 0.03  # seconds between two page views of a thread


@dataclass
class Site:
    """The service behind https://HOST/, on the loopback of an engine's namespace, with the certificate of a file."""

    engine: Engine
    certificate: str

    def get(self, path: str) -> tuple[int, str]:
        """The status of a path, and the body. Raises OSError and http.client.HTTPException."""
        self.engine.enter()
        context = ssl.create_default_context(cafile=self.certificate)
        with context.wrap_socket(
            socket.create_connection(("127.0.0.1", PORT), timeout=30), server_hostname=HOST
        ) as connection:
            client = http.client.HTTPConnection(HOST)
            client.sock = connection
            client.request("GET", path, headers={"Connection": "close"})
            answer = client.getresponse()
            return answer.status, answer.read().decode()

    def page(self) -> str:
        """View the front page as a browser does, and return the style sheet that it names."""
        status, page = self.get("/")
        assert status == 200, f"/ answers {status}"
        path = re.search(r'href="(/static/core/site\.[0-9a-f]{12}\.css)"', page)
        assert path, page
        status, style = self.get(path[1])
        assert status == 200, f"{path[1]} answers {status}"
        return style


def in_thread(function):
    """Call the function in a thread of its own, whose namespace may change, and return what it returns."""
    outcome = {}

    def call() -> None:
        try:
            outcome["value"] = function()
        except BaseException as error:  # noqa: BLE001 -- raised again below
            outcome["error"] = error

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


@dataclass
class Load:
    """Page views while a `with` block runs."""

    site: Site
    styles: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._browse) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _browse(self) -> None:
        for _ in range(MOST):
            if self._stop.is_set():
                return
            try:
                self.styles[self.site.page()] += 1
            except Exception as error:  # noqa: BLE001 -- whatever a browser would show
                self.failures[f"{time.strftime('%X')} {type(error).__name__}: {error}"] += 1
            time.sleep(PAUSE)
