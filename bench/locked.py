"""A Django project with a uv.lock as large as one likes: as uv writes it, of packages that nobody else has."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

# As `nixw init` writes it; the environment is what is measured.
FLAKE = """{
  inputs.django-image.url = "git+https://example.org/django-image";
  inputs.nixpkgs.follows = "django-image/nixpkgs";
  outputs = { nixpkgs, django-image, ... }: {
    packages.SYSTEM.image = django-image.lib.mkDjangoImage {
      pkgs = nixpkgs.legacyPackages.SYSTEM;
      src = ./.;
      settingsModule = "shop.settings";
    };
  };
}
"""
# Of five packages, one has compiled code, with wheels for these.
PYTHONS = ("cp311-cp311", "cp312-cp312", "cp313-cp313", "cp313-cp313t", "cp314-cp314")
PLATFORMS = (
    "macosx_11_0_arm64",
    "manylinux_2_17_aarch64.manylinux2014_aarch64",
    "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "musllinux_1_2_x86_64",
    "win_amd64",
)


class Project:
    """The project in `folder`, whose lock has `count` packages. With files, all are pure wheels that lie in it."""

    def __init__(self, folder: Path, count: int, *, with_files: bool = False) -> None:
        self.folder, self.count, self.with_files = folder, count, with_files
        self.releases = [0] * count
        self.made = time.time_ns()

    def renew(self, number: int) -> None:
        """Give one package a new version."""
        self.releases[number] += 1

    def write(self) -> None:
        """Write all files anew."""
        # A fifth is asked for by the project itself, the others by those.
        roots = range(-(-self.count // 5))
        asked = "".join(f'    "{name(number)}>=1",\n' for number in roots)
        files = {
            "flake.nix": FLAKE.replace("SYSTEM", f"{os.uname().machine}-linux"),
            "manage.py": "",
            "shop/__init__.py": "",
            "shop/settings.py": f"MADE = {time.time_ns()}\n",
            "shop/wsgi.py": "",
            "pyproject.toml": f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.12"\ndependencies = [\n{asked}]\n',
            "uv.lock": "\n".join(
                [
                    'version = 1\nrevision = 3\nrequires-python = ">=3.12"\n',
                    *(self.package(number) for number in range(self.count)),
                    own_entry([name(number) for number in roots]),
                ]
            ),
        }
        for file, text in files.items():
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_text(text)

    def package(self, number: int) -> str:
        """The lock's entry."""
        lines = [
            "[[package]]",
            f'name = "{name(number)}"',
            f'version = "{self.version(number)}"',
            f'source = {{ registry = "{"wheels" if self.with_files else "https://example.org/simple"}" }}',
        ]
        if needed := sorted(
            {each for each in (2 * number + 1, 2 * number + 2, number + 7) if each < self.count}
        ):
            lines.append("dependencies = [")
            for place, each in enumerate(needed):
                condition = ", marker = \"python_full_version < '3.15' and sys_platform != 'win32'\"" * (
                    not place
                )
                lines.append(f'    {{ name = "{name(each)}"{condition} }},')
            lines.append("]")
        if not self.with_files:
            lines.append(f"sdist = {remote(f'{self.stem(number)}.tar.gz')}")
        wheels = [self.local_wheel(number)] if self.with_files else map(remote, self.wheels(number))
        return "\n".join([*lines, "wheels = [", *(f"    {wheel}," for wheel in wheels), "]", ""])

    def version(self, number: int) -> str:
        return f"{number % 7 + 1}.{number % 10}.{self.releases[number]}"

    def stem(self, number: int) -> str:
        return f"{name(number).replace('-', '_')}-{self.version(number)}"

    def wheels(self, number: int) -> Iterator[str]:
        if number % 5:
            yield f"{self.stem(number)}-py3-none-any.whl"
            return
        for python in PYTHONS:
            yield from (f"{self.stem(number)}-{python}-{platform}.whl" for platform in PLATFORMS)

    def local_wheel(self, number: int) -> str:
        """Make the wheel, and say where it is."""
        stem = self.stem(number)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for file, text in {
                f"{name(number).replace('-', '_')}/__init__.py": f"MADE = {self.made}\n",
                f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name(number)}\nVersion: {self.version(number)}\n",
                f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                f"{stem}.dist-info/RECORD": "",
            }.items():
                archive.writestr(zipfile.ZipInfo(file), text)
        path = self.folder / "wheels" / f"{stem}-py3-none-any.whl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.getvalue())
        return f'{{ path = "{path.name}", hash = "sha256:{hashlib.sha256(content.getvalue()).hexdigest()}" }}'


def name(number: int) -> str:
    return f"package-{number}"


def remote(file: str) -> str:
    """A file that is nowhere, as a lock names it: evaluation fetches none."""
    sha256 = hashlib.sha256(file.encode()).hexdigest()
    return (
        f'{{ url = "https://example.org/files/{file}", hash = "sha256:{sha256}", size = 12345,'
        ' upload-time = "2026-01-02T03:04:05.678Z" }'
    )


def own_entry(roots: list[str]) -> str:
    """The entry of the project itself, with uv's copy of what it asks for."""
    return "\n".join(
        [
            '[[package]]\nname = "shop"\nversion = "1"\nsource = { virtual = "." }',
            "dependencies = [",
            *(f'    {{ name = "{root}" }},' for root in roots),
            "]\n\n[package.metadata]\nrequires-dist = [",
            *(f'    {{ name = "{root}", specifier = ">=1" }},' for root in roots),
            "]\n",
        ]
    )
