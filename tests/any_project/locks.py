"""What nix/python/lock makes of a project's lock. Needs `nix-instantiate`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCKS = Path(__file__).parent / "locks"
PYTHON = "3.13.5"
# The C library of the Debian set. Wheels for a later one do not run.
GLIBC = "2.41"


def nix(value: object) -> str:
    """A value as a Nix expression."""
    return f"builtins.fromJSON {json.dumps(json.dumps(value)).replace('$', chr(92) + '$')}"


def expression(folder: Path, *, machine: str = "x86_64", python: str = PYTHON, **arguments: object) -> str:
    """The Nix expression of what the reader says about the lock of a project."""
    return f"""
      import {ROOT}/nix/python/lock {{
        lib = import {ROOT}/nix/debian/lib.nix;
        pythonFullVersion = "{python}";
        machine = "{machine}";
        glibc = "{GLIBC}";
      }} ({{ src = {folder}; pyproject = {folder}/pyproject.toml; }} // {nix(arguments)})
    """


def evaluate(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr", program],
        capture_output=True,
        text=True,
    )


def packages(folder: Path, **arguments: Any) -> list[dict[str, Any]]:
    """The packages that the reader finds."""
    result = evaluate(f"({expression(folder, **arguments)}).packages")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def sentence(folder: Path, **arguments: Any) -> str:
    """The sentence that the reader refuses a lock with: Nix says nothing else."""
    result = evaluate(f"({expression(folder, **arguments)}).packages")
    assert result.returncode == 1, result.stdout
    lines = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    lines = [line for line in lines if line and not line.startswith("(use '--show-trace'")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


def brief(package: dict[str, Any]) -> str:
    """A package in one line: name, version, what it is made of, what it requires."""
    made_of = package["wheel"] or package["sdist"] or package["source"]
    said = made_of.get("file") or " ".join(made_of.values())
    return f"{package['name']} {package['version']}: {said} ({' '.join(package['requires'])})"
