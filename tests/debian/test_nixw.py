"""`nixw` on a machine whose programs stand in a folder of the test: what it writes, and where."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = "basename cat cp dirname find grep head ls mkdir mktemp mv readlink rm sed sleep sort touch tr uname"
# Not sh: busybox runs its own programs rather than those on PATH.
SHELL = shutil.which("bash") or "bash"
PROGRAMS = {
    "id": "echo 0",  # root
    # busybox, of which a sandbox's programs are, has no cksum.
    "cksum": f'exec {shutil.which("sha256sum")} "$@"',
    "apt-get": 'echo "E: the disk is full"; exit 100',
    "getent": "exit 2",  # no such group
    "git": "",
    "python3": "",
    # Prints the folder that the package set is taken from.
    "nix": 'case $1 in --version) echo 2.8.0 ;; *) for word; do case $word in path:*/set-*) echo "$word" ;; esac; done ;; esac',
}


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start nixw in a project with a lock of its own; `programs` replace PROGRAMS (None: not on this machine)."""
    project, temporary = tmp_path / "project", tmp_path / "tmp"
    (project / "debian").mkdir(parents=True)
    (project / "flake.nix").write_text("{}")
    (project / "debian/lock.json").write_text("{}")
    temporary.mkdir()

    def run(
        programs: dict[str, str | None],
        *arguments: str,
        packages: str = "debian",
        cwd: Path = project,
        **env: str,
    ) -> subprocess.Popen[str]:
        machine = tmp_path / "bin"
        if not machine.exists():
            machine.mkdir()
            for name in TOOLS.split():
                (machine / name).symlink_to(shutil.which(name) or f"/bin/{name}")
            for name, body in (PROGRAMS | programs).items():
                if body is not None:
                    (machine / name).unlink(missing_ok=True)
                    (machine / name).write_text(f"#!{SHELL}\n{body}\n")
                    (machine / name).chmod(0o755)
        return subprocess.Popen(
            [SHELL, ROOT / "nixw", *(arguments or ["build"])],
            cwd=cwd,
            env={
                "HOME": str(tmp_path / "home"),
                "TMPDIR": str(temporary),
                "PATH": str(machine),
                "NIXW_PACKAGES": packages,
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def test_root_writes_no_file_whose_name_others_can_guess(start, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("kept")
    (tmp_path / "tmp/nixw-0.log").symlink_to(theirs)
    process = start({"nix": None})
    _, said = process.communicate(timeout=60)
    assert process.returncode == 100
    assert "apt-get could not install nix-bin: E: the disk is full" in said
    assert theirs.read_text() == "kept"
    assert os.listdir(tmp_path / "tmp") == ["nixw-0.log"]


@pytest.mark.parametrize("name", ["my project", "projét", "50%", "a#b", "a[b"])
def test_a_path_that_nix_does_not_take(start, tmp_path, name):
    """Of the project, and of the cache."""
    folder = shutil.copytree(tmp_path / "project", tmp_path / name)
    programs = {"apt-get": ""}
    for process in (start(programs, cwd=folder), start(programs, XDG_CACHE_HOME=str(folder))):
        said = process.communicate(timeout=60)[1].splitlines()
        assert process.returncode == 102
        assert said[-1].startswith("nixw: Nix takes no path with a space")
        assert f'"{folder}' in said[-1]


def test_a_path_that_nix_takes(start, tmp_path):
    folder = shutil.copytree(tmp_path / "project", tmp_path / "a-b._~!$&'()*+,;=:@")
    process = start({"apt-get": ""}, cwd=folder)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said


def test_two_that_copy_the_set_at_once(start, tmp_path):
    """Each waits, after its copy, until the other has made one too."""
    copies = tmp_path / "copies"
    copies.mkdir()
    copy = shutil.which("cp")
    together = f"""{copy} "$@"
    case "$*" in *lock.json*) ;; *) exit ;; esac
    touch {copies}/$$
    for second in 1 2 3 4 5 6 7 8 9 10; do [ "$(ls {copies} | grep -c .)" = 1 ] || break; sleep 1; done"""
    programs = {"cp": together, "apt-get": ""}
    both = [start(programs), start(programs)]
    printed = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert len(os.listdir(copies)) == 2
    cache = tmp_path / "home/.cache/nixw"
    (folder,) = cache.glob("set-*")
    assert len(folder.name) > len("set-")
    assert not list(cache.glob("copy.*"))
    assert [out for out, _ in printed] == [f"path:{folder}\n"] * 2
    expected = {path.name for path in (ROOT / "nix/debian").iterdir()}
    assert {path.name for path in folder.iterdir()} ^ expected <= {"__pycache__"}


@pytest.mark.parametrize(
    ("nix", "packages", "online", "chosen"),
    [
        ("2.8.0", "", True, "debian (Nix 2.8.0 is too old for nixpkgs, which needs 2.18)"),
        ("2.18.1", "", True, "nixpkgs (GitHub answers and Nix is 2.18.1)"),
        ("2.31.2", "", False, "debian (GitHub does not answer)"),
        ("2.8.0", "nixpkgs", False, "nixpkgs (NIXW_PACKAGES says so)"),
    ],
)
def test_version_is_a_line_for_each_fact(start, nix, packages, online, chosen):
    programs = {
        "nix": f"echo nix \\(Nix\\) {nix}",
        "git": "echo 0123456-dirty",
        "curl": "exit 0" if online else "exit 6",
    }
    process = start(programs, "--version", packages=packages)
    printed, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    version = tomllib.loads((ROOT / "backend/pyproject.toml").read_text())["project"]["version"]
    revision = "0123456-dirty" if (ROOT / ".git").exists() else "no git checkout"
    facts = dict(line.split(": ", 1) for line in printed.splitlines())
    assert facts.pop("system").startswith(f"{os.uname().machine}-linux, ")
    assert facts == {"nixw": f"{version} (revision: {revision})", "nix": nix, "package set": chosen}


def test_version_installs_nothing(start, tmp_path):
    process = start({"nix": None, "apt-get": f"touch {tmp_path}/installed"}, "--version")
    printed, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert "nix: none\n" in printed
    assert not (tmp_path / "installed").exists()


@pytest.mark.parametrize("packages", ["nixpkgs", "debian"])
def test_root_builds_where_there_are_no_build_users(start, packages):
    """Debian's nix-bin makes none; without this setting, Nix refuses every build of root's."""
    programs = {
        "apt-get": "",
        "nix": 'case $1 in --version) echo 2.26.3 ;; *) echo "$NIX_CONFIG" ;; esac',
    }
    process = start(programs, packages=packages)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "build-users-group =" in printed.splitlines()


OTHER = "arm64" if os.uname().machine == "x86_64" else "amd64"


@pytest.mark.parametrize(
    ("arguments", "env", "asked"),
    [
        (["build", f".#image-{OTHER}"], {}, True),
        (["build", "--no-link", f"path:/x#packages.{OTHER}-linux.image"], {}, True),
        (["run", ".#push", "--", "docker://example.org/a"], {}, True),
        (["build", ".#image"], {"NIXW_ARCHITECTURES": "all"}, True),
        (["build", ".#image"], {}, False),
        (["run", ".#image.push", "--", f"docker://example.org/a:x#{OTHER}"], {}, False),
        (["build", f"path:/{OTHER}#image"], {}, False),
        (["flake", "check"], {}, False),
    ],
)
def test_the_other_architecture_is_fetched_only_if_it_is_asked_for(start, tmp_path, arguments, env, asked):
    calls = tmp_path / "calls"
    process = start({"python3": f'echo "$*" >> {calls}', "apt-get": ""}, *arguments, **env)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    (seeding,) = [line.split() for line in calls.read_text().splitlines() if "/seed.py" in line]
    assert ("--other" in seeding) is asked


@pytest.mark.parametrize("folder", ["venv/bin", "pyenv/shims"])
def test_the_systems_python_where_another_comes_first(start, tmp_path, folder):
    """That of `uv venv` has no pip, and what apt installs is not for it."""
    calls, machine = tmp_path / "calls", tmp_path / "bin"
    theirs = tmp_path / folder / "python3"
    theirs.parent.mkdir(parents=True)
    theirs.write_text(f"#!{SHELL}\nexit 4\n")  # no pip
    theirs.chmod(0o755)
    process = start(
        {"python3": f'echo "$*" >> {calls}', "apt-get": ""},
        "build",
        PATH=f"{theirs.parent}:{machine}",
        VIRTUAL_ENV=str(tmp_path / "venv"),
    )
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "/seed.py" in calls.read_text()


def test_architectures_that_are_none(start):
    process = start({"apt-get": ""}, "build", ".#image", NIXW_ARCHITECTURES="riscv")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 102
    assert said.splitlines()[-1] == 'nixw: NIXW_ARCHITECTURES is "riscv"; set it to all, or leave it out.'
