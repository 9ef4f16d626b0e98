"""Components that are Python distributions."""

from __future__ import annotations

import email.message
import email.parser
import os
import re
from collections.abc import Iterator
from pathlib import Path

import purl
from component import Component

# Classifiers that say which licence it is, by its identifier in the SPDX licence list.
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


def components(store_path: Path, file: dict[str, str] | None) -> Iterator[Component]:
    """A component for each distribution whose files lie in the store path, and are not just linked to from it.

    `file` is what a lock names, if the store path was made of it: its name and SHA-256.
    """
    for record in metadata_files(store_path):
        metadata = email.parser.HeaderParser().parsestr(record.read_text(errors="replace"))
        name, version = metadata["Name"], metadata["Version"]
        if not name or not version:
            continue  # an example, or a test's data
        yield Component(
            name=name,
            version=version,
            key=key(name),
            purl=purl.pypi(name, version),
            description=str(metadata.get("Summary", "")),
            licences=licences(metadata),
            locations=[str(record)],
            # Trivy finds the distribution by itself, too: at this place, and without an ID. Where both are the same,
            # it takes two findings for one.
            properties={
                "aquasecurity:trivy:FilePath": str(record).lstrip("/"),
                "aquasecurity:trivy:PkgID": "",
            },
            file=file["file"] if file else "",
            sha256=file["sha256"] if file else "",
            requires=requirements(metadata),
        )


def metadata_files(store_path: Path) -> Iterator[Path]:
    """METADATA of wheels, PKG-INFO of eggs, and `.egg-info` that is itself a file."""
    for folder, folders, files in os.walk(store_path):
        folders.sort()
        kind = os.path.splitext(folder)[1]
        names = {".dist-info": ["METADATA"], ".egg-info": ["PKG-INFO"]}.get(kind) or [
            name for name in files if name.endswith(".egg-info")
        ]
        yield from (
            Path(folder, name)
            for name in sorted(names)
            if name in files and not os.path.islink(os.path.join(folder, name))
        )


def key(name: str) -> str:
    """By the normalized name, which requirements may spell otherwise (packaging guide, "Names and normalization")."""
    return "pypi:" + re.sub(r"[-_.]+", "-", name).lower()


def requirements(metadata: email.message.Message) -> set[str]:
    """What the distribution needs, on any platform; what its extras need is not asked for."""
    texts = (str(text) for text in metadata.get_all("Requires-Dist", []))
    return {
        key(re.split(r"[^A-Za-z0-9._-]", text.strip())[0])
        for text in texts
        if not re.search(r";.*\bextra\b", text)
    }


def licences(metadata: email.message.Message) -> list[dict[str, object]]:
    """An SPDX expression if the metadata has one, else what its classifiers, or else its licence field, say."""
    if metadata.get("License-Expression"):
        return [{"expression": str(metadata["License-Expression"])}]
    prefix = "License :: "
    classifiers = [str(text) for text in metadata.get_all("Classifier", []) if str(text).startswith(prefix)]
    names = [text.rpartition(" :: ")[2] for text in classifiers]
    field = str(metadata.get("License", "")).strip()
    if not names and field and "\n" not in field and field != "UNKNOWN":
        names = [field]
    return [
        {"license": {"id": CLASSIFIERS[name]} if name in CLASSIFIERS else {"name": name}}
        for name in sorted(names)
    ]
