"""A revision built anew, from a clone of its source."""

from __future__ import annotations

import itertools
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from outcome import FullDisk, Outcome, Stop, refuse_full_disk

COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
TIMEOUT = 3600.0  # seconds that git may take
ROOM = 1 << 20  # bytes, in which hardly any clone has room

# OCI's name of this machine's platform.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
OWN_PLATFORM = "linux/" + ARCHITECTURES.get(platform.machine(), platform.machine())

# What nixw says before it goes on with newer packages than the lock names: those would be of another image.
RENEWED = "THE LOCK IS OUT OF DATE"
GONE = re.compile(r"(The mirror|The Python index) no longer has (.*)")


@dataclass(frozen=True)
class Source:
    """A repository, and the folder in it that has the flake."""

    repository: str
    folder: str = ""


def source_at(address: str) -> Source:
    """The repository at an address; of a folder on this machine, the one that it lies in.

    Raises:
        Stop: the folder lies in none.
    """
    path = Path(address)
    if not path.is_dir():
        return Source(address)
    while not (path / "flake.nix").exists() and path.resolve() != Path("/"):
        path = path.resolve().parent
    path = path if (path / "flake.nix").exists() else Path(address)
    done = git("-C", str(path), "rev-parse", "--show-toplevel", "--show-prefix")
    if done.returncode != 0:
        # Bare, as on a server.
        if git("-C", address, "rev-parse", "--git-dir").returncode == 0:
            return Source(address)
        raise Stop(
            Outcome.NOT_BUILT,
            f"{path.resolve()} is in no git repository: say with --source where the image's source is.",
        )
    top, prefix = [*done.stdout.split("\n"), ""][:2]
    return Source(top, prefix)


def clone(source: Source, revision: str, folder: Path) -> None:
    """A clone of the source, with that commit checked out. Raises Stop."""
    done = git("clone", "--quiet", "--no-checkout", "--", source.repository, str(folder))
    if done.returncode != 0:
        # Of a full disk, git does not always say that it is full.
        if shutil.disk_usage(folder.parent).free < ROOM:
            raise FullDisk(
                Outcome.FAILED, f"a disk is full, that of {folder.parent}: {last_line(done.stderr)}."
            )
        raise Stop(Outcome.NOT_BUILT, f"{shown(source)} cannot be cloned: {last_line(done.stderr)}.")
    here = ("-C", str(folder))
    known = (*here, "cat-file", "-e", f"{revision}^{{commit}}")
    if git(*known).returncode != 0:
        # A server may have it in no branch.
        git(*here, "fetch", "--quiet", "origin", revision)
        if git(*known).returncode != 0:
            raise Stop(
                Outcome.NOT_BUILT,
                f"{shown(source)} has no commit {revision}: say with --source which repository has it.",
            )
    done = git(*here, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", revision)
    if done.returncode != 0:
        raise Stop(
            Outcome.FAILED,
            f"the source cannot be written to {folder}: is the disk full? ({last_line(done.stderr)})",
        )


def build(tree: Path, attribute: str, link: Path, environment: dict[str, str], quiet: bool = False) -> Path:
    """Build an output of the flake in a clone; its store path, which `link` keeps. Nix's log goes on to stderr, unless quiet.

    Raises:
        Stop: it cannot be built, or only of other packages than the lock names.
    """
    command = [*nix(tree), "build", f".#{attribute}", "--out-link", str(link)]
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=tree,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stderr
        try:
            for line in filter(str.strip, process.stderr):
                lines.append(line.strip())
                if RENEWED in line:
                    break
                if not quiet:
                    sys.stderr.write(line)
            else:
                process.wait()
        finally:
            # With all that it has started, which else would go on: also at an interrupt.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
    found = [match for line in lines if (match := GONE.search(line))]
    if found:
        raise Stop(Outcome.NOT_BUILT, f"an input can no longer be had: {found[-1][0].rstrip('.')}.")
    if process.returncode != 0:
        why = reason(lines)
        refuse_full_disk("\n".join(why))
        raise Stop(Outcome.NOT_BUILT, f"it cannot be built: {why[0].removeprefix('error: ').rstrip('.')}.")
    return link.resolve()


def attribute(output: str, platform: str) -> str:
    """What of the flake is the image for that platform, as in linux/amd64; for "", that for this machine."""
    architecture = platform.partition("/")[2]
    return output if architecture in ("", OWN_PLATFORM.partition("/")[2]) else f"{output}-{architecture}"


def nix(tree: Path) -> list[str]:
    """The source's own nixw, or that which has started this program, or nix."""
    for program in (str(tree / "nixw"), os.environ.get("NIXW", "")):
        if program and os.access(program, os.X_OK):
            return [program]
    return ["nix", "--extra-experimental-features", "nix-command flakes"]


def reason(lines: list[str]) -> list[str]:
    """Why a build has failed: Nix's first error, and what follows it, as the end of a builder's log; or the last line."""
    errors = list(itertools.dropwhile(lambda line: not line.startswith("error: "), lines))
    return errors or lines[-1:] or ["no reason given"]


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Nobody is asked for a password. Raises Stop if there is no git, or it does not end, or says that a disk is full."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            # In English, as it is read here.
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
        )
        if done.returncode != 0:
            refuse_full_disk(done.stderr)
        return done
    except FileNotFoundError:
        raise Stop(Outcome.NOT_BUILT, "the source is cloned by git, which is not installed.") from None
    except subprocess.TimeoutExpired:
        raise Stop(Outcome.NOT_BUILT, f"git {arguments[0]} did not end within an hour.") from None


def shown(source: Source) -> str:
    """Its address, without a password."""
    return re.sub(r"//[^/@]*@", "//", source.repository)


def last_line(text: str) -> str:
    """Why git has failed, in its own last words, without a password."""
    lines = [re.sub(r"//[^/@ ]*@", "//", line) for line in text.splitlines() if line.strip()]
    return (lines or ["no reason given"])[-1].removeprefix("fatal: ").rstrip(".")
