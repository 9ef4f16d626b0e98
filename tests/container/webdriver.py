"""A browser, driven by the W3C's WebDriver protocol, of which this speaks what the tests need."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.container.engine import PATIENCE
from tests.running import until

# As root, Chromium has no sandbox of its own; and it shall ask nobody but the tests' server.
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1200,900", "--lang=en-US"),
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, section 12, "web element identifier"


class Browser:
    """One session. Elements are named by CSS selectors."""

    def __init__(self, port: int, profile: str) -> None:
        self._port = port
        options = {"args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        session = self._send("POST", "/session", {"capabilities": capabilities})
        self._session = f"/session/{session['sessionId']}"

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self._ask("GET", "/url"))

    def resize(self, width: int, height: int) -> None:
        """The window, in pixels."""
        self._ask("POST", "/window/rect", {"width": width, "height": height})

    def write(self, selector: str, text: str) -> None:
        """Type into a field; into one for files, a path."""
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def clear(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/clear", {})

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def text(self, selector: str) -> str:
        return str(self._ask("GET", f"/element/{self._find(selector)}/text"))

    def style(self, selector: str, name: str) -> str:
        """The style that the browser computed."""
        return str(self._ask("GET", f"/element/{self._find(selector)}/css/{name}"))

    def run(self, script: str) -> Any:
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def screenshot(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def close(self) -> None:
        self._send("DELETE", self._session)

    def _find(self, selector: str) -> str:
        return str(self._ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._send(method, self._session + path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(f"{method} {path}: {value['error']}: {value['message']}")
        return value


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Chromium with a profile of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "driver.log")
        # Not the development shell's libraries: both programs are the machine's.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LD_")}
        with log.open("w") as output:
            driver = subprocess.Popen(
                ["chromedriver", "--port=0"], stdout=output, stderr=output, env={**environ, "HOME": folder}
            )
        try:
            started = "started successfully on port "
            until(lambda: started in log.read_text(), "chromedriver")
            port = int(log.read_text().partition(started)[2].split(".")[0])
            session = Browser(port, str(Path(folder, "profile")))
            try:
                yield session
            finally:
                session.close()
        finally:
            driver.terminate()
            driver.wait(PATIENCE)
