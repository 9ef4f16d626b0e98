"""The command `healthcheck`: ask the server in this container. Imports neither Django nor gunicorn."""

from __future__ import annotations

import http.client
import socket

from . import log, programs, role
from .configuration import Configuration
from .errors import BootError, ExitCode
from .served import Address, published

TIMEOUT = 4.0  # seconds; the image lets a health check take 5

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def healthcheck(configuration: Configuration) -> None:
    """Become HEALTHCHECK_COMMAND, or request HEALTHCHECK_PATH of whoever is here to serve.

    Raises BootError: UNHEALTHY unless the answer is 200 to 299; what `programs` raises.
    """
    if configuration.healthcheck_command:
        programs.become(configuration.healthcheck_command)
    started_as = role.started_as()
    if started_as in role.NOT_TO_SERVE:
        log.info(f"Healthy: it lives, and was started to {started_as}, not to serve.")
        return
    address: Address = configuration.host, configuration.port
    # Set by the operator, it wins over the project's own, as it does for the server.
    if "GUNICORN_BIND" not in configuration.explicit or configuration.gunicorn_arguments:
        address = published() or address
    path = configuration.healthcheck_path
    connection = _connection(address)
    try:
        # As a proxy that ends TLS would ask: a project that insists on https does not redirect.
        connection.request("GET", path, headers={"X-Forwarded-Proto": "https", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, ConnectionRefusedError) and started_as != role.SERVE:
            log.info(f"Healthy: it lives, and {started_as} does not serve.")
            return
        reason = str(error) or type(error).__name__
        raise BootError(
            ExitCode.UNHEALTHY, f"Unhealthy: no answer from {_shown(address)}{path}: {reason}."
        ) from error
    finally:
        connection.close()
    if not 200 <= status <= 299:
        raise BootError(ExitCode.UNHEALTHY, f"Unhealthy: {path} answers {status}.")
    log.info(f"Healthy: {path} answers {status}.")


def _shown(address: Address) -> str:
    if isinstance(address, str):
        return f"unix:{address}:"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _connection(address: Address) -> http.client.HTTPConnection:
    if isinstance(address, str):
        return _UnixConnection(address)
    host, port = address
    return http.client.HTTPConnection(_LOOPBACK.get(host, host), port, timeout=TIMEOUT)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect; called by http.client."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
