"""Platform names (CPE 2.3), for scanners that look software up in the National Vulnerability Database."""

from __future__ import annotations

import re

# Vendor and product as that database has them, of what a Python image is made of, by the name in nixpkgs.
PRODUCTS = {
    "bash": ("gnu", "bash"),
    "bash-interactive": ("gnu", "bash"),
    "busybox": ("busybox", "busybox"),
    "bzip2": ("bzip", "bzip2"),
    "expat": ("libexpat_project", "libexpat"),
    "gcc": ("gnu", "gcc"),
    "gdbm": ("gnu", "gdbm"),
    "glibc": ("gnu", "glibc"),
    "krb5": ("mit", "kerberos_5"),
    "libffi": ("libffi_project", "libffi"),
    "libkrb5": ("mit", "kerberos_5"),
    "libpq": ("postgresql", "postgresql"),
    "libxcrypt": ("libxcrypt_project", "libxcrypt"),
    "ncurses": ("gnu", "ncurses"),
    "openldap": ("openldap", "openldap"),
    "openssl": ("openssl", "openssl"),
    "postgresql": ("postgresql", "postgresql"),
    "python3": ("python", "python"),
    "readline": ("gnu", "readline"),
    "sqlite": ("sqlite", "sqlite"),
    "util-linux-minimal": ("kernel", "util-linux"),
    "xgcc": ("gnu", "gcc"),
    "xz": ("tukaani", "xz"),
    "zlib": ("zlib", "zlib"),
}

# What nixpkgs puts behind the upstream version, of which alone the database speaks: how many patches there are of it.
PATCHES = {
    "bash": r"p\d+$",
    "glibc": r"-\d+$",
    "readline": r"p\d+$",
}


def application(name: str, version: str) -> str:
    """The formatted string (NIST IR 7695, 6.2) of a program; any vendor where the table above does not know."""
    vendor, product = PRODUCTS.get(name, ("*", name))
    if product in PATCHES:
        version = re.sub(PATCHES[product], "", version)
    return f"cpe:2.3:a:{_bind(vendor)}:{_bind(product)}:{_bind(version)}:*:*:*:*:*:*:*"


def _bind(value: str) -> str:
    if value == "*":
        return value
    return re.sub(r"([^\w.-])", r"\\\1", value.lower(), flags=re.ASCII)
