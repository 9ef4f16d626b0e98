"""What an image says of itself: its bill of materials, and the boot's variables and exit codes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from images import Image
from layers import name_of, opened

SBOM = re.compile(r"usr/share/sbom/[^/]+\.cdx\.json")
# What nix/image/distribution.nix writes.
OS_RELEASE = re.compile(r"etc/os-release")
# What nix/image/entrypoint.nix puts there.
VARIABLES = re.compile(r"nix/store/[^/]+-entrypoint/entrypoint/variables\.py")
EXIT_CODES = re.compile(r"nix/store/[^/]+-entrypoint/entrypoint/errors\.py")


@dataclass(frozen=True)
class Facts:
    """`packages`, `variables` and `exit_codes` are None if the image does not say.

    Attributes:
        blobs: bytes of each layer in a registry, and of the configuration, by digest.
        unpacked: bytes of all files in the layers.
        packages: versions by package URL without version, or by name.
        variables: what each accepts and its default, by name.
        exit_codes: names by number.
    """

    version: str
    revision: str
    platform: str
    layers: list[str]
    blobs: dict[str, int]
    unpacked: int
    packages: dict[str, str] | None
    variables: dict[str, str] | None
    exit_codes: dict[str, str] | None


def facts(image: Image, layers: list[Path]) -> Facts:
    """Of an image and its unpacked layers, from the lowest. Raises Stop if one of them is none."""
    found, unpacked = contents(layers, [SBOM, VARIABLES, EXIT_CODES])
    labels = image.labels
    return Facts(
        version=labels.get("org.opencontainers.image.version", ""),
        revision=labels.get("org.opencontainers.image.revision", ""),
        platform=image.platform,
        layers=[str(layer["digest"]) for layer in image.layers],
        blobs={str(each["digest"]): int(each["size"]) for each in [*image.layers, image.manifest["config"]]},
        unpacked=unpacked,
        packages=read(packages, found[SBOM]),
        variables=read(variables, found[VARIABLES]),
        exit_codes=read(exit_codes, found[EXIT_CODES]),
    )


def contents(
    layers: list[Path], wanted: list[re.Pattern[str]]
) -> tuple[dict[re.Pattern[str], bytes | None], int]:
    """The first file of each kind, from the uppermost layer that has one; and the bytes of all files.

    Raises:
        Stop: a layer is none.
    """
    found: dict[re.Pattern[str], bytes | None] = dict.fromkeys(wanted)
    size = 0
    for layer in reversed(layers):
        with opened(layer) as archive:
            for member in archive:
                size += member.size
                for name in wanted:
                    if (
                        found[name] is None
                        and name.fullmatch(name_of(member))
                        and (file := archive.extractfile(member))
                    ):
                        found[name] = file.read()
    return found, size


def distribution(layers: list[Path]) -> str:
    """Whose packages the image is made of, as os-release has it: "debian"; "linux" for nobody's; "" if it does not say."""
    found, _ = contents(layers, [OS_RELEASE])
    said = re.search(rb"^ID=\"?([a-z0-9._-]+)\"?$", found[OS_RELEASE] or b"", re.MULTILINE)
    return said[1].decode() if said else ""


def read(reader: Callable[[bytes], dict[str, str]], content: bytes | None) -> dict[str, str] | None:
    """What a file says, or None: an image may come from anybody, and another release may write it otherwise."""
    try:
        return reader(content) if content is not None else None
    except (ValueError, TypeError, KeyError, AttributeError, SyntaxError, RecursionError, MemoryError):
        return None


def packages(sbom: bytes) -> dict[str, str]:
    """The components that have a version. Of several versions of one, all."""
    versions: dict[str, set[str]] = {}
    for component in json.loads(sbom)["components"]:
        if component.get("version"):
            key = re.split("[@?]", component["purl"])[0] if "purl" in component else component["name"]
            versions.setdefault(key, set()).add(component["version"])
    return {key: ", ".join(sorted(found)) for key, found in versions.items()}


def variables(source: bytes) -> dict[str, str]:
    """The calls Variable(NAME, KIND, DEFAULT, ...) of entrypoint/variables.py, read without running it."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Variable":
            name, kind, default, *_ = node.args
            limits = {each.arg: ast.literal_eval(each.value) for each in node.keywords}
            accepts = ast.unparse(kind).rpartition(".")[2].lower()
            if "high" in limits:
                accepts = f"{limits.get('low', 0)} to {limits['high']}"
            if "choices" in limits:
                accepts = " or ".join(limits["choices"])
            found[str(ast.literal_eval(name))] = f"{accepts}, default {ast.literal_eval(default) or 'none'}"
    return found


def exit_codes(source: bytes) -> dict[str, str]:
    """The class ExitCode of entrypoint/errors.py, read without running it."""
    (found,) = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and node.name == "ExitCode"
    ]
    return {
        str(ast.literal_eval(line.value)): ast.unparse(line.targets[0])
        for line in found.body
        if isinstance(line, ast.Assign)
    }
