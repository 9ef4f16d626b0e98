"""What says that the static files of this very build are in place already."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

MARKER = ".collected.json"
# Settings that can change what collectstatic makes, by the beginnings of their names.
_SETTINGS = ("STATIC", "WHITENOISE_", "COMPRESS", "FILE_UPLOAD_", "INSTALLED_APPS")


def fingerprint(of_the_build: str) -> str:
    """Changes whenever the result of collectstatic can have changed; "" if the build gave none.

    No secret goes into it, for the file that keeps it lies in a public directory.
    """
    if not of_the_build:
        return ""
    import django
    from django.conf import settings

    values = {name: repr(getattr(settings, name)) for name in dir(settings) if name.startswith(_SETTINGS)}
    values["STORAGES"] = repr(settings.STORAGES.get("staticfiles"))
    parts = [of_the_build, django.__version__, sorted(values.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def unchanged(root: Path, fingerprint: str) -> int | None:
    """How many files are in place, if the marker says that they are this very build's; else None."""
    if not fingerprint:
        return None
    try:
        marker = json.loads((root / MARKER).read_bytes())
        return int(marker["files"]) if marker["fingerprint"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
