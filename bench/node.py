"""A node that has nothing: containerd and a Docker engine of their own, beside the machine's, which are left alone."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from bench.lab import BenchError, Site, free_port, machine_environment, run, stop, wait_for_200
from remains import ends_with_parent

PATIENCE = 60.0  # seconds for the two to start
NEEDED = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "containerd": "containerd",
    "ctr": "containerd",
    "ip": "iproute2",
}

CONTAINERD = """
version = 2
root = "{0}/containerd"
state = "{0}/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{0}/containerd.sock"
"""

_numbers = itertools.count()


class Engine:
    """What pulls images and runs containers, by a command line: `client`, and what starts a container with it."""

    def __init__(self, client: list[str], start: list[str], environment: dict[str, str]) -> None:
        self.client, self.start, self.environment = client, start, environment

    def __call__(self, *arguments: str) -> str:
        """Run the client; what it wrote. Raises BenchError if it fails."""
        done = subprocess.run(
            [*self.client, *arguments], env=self.environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            reason = " ".join((done.stderr or done.stdout).split())[-300:]
            raise BenchError(f"{self.client[0]} {arguments[0]} failed: {reason}")
        return done.stdout

    @property
    def name(self) -> str:
        """Name and version, as in "Docker 20.10.24"."""
        raise NotImplementedError

    @property
    def reads_zstd(self) -> bool:
        """Whether it can unpack layers that zstd has compressed."""
        return True

    def pull(self, reference: str) -> float:
        """Seconds until the image is there, ready to run."""
        raise NotImplementedError

    def first_200(self, reference: str, site: Site) -> float:
        """Seconds from the start of a container of the site to its first 200; it is stopped then."""
        # What a deployment sets: the site's variables without the image's own.
        own, port = site.lab.environment.keys(), free_port()
        variables = {name: value for name, value in site.environment.items() if name not in own}
        variables["GUNICORN_BIND"] = f"127.0.0.1:{port}"
        options = [f"--env={name}={value}" for name, value in variables.items()]
        command = [*self.client, *self.start, *self.mount(site.lab.cluster.host), *options, reference]
        began = time.monotonic()
        with site.log.open("wb") as output:
            process = subprocess.Popen(
                [*command, *self.named()], env=self.environment, stdout=output, stderr=output
            )
        try:
            wait_for_200(port, process, site.log)
            return time.monotonic() - began
        finally:
            stop(process)

    def mount(self, folder: str) -> list[str]:
        """The option that gives a container the folder."""
        raise NotImplementedError

    def named(self) -> list[str]:
        """The container's name, for whom it takes one."""
        return []


class Docker(Engine):
    """The Docker engine."""

    @property
    def name(self) -> str:
        return f"Docker {self('version', '--format', '{{.Server.Version}}').strip().partition('+')[0]}"

    @property
    def reads_zstd(self) -> bool:
        return int(self.name.removeprefix("Docker ").partition(".")[0]) >= 23

    def pull(self, reference: str) -> float:
        began = time.monotonic()
        self("pull", "--quiet", reference)
        return time.monotonic() - began

    def mount(self, folder: str) -> list[str]:
        return [f"--volume={folder}:{folder}"]


class Containerd(Engine):
    """containerd as it is, which Kubernetes drives."""

    @property
    def name(self) -> str:
        return f"containerd {self('version').rpartition('Version:')[2].split()[0].partition('~')[0]}"

    def pull(self, reference: str) -> float:
        began = time.monotonic()
        self("image", "pull", "--plain-http", reference)
        return time.monotonic() - began

    def mount(self, folder: str) -> list[str]:
        return [f"--mount=type=bind,src={folder},dst={folder},options=rbind:rw"]

    def named(self) -> list[str]:
        return [f"site-{next(_numbers)}"]


class Node:
    """What it has lies below `folder`, which must be new, and its path short: sockets are in it."""

    def __init__(self, folder: Path) -> None:
        for program, package in NEEDED.items():
            if not shutil.which(program):
                raise BenchError(f"no {program} on PATH (apt-get install {package})")
        if os.geteuid() != 0:
            raise BenchError("only root can start a second Docker engine")
        self.folder = folder
        self.bridge = f"bench{os.getpid()}-{next(_numbers)}"
        self._daemons: list[subprocess.Popen[bytes]] = []
        environment = machine_environment() | {"DOCKER_CONFIG": f"{folder}/client"}
        self.docker = Docker(
            ["docker", f"--host=unix://{folder}/docker.sock"],
            ["run", "--rm", "--network=host"],
            environment,
        )
        self.containerd = Containerd(
            ["ctr", f"--address={folder}/containerd.sock"],
            ["run", "--rm", "--net-host"],
            environment,
        )

    def __enter__(self) -> Self:
        self.folder.mkdir()
        configuration = self.folder / "containerd.toml"
        configuration.write_text(CONTAINERD.format(self.folder))
        try:
            self._start(self.containerd, "containerd", f"--config={configuration}")
            # Containers have the machine's network, and no rule of its firewall is touched. With --bridge=none the engine
            # would remove docker0, which is the machine's engine's.
            run(["ip", "link", "add", self.bridge, "type", "bridge"])
            self._start(
                self.docker,
                *("dockerd", f"--host=unix://{self.folder}/docker.sock", f"--pidfile={self.folder}/pid"),
                *(f"--data-root={self.folder}/docker", f"--exec-root={self.folder}/docker-state"),
                *(f"--containerd={self.folder}/containerd.sock", f"--bridge={self.bridge}"),
                *("--iptables=false", "--ip-forward=false"),
            )
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self, engine: Engine, *command: str) -> None:
        """Start a daemon, and wait until the engine answers. Raises BenchError if it does not."""
        log = self.folder / f"{command[0]}.log"
        with log.open("wb") as output:
            daemon = subprocess.Popen(
                command,
                env=machine_environment(),
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal reaches it last
                preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509  # no threads here
            )
        self._daemons.append(daemon)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and daemon.poll() is None:
            with contextlib.suppress(BenchError):
                engine("version")
                return
            time.sleep(0.1)
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise BenchError(f"a second {command[0]} does not start: {''.join(last)[-300:]}")

    def _stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait()
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True)
        # The engine leaves its folder mounted on itself.
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in reversed(mounted):
            if Path(place).is_relative_to(self.folder):
                subprocess.run(["umount", "--lazy", place], capture_output=True)


def forget_caches() -> None:
    """Have the kernel write what is to be written, and read from the disk what is read next."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
