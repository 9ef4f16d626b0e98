"""environment.py PYTHON OUT SITE_PACKAGES PACKAGE... -- PROGRAMS... -- DATA...

A virtual environment of links to the Python packages' files, to programs and to data in `share`.
"""

import configparser
import sys
from pathlib import Path

# In every Debian package, and no program's data.
RECORDS = ("doc", "dpkg")


def main(python: str, out: str, site_packages: str, *rest: str) -> None:
    environment, home = Path(out), Path(python)
    (environment / "bin").mkdir(parents=True)
    for name in ("python", "python3", next(home.glob("bin/python3.*")).name):
        (environment / "bin" / name).symlink_to(home / "bin" / name)
    (environment / "pyvenv.cfg").write_text(f"home = {home}/bin\ninclude-system-site-packages = false\n")
    programs_at = rest.index("--")
    data_at = rest.index("--", programs_at + 1)
    packages, programs, data = rest[:programs_at], rest[programs_at + 1 : data_at], rest[data_at + 1 :]
    for package in packages:
        for part in (site_packages, "bin"):
            link(Path(package, part), environment / part)
    for package in programs:
        link(Path(package, "bin"), environment / "bin")
    for package in data:
        for folder in sorted(Path(package, "share").glob("*/")):
            if folder.name not in RECORDS:
                link(folder, environment / "share" / folder.name)
    for metadata in sorted((environment / site_packages).glob("*.dist-info/entry_points.txt")):
        write_programs(metadata, environment / "bin")


def link(source: Path, target: Path) -> None:
    """Link what is in `source` into `target`; where two packages share a folder, it becomes a real one."""
    if not source.is_dir():
        return
    if target.is_symlink():
        shared = target.resolve()
        target.unlink()
        link(shared, target)
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if not place.exists():
            place.symlink_to(entry)
        elif entry.is_dir():
            link(entry, place)


def write_programs(metadata: Path, folder: Path) -> None:
    """Programs for the entry points, as the packaging guide's entry point specification describes them."""
    points = configparser.ConfigParser(delimiters=["="], interpolation=None)
    points.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their case
    points.read_string(metadata.read_text())
    for name, value in points["console_scripts"].items() if points.has_section("console_scripts") else []:
        module, _, function = value.split("[")[0].strip().partition(":")
        program = folder / name
        program.write_text(
            f"#!{folder}/python3\nimport sys\nfrom {module} import {function.split('.')[0]}\nsys.exit({function}())\n"
        )
        program.chmod(0o755)


main(*sys.argv[1:])
