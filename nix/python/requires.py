"""requires.py NAME PACKAGING: end with a sentence if what the package in this folder asks to be built with is not there.

That is what `build-system.requires` says (PEP 518), and its build system, asked by its own hook (PEP 517). What is there is
what this Python finds; PACKAGING is where it finds the library packaging besides.
"""

import contextlib
import importlib
import os
import re
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

# Build systems that compile what there is no compiler for.
LANGUAGES = {"maturin": "Rust", "setuptools-golang": "Go", "setuptools-rust": "Rust"}
LEGACY = {"requires": ["setuptools", "wheel"], "build-backend": "setuptools.build_meta:__legacy__"}


def main(name: str, packaging: str) -> None:
    del sys.path[0]  # this file's folder, the store
    there = {normalized(each.name): each.version for each in distributions() if each.name}
    system = build_system(name)
    for line in system["requires"]:
        project = name_of(line)
        if project in LANGUAGES:
            sys.exit(
                f"{name} is built by {project}, which compiles {LANGUAGES[project]}: only C and C++ are compiled here. Ask for"
                " a version that has a wheel for this Python, or make one into debian/wheels with `pip wheel`."
            )
    if missing := first_unmet(system["requires"], there, packaging):
        sys.exit(
            f"{name} asks to be built with {said(missing, there)}: `nixw lock` locks what it asks for, for it alone."
        )
    if missing := first_unmet(asked_by_hook(system), there, packaging):
        sys.exit(
            f"{name} asks, when it is built, for {said(missing, there)}: write `{name} = ['{missing}']` into"
            " [tool.uv.extra-build-dependencies] of pyproject.toml, and run `nixw lock`."
        )


def build_system(name: str) -> dict[str, Any]:
    """What pyproject.toml says of it."""
    file = Path("pyproject.toml")
    try:
        system = LEGACY | (tomllib.loads(file.read_text()).get("build-system", {}) if file.exists() else {})
        right = all(isinstance(line, str) for line in [*system["requires"], system["build-backend"]])
        error = "no texts"
    except (OSError, TypeError, ValueError) as raised:
        right, error = False, " ".join(str(raised).split())
    if not right:
        sys.exit(
            f"{name} does not say as it should what it is built with ({error}): ask for another version."
        )
    return system


def asked_by_hook(system: dict[str, Any]) -> list[str]:
    """What the build system asks for besides. If it fails at that, it will say why when it builds."""
    paths = [os.path.abspath(path) for path in system.get("backend-path", [])]
    module, _, attribute = system["build-backend"].partition(":")
    sys.path[:0] = paths
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            backend = importlib.import_module(module)
            for part in attribute.split(".") if attribute else []:
                backend = getattr(backend, part)
            return [str(line) for line in getattr(backend, "get_requires_for_build_wheel", list)()]
    except (Exception, SystemExit):  # noqa: BLE001 - whatever a build system raises
        return []


def first_unmet(lines: list[str], there: dict[str, str], packaging: str) -> str:
    """The first requirement that is not met; nothing, if all are."""
    sys.path.append(packaging)
    from packaging.requirements import InvalidRequirement, Requirement

    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        version = there.get(normalized(requirement.name))
        if requirement.marker and not requirement.marker.evaluate():
            continue
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            return line
    return ""


def said(line: str, there: dict[str, str]) -> str:
    """A requirement that is not met, and what there is instead."""
    name = name_of(line)
    return f"{line}, and there is " + (f"{name} {there[name]}" if name in there else "none")


def name_of(line: str) -> str:
    return normalized(re.split(r"[^\w.-]", line.strip())[0])


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


main(*sys.argv[1:])
