"""environment.py LOAD PYTHON OUT SITE_PACKAGES LIBRARIES PACKAGE... -- ADDED... -- DATA...

A virtual environment of links to the Python packages' files, to programs and libraries of added Debian packages, and to
data in `share`. Its Python finds these libraries; LOAD, load.py, tries those Python packages that need one.
"""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

# In every Debian package, and no program's data.
RECORDS = ("doc", "dpkg")


def main(load: str, python: str, out: str, site_packages: str, libraries: str, *rest: str) -> None:
    environment, home = Path(out), Path(python)
    added_at = rest.index("--")
    data_at = rest.index("--", added_at + 1)
    packages, added, data = rest[:added_at], rest[added_at + 1 : data_at], rest[data_at + 1 :]
    make_python(environment, home, copied=bool(added))
    for package in packages:
        for part in (site_packages, "bin"):
            link(Path(package, part), environment / part)
    for package in added:
        link(Path(package, "bin"), environment / "bin")
        link_libraries(Path(package, libraries), environment / libraries)
    for package in data:
        for folder in sorted(Path(package, "share").glob("*/")):
            if folder.name not in RECORDS:
                link(folder, environment / "share" / folder.name)
    for metadata in sorted((environment / site_packages).glob("*.dist-info/entry_points.txt")):
        write_programs(metadata, environment / "bin")
    for package in packages:
        if needs := missing(Path(package)):
            check_libraries(needs, environment / libraries)
            program = [str(environment / "bin/python3"), load, needs[0][0], f"{package}/{site_packages}"]
            if subprocess.run(program).returncode:
                sys.exit(1)


def make_python(environment: Path, home: Path, copied: bool) -> None:
    """The environment's Python: a link, or a copy, which loads libraries from the environment it lies in."""
    program = next(home.glob("bin/python3.*"))
    (environment / "bin").mkdir(parents=True)
    if copied:
        shutil.copy2(program, environment / "bin" / program.name)
    else:
        (environment / "bin" / program.name).symlink_to(program)
    for name in ("python", "python3"):
        (environment / "bin" / name).symlink_to(program.name)
    (environment / "pyvenv.cfg").write_text(f"home = {home}/bin\ninclude-system-site-packages = false\n")


def link_libraries(source: Path, target: Path) -> None:
    """Link the libraries in `source` into `target`."""
    for library in sorted(source.glob("*.so*")):
        target.mkdir(parents=True, exist_ok=True)
        if not (target / library.name).exists():
            (target / library.name).symlink_to(library)


def missing(package: Path) -> list[list[str]]:
    """Name of the package, library and who needs it, of each library that it needs beyond those of every package."""
    listing = package / "nix-support/missing-libraries"
    return [line.split(" ", 2) for line in listing.read_text().splitlines()] if listing.exists() else []


def check_libraries(needs: list[list[str]], libraries: Path) -> None:
    """End with a sentence if the environment has not got one of the libraries."""
    for name, library, file in needs:
        if not (libraries / library).exists():
            sys.exit(
                f"{name} needs {library} ({file}), which no added Debian package has: add the one that has it with"
                f" `nixw add --debian PACKAGE` (`apt-file search {library}` tells which)."
            )


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
