#!/usr/bin/env python3
"""Put files into the Nix store, those that are not there yet: what lock.json names, or the files of a project's own lock.

usage: seed.py [--other] [FOLDER [FILE]]
       seed.py --files FILE

FOLDER is where lock.json comes from; its packages.toml, too, is compared with the lock. FILE is a JSON list of what a
project needs: files, each with its name, version, file and sha256, which the second form fetches from the index that the
machine's pip is configured with; and {"set": "compiler"}, by which the first form includes the compiler. With --other it
includes what images for the other architecture have: packages and wheels without those that are only for building.

Exit codes: 0 all there; 3 a mirror no longer has a locked file; 4 there are wheels to fetch, and no pip; 1 anything else,
said in one sentence.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import index
import mirror
import program
from machines import MACHINES, OTHER, OWN, Machine, machine_of, part_of
from storepath import fixed_output_path
from unpack import BOOTSTRAP, extract_busybox

HERE = Path(__file__).resolve().parent
NO_PIP = 4
BATCH = 14  # Debian packages a download, so that progress can be shown


def main(*arguments: str) -> None:
    other = arguments[:1] == ("--other",)
    match arguments[1:] if other else arguments:
        case ["--files", file]:
            seed_project([each for each in json.loads(Path(file).read_text()) if "file" in each])
        case [folder, file]:
            seed_set(folder, {"set": "compiler"} in json.loads(Path(file).read_text()), other)
        case [folder]:
            seed_set(folder, other=other)
        case _:
            seed_set(other=other)


def seed_project(listed: list[dict[str, str]]) -> None:
    """Fetch and add what a project's lock names. Several locks may name several versions of a package."""
    rounds: list[dict[str, dict[str, str]]] = []
    for wheel in listed:
        for one in rounds:
            if one.setdefault(wheel["name"], wheel)["sha256"] == wheel["sha256"]:
                break
        else:
            rounds.append({wheel["name"]: wheel})
    python = read_lock()["python"]
    for one in rounds:
        if missing := missing_wheels(one):
            require_pip()
            wheels = {name: each for name, each in missing.items() if each["file"].endswith(".whl")}
            seed_wheels(wheels, python)
            seed_sources([each for name, each in missing.items() if name not in wheels])


def seed_set(folder: str = "", compiler: bool = False, other: bool = False) -> None:
    """Fetch and add what the set's lock names; what is there to compile with, and what the other architecture's images
    have, only if that is asked for."""
    lock = read_lock()
    own = locked_for(lock, OWN)
    check_roots(own, HERE / "packages.toml", compiler)
    if folder:
        check_roots(own, Path(folder, "packages.toml"), compiler)
    parts = [without(own, [] if compiler else ["compiler"])]
    if other:
        theirs = without(locked_for(lock, OTHER), ["compiler", "tools", "wheel-tools"])
        same = {wheel["file"] for wheel in parts[0]["wheels"].values()}
        theirs["wheels"] = {
            name: wheel for name, wheel in theirs["wheels"].items() if wheel["file"] not in same
        }
        parts.append(theirs)
    debs = {store_name(package["path"]): package for part in parts for package in part["debian"].values()}
    wheels = [part["wheels"] for part in parts]
    paths = {name: fixed_output_path(name, package["sha256"]) for name, package in debs.items()}
    paths |= {
        wheel["file"]: fixed_output_path(wheel["file"], wheel["sha256"])
        for part in wheels
        for wheel in part.values()
    }
    paths[BOOTSTRAP] = fixed_output_path(BOOTSTRAP, own["busybox"], recursive=True)
    missing = missing_from_store(list(paths.values()))
    debs = {name: package for name, package in debs.items() if paths[name] in missing}
    wheels = [
        {name: wheel for name, wheel in part.items() if paths[wheel["file"]] in missing} for part in wheels
    ]
    bootstrap = paths[BOOTSTRAP] in missing
    if any(wheels):
        require_pip()
    # Both at once: they come from different servers.
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor() as pool:
        downloads, tasks = Path(name), []
        if debs or bootstrap:
            busybox = own["debian"]["busybox-static"] if bootstrap else None
            tasks.append(pool.submit(seed_debs, debs, busybox, downloads))
        tasks += [pool.submit(seed_wheels, part, lock["python"]) for part in wheels if part]
        for task in tasks:
            task.result()


def without(part: dict[str, Any], unwanted: list[str]) -> dict[str, Any]:
    """The Debian packages and wheels but for those on these lists, which an older lock may not have."""
    names = {name for key in unwanted if key != "wheel-tools" for name in part.get(key, [])}
    wheels = part.get("wheel-tools", []) if "wheel-tools" in unwanted else []
    return {
        "debian": {name: package for name, package in part["debian"].items() if name not in names},
        "wheels": {name: wheel for name, wheel in part["wheels"].items() if name not in wheels},
    }


def locked_for(lock: dict[str, Any], machine: Machine) -> dict[str, Any]:
    """What the lock has for the machine. Raises MirrorError with what was in the way when it was locked."""
    found = part_of(lock, machine)
    if found is None:
        raise mirror.MirrorError(
            f"The lock was made before there were packages for {machine.name}: `nixw relock` adds them."
        )
    if "refused" in found:
        raise mirror.MirrorError(found["refused"])
    return found


