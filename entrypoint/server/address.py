"""The addresses that are served, as gunicorn has them: a host with a port, or the path of a Unix socket."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import Any

from ..errors import BootError, ExitCode
from ..served import Address


def shown(addresses: list[Any]) -> str:
    """The addresses for a person."""
    return ", ".join(":".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in addresses)


def refusal(address: Address, error: Exception, variable: str = "GUNICORN_BIND") -> BootError:
    """What to raise when the address, which is the variable's, cannot be served."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return BootError(
        ExitCode.SERVER,
        f"The address {shown([address])} cannot be served: {reason}; free it, or choose another one ({variable}).",
    )


def check(address: Address, variable: str = "GUNICORN_BIND") -> None:
    """Raise BootError (SERVER) if the address cannot be bound. Nobody can connect meanwhile, nothing stays."""
    try:
        if isinstance(address, tuple):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        elif not address.startswith("\0"):
            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(address))):
                pass
    except (OSError, ValueError, OverflowError) as error:
        raise refusal(address, error, variable) from error
