"""A Docker engine of the tests' own: they restart it, and the machine's own engine never notices.

It lives in a network namespace, so that its bridges, firewall rules and published ports are its alone, and keeps
everything else in one folder.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests import running
from tests.running import PATIENCE


class CommandError(Exception):
    """A command failed; the text is its reason."""


def run(*command: str, env: dict[str, str] | None = None, text: str | None = None, check: bool = True) -> str:
    """Run a command, `text` its stdin, and return its stdout without the white space around it."""
    done = subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        errors="replace",
    )
    if check and done.returncode != 0:
        said = f"{done.stdout}{done.stderr}".strip()
        raise CommandError(f"{' '.join(command)}: exit code {done.returncode}: {said}")
    return done.stdout.strip()


until = functools.partial(running.until, pause=0.25)  # each look takes a program


class Engine:
    """dockerd in the network namespace `namespace`, with all its files in `folder`."""

    def __init__(self) -> None:
        # A short path: those of sockets end at 108 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.namespace = self.folder.name
        self.socket = f"unix://{self.folder}/docker.sock"
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Make the namespace, with a loopback of its own, and start the engine in it."""
        run("ip", "netns", "add", self.namespace)
        run("ip", "-netns", self.namespace, "link", "set", "lo", "up")
        self.start()

    def start(self) -> None:
        folder = self.folder
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{self.namespace}", "dockerd", "--host", self.socket),
                    *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
                    *("--pidfile", f"{folder}/pid"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self.answers, f"the engine ({self.log})")

    def answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.said()
        with contextlib.suppress(CommandError):
            return bool(self.docker("info", "--format", "{{.ID}}"))
        return False

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-6000:]

    def stop(self) -> None:
        """As a machine's own service manager does: SIGTERM, and wait."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=PATIENCE)

    def close(self) -> None:
        """Leave nothing behind: containers, processes, mounts, namespace, files."""
        with contextlib.suppress(CommandError, AssertionError):
            # Swarm would start its containers again.
            self.docker("swarm", "leave", "--force", check=False)
            containers = self.docker("ps", "--all", "--quiet").split()
            if containers:
                self.docker("rm", "--force", "--volumes", *containers)
        self.stop()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((each for each in mounts if each.startswith(f"{self.folder}/")), reverse=True):
            run("umount", "--lazy", mount, check=False)
        run("ip", "netns", "delete", self.namespace, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def docker(self, *arguments: str, text: str | None = None, check: bool = True, **env: str) -> str:
        """Run the client against this engine."""
        return run("docker", *arguments, env={"DOCKER_HOST": self.socket, **env}, text=text, check=check)

    def enter(self) -> None:
        """Move the calling thread into the namespace: what it connects to from now on is in there."""
        namespace = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            os.setns(namespace, os.CLONE_NEWNET)
        finally:
            os.close(namespace)

    def load(self, archive: Path, name: str) -> None:
        """Load an image and give it this name."""
        said = self.docker("load", "--quiet", "--input", str(archive))
        self.docker("tag", said.rpartition("Loaded image: ")[2], name)