def read_lock() -> dict[str, Any]:
    """The set's lock. Raises MirrorError if it is not whole."""
    file = HERE / "lock.json"
    try:
        lock = json.loads(file.read_text())
    except ValueError as error:
        raise mirror.MirrorError(f"{file} cannot be read: {program.one_line(error)}.") from None
    if not isinstance(lock, dict) or not {"python", "busybox", "debian", "wheels"} <= lock.keys():
        raise mirror.MirrorError(f"{file} is no lock of a package set: `nixw relock` makes one.")
    return lock


def require_pip() -> None:
    if not importlib.util.find_spec("pip"):
        say("Wheels are fetched by pip, which this Python has not got: it is Debian's package python3-pip.")
        raise SystemExit(NO_PIP)


def check_roots(lock: dict[str, Any], file: Path, compiler: bool) -> None:
    """Raise Gone if the lock has not got what packages.toml asks for: then it is of an older edition of that."""
    if not file.exists():
        return
    try:
        asked = tomllib.loads(file.read_text()).get("debian", {})
    except ValueError as error:
        raise mirror.MirrorError(f"{file} cannot be read: {program.one_line(error)}.") from None
    roots = asked.get("roots", []) + asked.get("tools", []) + (asked.get("compiler", []) if compiler else [])
    missing = [name for name in roots if name not in lock["debian"]]
    if missing:
        raise mirror.Gone(f"{file} asks for {', '.join(missing)}, which is not locked: run `nixw relock`.")


def store_name(path: str) -> str:
    """A pool path's file name with the characters that Nix allows in a store path's name."""
    return path.rsplit("/", 1)[1].replace("~", "-").replace("%", "-").replace(":", "-")


def missing_from_store(paths: list[str]) -> set[str]:
    """Those of the store paths that are not valid, asked in one go."""
    return set(nix_store("--check-validity", "--print-invalid", *paths).split())


def nix_store(*arguments: str) -> str:
    result = subprocess.run(["nix-store", *arguments], capture_output=True, text=True, errors="replace")
    if result.returncode != 0:
        raise mirror.MirrorError(f"Nix refused: {program.one_line(result.stderr)}")
    return result.stdout


def seed_debs(debs: dict[str, Any], bootstrap: dict[str, Any] | None, folder: Path) -> None:
    """Fetch and add Debian packages, and `bootstrap`, busybox-static, unpacked."""
    files = {name: (package["path"], package["sha256"]) for name, package in debs.items()}
    if bootstrap:
        files[store_name(bootstrap["path"])] = (bootstrap["path"], bootstrap["sha256"])
    size = sum(package["size"] for package in debs.values())
    names = list(files)
    for start in range(0, len(names), BATCH):
        say(f"Fetching Debian packages: {start} of {len(names)} ({size / 1e6:.0f} MB in all) ...")
        mirror.download_debs({name: files[name] for name in names[start : start + BATCH]}, folder)
    nix_store("--add-fixed", "sha256", *(str(folder / name) for name in names))
    if bootstrap:
        extract_busybox(folder / store_name(bootstrap["path"]), folder / BOOTSTRAP)
        nix_store("--add-fixed", "--recursive", "sha256", str(folder / BOOTSTRAP))


def missing_wheels(wheels: dict[str, Any]) -> dict[str, Any]:
    """Those of the wheels that are not in the store."""
    paths = {name: fixed_output_path(package["file"], package["sha256"]) for name, package in wheels.items()}
    missing = missing_from_store([*paths.values()]) if paths else set()
    return {name: package for name, package in wheels.items() if paths[name] in missing}


def seed_wheels(wheels: dict[str, Any], python: str) -> None:
    """Fetch and add wheels, whichever architecture each is for."""
    for machine in MACHINES:
        of_machine = {name: each for name, each in wheels.items() if machine_of(each["file"]) is machine}
        if of_machine:
            seed_wheels_of(machine, of_machine, python)


def seed_wheels_of(machine: Machine, wheels: dict[str, Any], python: str) -> None:
    say(f"Fetching {len(wheels)} Python wheels{'' if machine is OWN else f' for {machine.name}'} ...")
    wanted = {name: (package["version"], package["sha256"]) for name, package in wheels.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mirror.download_wheels(wanted, python, machine, folder)
        # An index may spell a file's name otherwise than the lock.
        found = {sha256_of(file): file for file in folder.glob("*.whl")}
        if lacking := [name for name, wheel in wheels.items() if wheel["sha256"] not in found]:
            raise mirror.MirrorError(mirror.OTHER_FILE.format(", ".join(lacking)))
        files = [found[wheel["sha256"]].rename(folder / wheel["file"]) for wheel in wheels.values()]
        nix_store("--add-fixed", "sha256", *map(str, files))


def seed_sources(sources: list[dict[str, str]]) -> None:
    """Fetch and add source distributions."""
    if not sources:
        return
    say(f"Fetching {len(sources)} Python source distributions ...")
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            file = Path(folder, source["file"])
            index.download(source["name"], source["file"], file)
            if sha256_of(file) != source["sha256"]:
                raise mirror.MirrorError(mirror.OTHER_FILE.format(f"{source['name']}=={source['version']}"))
        nix_store("--add-fixed", "sha256", *(str(file) for file in Path(folder).iterdir()))


def sha256_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    program.run("seed", main)
