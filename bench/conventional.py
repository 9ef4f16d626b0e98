"""A conventional image with the same content, made here and now, as a Dockerfile on Debian makes it."""

from __future__ import annotations

import compileall
import hashlib
import importlib.metadata
import json
import os
import shutil
import tarfile
from pathlib import Path

from bench.lab import DOCUMENTS, BenchError, run

RELEASE = "trixie"
# What a Dockerfile on Debian would install with apt; the other packages come as wheels.
DEBIAN = ("python3", "python3-psycopg2", "postgresql-client")
FROM_DEBIAN = ("psycopg2",)
PACKAGES = (
    "/usr/local/lib/python3.13/dist-packages"  # where the release's Python looks for what is not Debian's
)

# The packages are a layer, as after `RUN apt-get install`, and so are the wheels, as after `RUN pip install`.
BASE = """
FROM scratch
ADD base.tar /
ADD packages.tar /
COPY wheels {packages}
ENV PATH=/usr/local/bin:/usr/bin:/bin {variables}
"""
APPLICATION = """
FROM {base}
COPY --chown=1000:1000 app /app
WORKDIR /app
USER 1000:1000
CMD {command}
"""


def make_root(folder: Path, packages: tuple[str, ...] = DEBIAN) -> Path:
    """An archive of a minimal Debian with these packages. Raises BenchError if the machine cannot make one."""
    if not shutil.which("mmdebstrap"):
        raise BenchError("no mmdebstrap on PATH (apt-get install mmdebstrap)")
    if os.geteuid() != 0:
        raise BenchError("only root can make a root file system")
    archive = folder / ("root.tar" if packages else "base.tar")
    more = [f"--include={','.join(packages)}"] if packages else []
    run(["mmdebstrap", "--quiet", "--variant=minbase", *more, RELEASE, str(archive)])
    return archive


def make_wheels(folder: Path) -> Path:
    """A folder with the environment's other packages, in its versions."""
    found = {each.name: each.version for each in importlib.metadata.distributions()}
    names = [f"{name}=={version}" for name, version in sorted(found.items()) if name not in FROM_DEBIAN]
    target = folder / "wheels"
    run(
        [
            "python3",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
            "--root-user-action=ignore",
        ]
        + ["--target", str(target), *names]
    )
    compileall.compile_dir(target, quiet=2, stripdir=str(target), prependdir=PACKAGES)
    return target


def base_context(folder: Path, environment: dict[str, str]) -> Path:
    """A folder that `docker build` makes all of the image of but the application, with the image's own variables."""
    root, base = make_root(folder), make_root(folder, ())
    add_what_differs(base, root, folder / "packages.tar")
    root.unlink()
    make_wheels(folder)
    variables = (f"{name}={value}" for name, value in environment.items() if "/nix/" not in value)
    (folder / "Dockerfile").write_text(BASE.format(packages=PACKAGES, variables=" ".join(variables)))
    return folder


def application_context(folder: Path, project: Path, base: str) -> Path:
    """A folder that `docker build` makes the image of: the project on top of the image `base`, and the documents' start."""
    folder.mkdir(exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*", "tests")
    shutil.copytree(project, folder / "app", ignore=ignored, dirs_exist_ok=True)
    for name in ("staticfiles", "media", "logs"):
        (folder / "app" / name).mkdir(exist_ok=True)
    start = DOCUMENTS.replace("python manage.py", "python3 manage.py")
    start = start.replace("exec gunicorn", "exec python3 -m gunicorn")
    command = json.dumps(["sh", "-c", start])
    (folder / "Dockerfile").write_text(APPLICATION.format(base=base, command=command))
    return folder


def add_what_differs(base: Path, root: Path, layer: Path) -> None:
    """Write what `root` has and `base` has not, or otherwise, as an archive."""
    with tarfile.open(base) as archive:
        there = {member.name: state(archive, member) for member in archive}
    with tarfile.open(root) as archive, tarfile.open(layer, "w") as difference:
        for member in archive:
            if there.get(member.name) != state(archive, member):
                difference.addfile(member, archive.extractfile(member) if member.isfile() else None)


def state(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[object, ...]:
    """Everything of a member but its time."""
    file = archive.extractfile(member) if member.isfile() else None
    content = hashlib.sha256(file.read()).digest() if file else b""
    return (member.type, member.mode, member.uid, member.gid, member.linkname, content)
