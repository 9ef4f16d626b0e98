"""Static files, served by WhiteNoise from a directory that may change while this process runs.

Replicas of an old and a new release may share STATIC_ROOT. WhiteNoise lists it once, at start; so an old
replica would answer 404 for files that arrived later, and would send replaced ones under the length and
the ETag of their predecessors. Here a file is examined when it is first asked for, and again whenever it
is not the same one any more. Only files that exist are remembered, so asking for names does not fill memory.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import stat
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from wsgiref.headers import Headers

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseFileResponse, WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

# The name that django.contrib.staticfiles.storage.HashedFilesMixin gives: twelve digits of an MD5 sum.
HASHED_NAME = re.compile(r"\.([0-9a-f]{12})(\.[^./]*)?$")
ATTEMPTS = 3

State = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ExaminedFile:
    """A static file with its headers, and what the file and its .gz were when these were made."""

    path: str
    states: tuple[State | None, State | None]
    file: StaticFile

    def is_current(self) -> bool:
        return self.states == (state_of(self.path), state_of(self.path + ".gz"))


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise without a listing made at start; with DEBUG, WhiteNoise as it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse] | None = None) -> None:
        self.examined: dict[str, ExaminedFile] = {}
        super().__init__(get_response)

    def add_files(self, root: str, prefix: str | None = None) -> None:
        if self.autorefresh:
            super().add_files(root, prefix)
        else:
            self.directories.append((os.path.join(os.path.abspath(root), ""), prefix))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self.autorefresh or not request.path_info.startswith(self.static_prefix):
            return super().__call__(request)
        for _ in range(ATTEMPTS):
            examined = self.find(request.path_info)
            if examined is None:
                return self.get_response(request)
            if response := answer(examined, request):
                return response
        return HttpResponse(status=503, headers={"Retry-After": "1"})  # it changes faster than we look

    def find(self, url: str) -> ExaminedFile | None:
        """The file for `url` as it is now, or None."""
        examined = self.examined.get(url)
        if examined is None or not examined.is_current():
            examined = self.examine(url)
            if examined is None:
                self.examined.pop(url, None)
            else:
                self.examined[url] = examined
        return examined

    def examine(self, url: str) -> ExaminedFile | None:
        # Dot files are a program's own, such as a marker of what was collected.
        if not self.url_is_canonical(url) or "/." in url:
            return None
        path = next(self.candidate_paths_for_url(url), None)
        if path is None or state_of(path) is None or self.is_compressed_variant(path):
            return None
        if not any(os.path.realpath(path).startswith(root_of(each)) for each, _ in self.directories):
            return None  # a link that leads out of the directory
        states = state_of(path), state_of(path + ".gz")
        try:
            digest = digest_of(path, open)
            stats = {path: os.stat(path)}
            # A replaced file and its .gz do not change in one instant: use the .gz only if it matches.
            if states[1] and digest_of(path + ".gz", gzip.open) == digest:
                stats[path + ".gz"] = os.stat(path + ".gz")
        except OSError:
            return None
        headers = Headers([("ETag", f'"{digest}"'), ("X-Content-Type-Options", "nosniff")])
        self.add_mime_headers(headers, path, url)
        headers["Cache-Control"] = f"max-age={self.max_age}, public"
        hashed = HASHED_NAME.search(path)
        if hashed and digest.startswith(hashed[1]):
            headers["Cache-Control"] = f"max-age={self.FOREVER}, public, immutable"
        headers["Access-Control-Allow-Origin"] = "*"
        file = StaticFile(path, headers.items(), encodings={"gzip": path + ".gz"}, stat_cache=stats)
        return ExaminedFile(path, states, file)


def answer(examined: ExaminedFile, request: HttpRequest) -> HttpResponse | None:
    """The response to `request`, or None if the file was replaced after it was examined."""
    try:
        response = examined.file.get_response(request.method, request.META)
    except OSError:
        return None
    if response.file is not None:
        opened = getattr(response.file, "fileobj", response.file)  # inside, when a range was asked for
        if identity(os.fstat(opened.fileno())) not in examined.states:
            response.file.close()
            return None
    http_response = WhiteNoiseFileResponse(response.file or (), status=int(response.status))
    del http_response["Content-Type"]
    for name, value in response.headers:
        http_response[name] = value
    return http_response


def root_of(directory: str) -> str:
    """The directory with its own links followed, to compare paths with."""
    return os.path.join(os.path.realpath(directory), "")


def state_of(path: str) -> State | None:
    """What tells the regular file at `path` from any other; None if there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return identity(status) if stat.S_ISREG(status.st_mode) else None


def identity(status: os.stat_result) -> State:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def digest_of(path: str, opener: Callable[[str, str], Any]) -> str:
    """The MD5 sum, in hexadecimal, of what `opener` (open or gzip.open) reads from `path`; or OSError.

    A damaged .gz has no digest: an empty string.
    """
    try:
        with opener(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return ""
