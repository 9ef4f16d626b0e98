"""The same source makes the same image, bit for bit, whoever builds it, where and when."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from tests.container import images as building


def digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_two_builds_have_one_digest(second_build, tmp_path_factory):
    """From another path, as another user, at another time, with nothing built before but what was downloaded.

    The first build is this machine's usual one: what it takes from its store was built whenever that was.
    """
    tree = building.copy_tree(tmp_path_factory.mktemp("first") / "checkout")
    for path in tree.rglob("*"):
        os.utime(path, (981173106, 981173106))
    first = building.build("image", tree)
    second = second_build.archive()
    assert second.name == first.name  # the same inputs, by Nix's reckoning
    assert digest(second) == digest(first)
    assert building.described(second) == building.described(first)


def test_building_again_changes_nothing(images):
    """As the README says: `./nixw build .#image --rebuild`, which compares."""
    done = building.nixw("build", ".#image", "--rebuild", "--no-link")
    assert done.returncode == 0, done.stderr


def test_no_trace_of_who_built_it(images, lab):
    """No time but the first second of 1970, no name and no folder of the machine."""
    container = lab.create("true")
    exported = subprocess.Popen(["docker", "export", container.id], stdout=subprocess.PIPE)
    listed = subprocess.run(
        ["tar", "--list", "--verbose", "--numeric-owner", "--utc", "--full-time"],
        stdin=exported.stdout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert exported.wait() == 0
    made_by_the_engine = (".dockerenv", "dev/", "etc/", "proc/", "sys/")
    dates = {
        line.split()[3]
        for line in listed
        if len(line.split()) > 5 and not line.split()[5].startswith(made_by_the_engine)
    }
    assert dates == {"1970-01-01"}
    owners = {line.split()[1] for line in listed}
    assert owners == {"0/0", "1000/1000"}
