"""install_wheel.py WHEEL OUT SITE_PACKAGES: unpack a wheel as the binary distribution format (PEP 427) says.

Entry points become programs in the environment that takes the package in, for only that knows its Python.
"""

import shutil
import sys
import zipfile
from pathlib import Path

# Read by nobody at run time: translations are compiled to .mo files.
SUPERFLUOUS = ["*.po", "*.pot", "*.pyc"]


def main(wheel: str, out: str, site_packages: str) -> None:
    prefix, site = Path(out), Path(out, site_packages)
    site.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        for entry in archive.infolist():
            if entry.external_attr >> 16 & 0o111 and not entry.is_dir():
                (site / entry.filename).chmod(0o755)
    for data in site.glob("*.data"):
        # Each folder's name is one of the installation scheme's.
        targets = {"purelib": site, "platlib": site, "scripts": prefix / "bin", "data": prefix}
        for part in data.iterdir():
            if part.name in targets:
                shutil.copytree(part, targets[part.name], dirs_exist_ok=True)
        shutil.rmtree(data)
    for program in prefix.glob("bin/*"):
        program.chmod(0o755)
    for pattern in SUPERFLUOUS:
        for file in site.rglob(pattern):
            file.unlink()


main(*sys.argv[1:])
