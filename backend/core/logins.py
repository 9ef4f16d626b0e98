"""Failed logins leave a record: whoever guesses passwords can be seen, and shut out by a proxy or a firewall."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

LONGEST = 150  # characters of what a client claims; as long as a user name may be

logger = logging.getLogger(__name__)


@receiver(user_login_failed)
def log_failed_login(credentials: dict[str, Any], request: HttpRequest | None = None, **_: object) -> None:
    """One WARNING with fields `user`, `remote_addr` and, as the client or a proxy says, `forwarded_for`."""
    user = str(credentials.get(get_user_model().USERNAME_FIELD, credentials.get("username", "")))[:LONGEST]
    meta = request.META if request else {}
    address = meta.get("REMOTE_ADDR", "")
    fields = {"user": user, "remote_addr": address}
    if forwarded := meta.get("HTTP_X_FORWARDED_FOR"):
        fields["forwarded_for"] = forwarded[-LONGEST:]  # a proxy appends
    logger.warning("A login failed: %r from %s", user, address or "nowhere", extra=fields)
