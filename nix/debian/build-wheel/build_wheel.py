"""build_wheel.py NAME SOURCE FOLDER COMMAND: build a wheel into the folder, of a source distribution or folder (PEP 517).

The build systems are on PYTHONPATH, their programs and a compiler, if there is one, on PATH. The command is the shell's, run
beforehand in the unpacked source; if it fails, the exit code is 2.
"""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import refusal


def main(name: str, source: str, folder: str, command: str) -> None:
    # Files in the wheel are dated 1980, the first year that a zip archive knows.
    os.environ |= {"SOURCE_DATE_EPOCH": "315532800", "HOME": os.getcwd()}
    target = os.path.abspath(folder)
    os.chdir(unpacked(Path(source)))
    if subprocess.run(["sh", "-c", command]).returncode:
        sys.exit(2)
    system = build_system(Path("pyproject.toml"))
    sys.path[:0] = [os.path.abspath(path) for path in system.get("backend-path", [])]
    module, _, attribute = system.get("build-backend", "setuptools.build_meta:__legacy__").partition(":")
    try:
        backend = importlib.import_module(module)
    except ImportError as error:
        sys.exit(refusal.of_import(f"{name} is built by {module}, which cannot be imported ({error})"))
    for part in attribute.split(".") if attribute else []:
        backend = getattr(backend, part)
    with recorded() as output:
        try:
            backend.build_wheel(target)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a build system raises
            output.seek(0)
            sys.exit(refusal.of_build(name, error, output.read().decode(errors="replace")))


@contextmanager
def recorded() -> Iterator[BinaryIO]:
    """What is written meanwhile, by compilers too, is in the file; and afterwards on standard output."""
    with tempfile.TemporaryFile() as output:
        before = [os.dup(1), os.dup(2)]
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
        try:
            yield output
        finally:
            sys.stdout.flush()
            for descriptor, old in zip((1, 2), before, strict=True):
                os.dup2(old, descriptor)
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()


def unpacked(source: Path) -> Path:
    """A writable copy of the folder, or of the one that the archive holds."""
    tree = Path("source").absolute()
    if source.is_dir():
        shutil.copytree(source, tree)
        for path in (tree, *tree.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        return tree
    # The store's name of the file, without its hash, says what it is.
    shutil.unpack_archive(source, tree)
    [top] = tree.iterdir()
    return top


def build_system(pyproject: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads(pyproject.read_text()) if pyproject.exists() else {}
    return dict(content.get("build-system", {}))


main(*sys.argv[1:])
