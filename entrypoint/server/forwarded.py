"""Whose request it is, when a proxy asks for somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

EVERYONE = "*"


def client(peer: str, forwarded: str, allowed: Sequence[str]) -> str:
    """The address of the client. `peer` is who has connected, "" by a Unix socket.

    If that is one of `allowed` (gunicorn's forwarded_allow_ips), `forwarded` (X-Forwarded-For) counts: from its end, which
    the nearest proxy has written, up to the first address that is not such a proxy's. What stands before it, anybody
    may have made up. With "*", nobody knows the proxies apart, and the last one counts.
    """
    found = peer
    if peer and not _is_allowed(peer, tuple(allowed)):
        return found
    for each in reversed(forwarded.split(",") if forwarded else []):
        address = _address(each)
        if not address:
            break
        found = address
        if EVERYONE in allowed or not _is_allowed(address, tuple(allowed)):
            break
    return found


def _is_allowed(address: str, allowed: tuple[str, ...]) -> bool:
    if EVERYONE in allowed:
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in _networks(allowed))


@lru_cache
def _networks(allowed: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(each, strict=False) for each in allowed]


def _address(text: str) -> str:
    """The address in one part of the header, without a port; "" if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
