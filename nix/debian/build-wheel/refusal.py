"""Why a wheel cannot be built, as one sentence that says what to do."""

from __future__ import annotations

import re

# What a compiler or a configuration script did not find, in the words of GCC, the linker, pkg-config, a shell and Python.
MISSING = {
    "header": re.compile(r"fatal error: (\S+): No such file or directory"),
    "library": re.compile(r"cannot find -l([^\s:]+)"),
    "module of pkg-config": re.compile(
        r"(?:Package|No package) '?([\w.+-]+)'?(?:, required by '[^']*',)?(?: was)? (?:not )?found"
    ),
    "program": re.compile(
        r"(?:sh: (?:\d+: )?|line \d+: )([\w.+-]+): not found|No such file or directory: '([\w.+-]+)'"
    ),
}
# How each is named in the list of files of a Debian package.
FILES = {"header": "{}", "library": "lib{}.so", "module of pkg-config": "{}.pc", "program": "bin/{}"}

# Debian packages that are not in the set but often asked for: by the first part of a header's path, or the name of a library,
# of a module of pkg-config or of a program.
PACKAGES = {
    "freetds-dev": "ct sybdb sybdb.h",
    "libbz2-dev": "bz2 bzlib.h",
    "libcairo2-dev": "cairo cairo.h",
    "libev-dev": "ev ev.h",
    "libevent-dev": "event event.h event2 libevent",
    "libfreetype-dev": "freetype freetype2 ft2build.h",
    "libgdal-dev": "cpl_conv.h gdal gdal-config gdal.h gdal_priv.h",
    "libgeos-dev": "geos geos-config geos_c geos_c.h",
    "libgirepository-2.0-dev": "girepository-2.0",
    "libhiredis-dev": "hiredis",
    "liblcms2-dev": "lcms2 lcms2.h",
    "liblz4-dev": "liblz4 lz4 lz4.h",
    "liblzma-dev": "liblzma lzma lzma.h",
    "libmagic-dev": "libmagic magic magic.h",
    "libmemcached-dev": "libmemcached memcached",
    "libopenjp2-7-dev": "libopenjp2 openjp2 openjpeg.h",
    "libpcre2-dev": "libpcre2-8 pcre2-8 pcre2-config pcre2.h",
    "libpng-dev": "libpng png png.h",
    "libproj-dev": "proj proj.h",
    "librdkafka-dev": "librdkafka rdkafka",
    "libreadline-dev": "readline",
    "libsnappy-dev": "snappy snappy-c.h snappy.h",
    "libsodium-dev": "libsodium sodium sodium.h",
    "libsqlite3-dev": "sqlite3 sqlite3.h",
    "libsystemd-dev": "libsystemd systemd",
    "libtiff-dev": "libtiff-4 tiff tiff.h tiffio.h",
    "libwebp-dev": "libwebp webp",
    "libxmlsec1-dev": "xmlsec xmlsec1 xmlsec1-config",
    "libyaml-dev": "yaml yaml-0.1 yaml.h",
    "libzmq3-dev": "libzmq zmq zmq.h",
    "unixodbc-dev": "odbc sql.h sqlext.h",
    "uuid-dev": "uuid",
}


def of_import(what: str) -> str:
    return f"{what}: name the package that has it in [tool.uv.extra-build-dependencies] of pyproject.toml, and run `nixw lock`."


def of_build(name: str, error: BaseException, output: str) -> str:
    """The sentence for what a build system raised, having written the output."""
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ImportError):
        return of_import(f"{name} could not be built ({message})")
    for kind, pattern in MISSING.items():
        if found := pattern.search(output) or pattern.search(message):
            return of_missing(name, kind, next(filter(None, found.groups())))
    if found := re.search(r"\berror: (.+)", output):
        message = found[1]
    return f"{name} could not be built: {message.rstrip('.')}."


def of_missing(name: str, kind: str, what: str) -> str:
    file = FILES[kind].format(what)
    sentence = f"{name} could not be compiled, for it wants the {kind} {what}"
    for package, names in PACKAGES.items():
        if what.split("/")[0] in names.split():
            return f"{sentence}: `nixw add --debian {package}` adds it."
    return (
        f"{sentence}, which no package at hand has: `apt-file search {file}` tells which Debian package has it, and"
        " `nixw add --debian PACKAGE-dev` adds that."
    )
