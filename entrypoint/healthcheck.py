"""The command `healthcheck`: ask the server in this container. Imports neither Django nor gunicorn."""

from __future__ import annotations

import http.client

from . import log
from .configuration import Configuration
from .errors import BootError, ExitCode

TIMEOUT = 4.0  # seconds; the image lets a health check take 5

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def healthcheck(configuration: Configuration) -> None:
    """Request HEALTHCHECK_PATH. Raises BootError (UNHEALTHY) unless the answer is 200 to 299."""
    host = _LOOPBACK.get(configuration.host, configuration.host)
    path = configuration.healthcheck_path
    connection = http.client.HTTPConnection(host, configuration.port, timeout=TIMEOUT)
    try:
        # As a proxy that ends TLS would ask: a project that insists on https does not redirect.
        connection.request("GET", path, headers={"X-Forwarded-Proto": "https", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise BootError(
            ExitCode.UNHEALTHY, f"Unhealthy: no answer from {configuration.bind}{path}: {reason}."
        ) from error
    finally:
        connection.close()
    if not 200 <= status <= 299:
        raise BootError(ExitCode.UNHEALTHY, f"Unhealthy: {path} answers {status}.")
    log.info(f"Healthy: {path} answers {status}.")
