"""The commit in an image's label, when `nixw` replaces inputs of the flake."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.any_project.test_sentences import ENVIRONMENT, NIXW

REPOSITORY = NIXW.parent


@pytest.fixture
def checkout(tmp_path: Path):
    """Make a Git repository with one commit, of the files that this repository has in the folder; return its folder."""

    def make(folder: Path) -> Path:
        tree = tmp_path / "tree"
        listed = git(folder, "ls-files", "-z", ".").split("\0")
        for name in filter(None, listed):
            if (folder / name).exists():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_bytes((folder / name).read_bytes())
                (tree / name).chmod((folder / name).stat().st_mode)
        git(tree, "init", "--quiet")
        git(tree, "add", ".")
        git(
            tree,
            "-c",
            "user.name=A Test",
            "-c",
            "user.email=test@example.org",
            "commit",
            "--quiet",
            "-m",
            "All",
        )
        return tree

    return make


@pytest.mark.parametrize(
    ("folder", "nixw", "packages"),
    [
        (".", "./nixw", "debian"),
        ("templates/default", str(NIXW), "debian"),
        # Only the package set of the project is asked for the label, so it need not be nixpkgs.
        ("templates/default", str(NIXW), "nixpkgs"),
    ],
)
def test_image_names_the_commit(checkout, folder, nixw, packages):
    tree = checkout(REPOSITORY / folder)
    head = git(tree, "rev-parse", "HEAD").strip()
    assert revision(tree, nixw, packages) == head
    (tree / "untracked").write_text("not Git's")
    assert revision(tree, nixw, packages) == head
    (tree / "flake.nix").write_text((tree / "flake.nix").read_text() + "\n")
    assert revision(tree, nixw, packages) == f"{head}-dirty"


def test_another_flake_than_the_project_has_not_its_commit(checkout, tmp_path):
    tree = checkout(REPOSITORY)
    other = tmp_path / "other"
    other.mkdir()
    for name in git(tree, "ls-files", "-z").split("\0"):
        if name:
            (other / name).parent.mkdir(parents=True, exist_ok=True)
            (other / name).write_bytes((tree / name).read_bytes())
    head = git(tree, "rev-parse", "HEAD").strip()
    assert revision(tree, "./nixw", "debian", f"path:{other}") != head
    assert revision(tree, "./nixw", "debian", f"path:{tree}") == head


def revision(tree: Path, nixw: str, packages: str, flake: str = ".") -> str:
    label = f'{flake}#image.config.Labels."org.opencontainers.image.revision"'
    command = [nixw, "eval", "--raw", label]
    if packages == "nixpkgs":
        command += ["--override-input", "django-image/nixpkgs", f"path:{REPOSITORY}/nix/debian"]
    environment = ENVIRONMENT | {"NIXW_PACKAGES": packages}
    result = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def git(folder: Path, *arguments: str) -> str:
    # Root may test a checkout of somebody else's.
    command = ["git", "-c", "safe.directory=*", "-C", folder, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
