"""Files of the Python index that the machine's pip is configured with, by name (PEP 503).

pip fetches wheels; but of a source distribution it would run the code, to learn what it needs.
"""

from __future__ import annotations

import base64
import functools
import html
import http.client
import netrc
import re
import shutil
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from mirror import Gone, MirrorError, pip_settings
from program import one_line

LINK = re.compile(r"""href\s*=\s*["']([^"'#]+)""")
TIMEOUT = 60  # seconds without an answer


def download(project: str, file: str, target: Path) -> None:
    """Fetch the project's file of this name to the target. Raises Gone if no index has it, and MirrorError."""
    settings = pip_settings()
    for folder in settings.get("find-links", "").split():
        place = Path(urllib.parse.unquote(folder.removeprefix("file://")), file)
        if place.is_file():
            shutil.copy(place, target)
            return
    reason = ""
    for index in indexes(settings):
        page = f"{index.rstrip('/')}/{project}/"
        if page.startswith("file:"):
            page += "index.html"
        try:
            content = from_page(page, file, index, settings)
        except (OSError, ValueError, http.client.HTTPException) as error:
            # An index need not have every project.
            if getattr(error, "code", None) != 404 and not page.startswith("file:"):
                reason = one_line(str(getattr(error, "reason", error)) or type(error).__name__)
            continue
        if content is not None:
            target.write_bytes(content)
            return
    if reason:
        raise MirrorError(f"The Python index that pip is configured with does not give {file}: {reason}.")
    raise Gone(f"The Python index that pip is configured with has no file {file}, which the lock names.")


def from_page(page: str, file: str, index: str, settings: dict[str, str]) -> bytes | None:
    """The file that a project's page links to, or None without a link. Raises OSError, ValueError, HTTPException."""
    for link in LINK.findall(get(page, index, settings).decode(errors="replace")):
        address = urllib.parse.urljoin(page, html.unescape(link))
        if urllib.parse.unquote(urllib.parse.urlsplit(address).path).endswith(f"/{file}"):
            return get(address, index, settings)
    return None


def indexes(settings: dict[str, str]) -> list[str]:
    """Addresses of the indexes, as pip would ask them."""
    first = settings.get("index-url", "").split() or default_index()
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return []
    return first + settings.get("extra-index-url", "").split()


@functools.cache
def default_index() -> list[str]:
    """pip's own."""
    command = [sys.executable, "-m", "pip", "download", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True).stdout
    return re.findall(r"\(default\s+(http[^)\s]+)", shown)


def get(address: str, index: str, settings: dict[str, str]) -> bytes:
    """What is at the address, with the index's login if it is on the same host. Raises as from_page."""
    parts, known = urllib.parse.urlsplit(address), urllib.parse.urlsplit(index)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    request = urllib.request.Request(bare.geturl())
    if login := login_of(parts) or (login_of(known) if parts.hostname == known.hostname else ""):
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=settings.get("cert") or None))
    ]
    if proxy := settings.get("proxy"):
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT) as answer:
        content: bytes = answer.read()
        return content


def login_of(parts: urllib.parse.SplitResult) -> str:
    """`name:password` in the address, or in the machine's netrc for its host."""
    if parts.username:
        return f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    try:
        found = netrc.netrc().authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        return ""
    return f"{found[0]}:{found[2]}" if found else ""
