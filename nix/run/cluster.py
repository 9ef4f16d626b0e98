"""A private PostgreSQL cluster, for `nix run` and for the tests.

Needs `initdb` and `postgres` on PATH; nothing else of the machine is used.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from remains import ends_with_parent, remove, temporary_folder

OWNER = "postgres"  # the cluster's superuser, whatever the machine calls its users


class ClusterError(Exception):
    """The cluster cannot be made or started; the message is one sentence for a person."""


def ordinary_user() -> pwd.struct_passwd | None:
    """The account to run as when this process is root, for PostgreSQL refuses root; else None.

    Whoever called sudo is preferred, so that the files stay theirs.
    """
    if os.geteuid() != 0:
        return None
    sudo_uid = int(os.environ.get("SUDO_UID", "0"))
    return pwd.getpwuid(sudo_uid) if sudo_uid else pwd.getpwnam("nobody")


class Cluster:
    """A PostgreSQL cluster in `directory`: created when the directory is empty, else reused.

    `host` is a directory with a Unix socket (short, for a socket's path holds 107 bytes at most);
    with `tcp_port` the server listens on 127.0.0.1 too. `password` is the superuser's, kept in a
    file beside the data, mode 600. `settings` are postgresql.conf settings. `check` is called while
    the server starts; what it raises ends that. `inherited` are file descriptors that the server has.
    The server ends with this process, also when that is killed.
    """

    def __init__(
        self,
        directory: Path,
        tcp_port: int | None = None,
        settings: dict[str, str] | None = None,
        check: Callable[[], None] = lambda: None,
        inherited: tuple[int, ...] = (),
    ) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.tcp_port = tcp_port
        self.port = tcp_port or 5432
        self.settings = settings or {}
        self.check = check
        self.inherited = inherited
        self.user = ordinary_user()
        self.password = ""
        self.host = ""
        self._server: subprocess.Popen[bytes] | None = None

    def start(self, deadline: float = 60.0) -> None:
        """Bring the server up and return when it takes connections (within `deadline` seconds).

        Raises ClusterError when it cannot be created, does not start or does not answer in time.
        """
        self._prepare_directory()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self.password = self._password_file.read_text().strip()
        owner = self.user.pw_uid if self.user else os.geteuid()
        self.host = str(temporary_folder("postgres-", self.directory / "sockets", owner))
        self._launch(deadline)

    def restart(self, deadline: float = 60.0) -> None:
        """Stop the server, and start it at the same address. Raises ClusterError."""
        self._end()
        self._launch(deadline)

    def stop(self) -> None:
        """Shut the server down, disconnecting its clients (PostgreSQL's "fast" mode)."""
        self._end()
        if self.host:
            remove(Path(self.host))
            (self.directory / "sockets").unlink(missing_ok=True)
            self.host = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    def _launch(self, deadline: float) -> None:
        command = ["postgres", "-D", str(self.data), "-k", self.host, "-p", str(self.port)]
        command += ["-c", f"listen_addresses={'127.0.0.1' if self.tcp_port else ''}"]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        try:
            with open(self.directory / "postgres.log", "ab") as log:
                # A session of its own: Ctrl-C in the terminal must reach the server last, through stop().
                self._server = subprocess.Popen(
                    command, stdout=log, stderr=log, start_new_session=True, **self._as_child()
                )
            self._wait(deadline)
        except BaseException:
            self.stop()
            raise

    def _end(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait()
            self._server = None

    def _as_child(self) -> dict[str, Any]:
        child = {"preexec_fn": ends_with_parent(signal.SIGINT), "pass_fds": self.inherited}
        if self.user is None:
            return child
        return child | {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _own(self, path: Path) -> None:
        if self.user is not None:
            os.lchown(path, self.user.pw_uid, self.user.pw_gid)

    def _prepare_directory(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._own(self.directory)
            if not self._password_file.exists() or not self._password_file.read_text():
                self._password_file.touch(mode=0o600)
                self._password_file.write_text(secrets.token_urlsafe(24) + "\n")
            self._own(self._password_file)
        except OSError as error:
            raise ClusterError(
                f"Cannot write the database's folder {self.directory}: {error.strerror}."
            ) from error

    def _initdb(self) -> None:
        # In a folder of its own until it is whole, so that one that was cut short is made again.
        new = self.directory / "new"
        shutil.rmtree(new, ignore_errors=True)
        command = ["initdb", "-D", str(new), "--username", OWNER, "--encoding=UTF8"]
        command += ["--locale=C", "--auth=scram-sha-256", f"--pwfile={self._password_file}"]
        if self.settings.get("fsync") == "off":
            command.append("--no-sync")
        result = subprocess.run(command, capture_output=True, text=True, **self._as_child())
        if result.returncode != 0:
            reason = " ".join(result.stderr.split()) or "no reason given"
            raise ClusterError(f"Cannot create the database in {self.data}: {reason}")
        new.rename(self.data)

    def _wait(self, deadline: float) -> None:
        assert self._server is not None
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            self.check()
            if self._server.poll() is not None:
                break
            # The server writes its number and, last, "ready" to this file; another number is of a server that was killed.
            state = self.data / "postmaster.pid"
            lines = state.read_text().split() if state.exists() else []
            if lines and lines[0] == str(self._server.pid) and lines[-1] == "ready":
                return
            time.sleep(0.02)
        lines = (self.directory / "postgres.log").read_text(errors="replace").splitlines()
        reason = next((line for line in reversed(lines) if "FATAL" in line), "see its log")
        raise ClusterError(f"PostgreSQL did not start: {reason} (log: {self.directory / 'postgres.log'}).")
