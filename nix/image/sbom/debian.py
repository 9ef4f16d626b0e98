"""Components that are packages of a distribution in Debian's format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import purl
from component import Component

# In a store path: the control files of the packages that it is made of, in whole or in part.
RECORDS = "share/dpkg/status.d"


def components(
    store_path: Path, os_release: dict[str, str], licences: dict[str, list[str]]
) -> Iterator[Component]:
    """A component for each record in the store path.

    `os_release` are the fields of the distribution's file of that name, `licences` comes from `licences_by_source`.
    Raises SystemExit, with a sentence, for a package of a distribution that says nowhere which it is.
    """
    for record in records(store_path):
        if not os_release:
            raise SystemExit(
                f"sbom: {record} is a distribution's package, but no store path has share/os-release."
            )
        yield component(record, os_release, licences)


def records(store_path: Path) -> list[Path]:
    return sorted((store_path / RECORDS).glob("*"))


def component(record: Path, os_release: dict[str, str], licences: dict[str, list[str]]) -> Component:
    """The component that a control file (deb-control(5)) describes."""
    fields = paragraph(record.read_text())
    name, version = fields["Package"], fields["Version"]
    source, source_version = source_of(fields)
    # The distribution and its version, as scanners join them; one that is never released has no version.
    release = [os_release["ID"], *([os_release["VERSION_ID"]] if "VERSION_ID" in os_release else [])]
    qualifiers = {"arch": fields["Architecture"], "distro": "-".join(release)}
    upstream = source if source_version == version else f"{source}@{source_version}"
    if upstream != name:
        qualifiers["upstream"] = upstream
    return Component(
        name=name,
        version=version,
        key=key(name),
        purl=purl.deb(os_release["ID"], name, version, qualifiers),
        description=fields.get("Description", "").split("\n")[0],
        licences=[{"license": {"name": licence}} for licence in licences.get(source, [])],
        locations=[str(record)],
        properties=trivy_source(source, source_version),
        requires={key(other) for other in dependencies(fields)},
    )


def key(name: str) -> str:
    return f"deb:{name}"


def paragraph(text: str) -> dict[str, str]:
    """The fields of one paragraph of a control file; lines that continue a field are kept as lines."""
    fields: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            fields[key] += "\n" + line.strip()
        elif ":" in line:
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields


def source_of(fields: dict[str, str]) -> tuple[str, str]:
    """Name and version of the source package, which advisories speak of; the package's own where none is named."""
    name, _, version = fields.get("Source", fields["Package"]).partition(" ")
    return name, version.strip("()") or fields["Version"]


def dependencies(fields: dict[str, str]) -> set[str]:
    """Names of the packages that a package may need, every alternative included."""
    text = ", ".join(fields.get(key, "") for key in ("Pre-Depends", "Depends"))
    return {re.sub(r"[ :(\[].*", "", part.strip()) for part in re.split(r"[,|]", text)} - {""}


def trivy_source(name: str, version: str) -> dict[str, str]:
    """The same in Trivy's words, which does not read it from the package URL."""
    epoch, _, rest = version.rpartition(":")
    upstream, dash, revision = rest.rpartition("-")
    properties = {"SrcName": name, "SrcVersion": upstream if dash else rest}
    if dash:
        properties["SrcRelease"] = revision
    if epoch:
        properties["SrcEpoch"] = epoch
    return {f"aquasecurity:trivy:{key}": value for key, value in properties.items()}


def licences_by_source(store_paths: list[Path]) -> dict[str, list[str]]:
    """Short names of licences by source package, for packages of one source share one copyright file (Policy 12.3)."""
    sources = {}
    for record in (record for path in store_paths for record in records(path)):
        fields = paragraph(record.read_text())
        sources[fields["Package"]] = source_of(fields)[0]
    found: dict[str, set[str]] = {}
    for file in (file for path in store_paths for file in path.glob("share/doc/*/copyright")):
        if file.parent.name in sources:
            found.setdefault(sources[file.parent.name], set()).update(licences(file.read_text()))
    return {source: sorted(names) for source, names in found.items()}


def licences(copyright_file: str) -> set[str]:
    """The licences' short names in a machine-readable copyright file (DEP 5); none in one that is prose."""
    if not copyright_file.startswith("Format:"):
        return set()
    fields = (paragraph(text) for text in re.split(r"\n\s*\n", copyright_file))
    names = (one.get("License", "").split("\n")[0] for one in fields if "Files" in one)
    return {name for names in names for name in re.split(r",? (?:and|or) |, ", names) if name}
