"""What this container was started to do: the command that its first process was given."""

from __future__ import annotations

from pathlib import Path

SERVE = "serve"
NOT_TO_SERVE = ("wait", "manage", "migrate", "check")
_PROGRAM = b"/bin/entrypoint"  # as the image's entrypoint has it, below an init


def started_as() -> str:
    """The command's name; `serve` if there was none, if the first process is none of ours, or if that is the check itself."""
    try:
        return command(Path("/proc/1/cmdline").read_bytes())
    except OSError:
        return SERVE


def command(cmdline: bytes) -> str:
    """The same of a command line, as /proc has it: words that end in NUL."""
    words = cmdline.split(b"\0")[:-1]
    for number, word in enumerate(words):
        if word.endswith(_PROGRAM):
            named = b"".join(words[number + 1 : number + 2]).decode(errors="replace")
            return SERVE if named in ("", "healthcheck") else named
    return SERVE
