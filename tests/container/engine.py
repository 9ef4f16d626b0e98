"""The Docker engine by its command line: containers, and what the world says about them.

Nothing here asserts how long something takes; every wait ends after PATIENCE seconds, as a failure.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.running import PATIENCE, Logged, until

ENDED = 1.0  # seconds after which a container that is waited for is looked at: has it ended?


class EngineError(Exception):
    """The engine refused a command; the text is its reason."""


def docker(*arguments: str, check: bool = True, timeout: float = PATIENCE, text: str | None = None) -> str:
    """Run the engine's client; return what it wrote to stdout. With `text` as its stdin."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, input=text, errors="replace"
    )
    if check and done.returncode != 0:
        raise EngineError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


@dataclass
class Response:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Container(Logged):
    """A container that was created; started or not."""

    def __init__(self, number: str, name: str) -> None:
        self.id = number
        self.name = name

    def start(self) -> Container:
        docker("start", self.id)
        return self

    def signal(self, name: str) -> None:
        docker("kill", "--signal", name, self.id)

    def stop(self) -> None:
        """As an operator does it: SIGTERM, and after ten seconds SIGKILL."""
        docker("stop", self.id)

    @property
    def inspected(self) -> dict[str, Any]:
        return json.loads(docker("inspect", self.id))[0]

    @property
    def state(self) -> dict[str, Any]:
        return self.inspected["State"]

    @property
    def running(self) -> bool:
        return bool(self.state["Running"])

    @property
    def address(self) -> str:
        """Its address on its (first) network."""
        networks = self.inspected["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def exit_code(self, patience: float = PATIENCE) -> int:
        """Wait for the end."""
        return int(docker("wait", self.id, timeout=patience))

    def seconds(self) -> float:
        """How long it ran, by the engine's clock."""
        return (moment(self.state["FinishedAt"]) - moment(self.state["StartedAt"])).total_seconds()

    @property
    def output(self) -> str:
        """Its stdout and stderr so far."""
        done = subprocess.run(
            ["docker", "logs", self.id], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE
        )
        return done.stdout.decode(errors="replace")

    def execute(self, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """`docker exec`."""
        return subprocess.run(
            ["docker", "exec", *options, self.id, *command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )

    def processes(self) -> list[dict[str, str]]:
        """The process table, with the host's numbers: pid, ppid, stat and args of each."""
        rows = docker("top", self.id, "-eo", "pid,ppid,stat,args").splitlines()[1:]
        return [dict(zip(("pid", "ppid", "stat", "args"), row.split(None, 3), strict=True)) for row in rows]

    def workers(self) -> set[str]:
        """The numbers of gunicorn's workers: children of the child of PID 1."""
        table = self.processes()
        everyone = {row["pid"] for row in table}
        init = next(row["pid"] for row in table if row["ppid"] not in everyone)
        masters = {row["pid"] for row in table if row["ppid"] == init and "entrypoint" in row["args"]}
        return {row["pid"] for row in table if row["ppid"] in masters}

    @property
    def port(self) -> int:
        """Where 127.0.0.1 leads to the container's port 8000 (or its only one)."""
        published = docker("port", self.id).split()
        return int(published[-1].rpartition(":")[2])

    def get(self, path: str, method: str = "GET", port: int | None = None, **headers: str) -> Response:
        """Request a path through the published port. Underscores in the headers' names stand for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=names)
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def until(self, condition: Callable[[], Any], what: str = "a condition", pause: float = 0.05) -> Any:
        """Wait until the condition holds, as long as the container runs.

        Where it takes the engine's client, which is more work than what is waited for, a longer `pause` is kinder.
        """
        look_again = time.monotonic() + ENDED

        def checked() -> Any:
            nonlocal look_again
            value = condition()
            if not value and time.monotonic() > look_again:
                assert self.running, f"it ended while waiting for {what}:\n{self.output}"
                look_again = time.monotonic() + ENDED
            return value

        return until(checked, what, PATIENCE, pause)

    def until_logged(self, text: str) -> Container:
        self.until(lambda: text in self.output, repr(text), pause=0.2)
        return self

    def until_answers(self, status: int = 200, path: str = "/api/health/") -> Container:
        """Wait until the published port gives this status."""

        def answers() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.get(path, port=port).status == status
            return False

        port = self.port
        self.until(answers, f"{status} from {path}")
        return self

    def until_healthy(self) -> Container:
        """Wait until the image's own health check says so, from within (where no port can be published)."""
        self.until(lambda: self.execute("entrypoint", "healthcheck").returncode == 0, "health", pause=0.5)
        return self


def moment(text: str) -> datetime:
    """The engine's notation, which has nanoseconds."""
    return datetime.fromisoformat(re.sub(r"\.(\d{1,6})\d*Z$", r".\1+00:00", text))


ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = Path(__file__).resolve().parent / ".artefacts"
