"""How `verify` and `diff` end: their exit codes, and what ends them early."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from enum import IntEnum

# What skopeo, git and Nix say when a disk, or what is granted of one, is full.
FULL = re.compile(r"no space left on device|disk quota exceeded|out of diskspace|disk is full", re.IGNORECASE)


class Outcome(IntEnum):
    """Exit codes. docs/verify.md says what each means, and tests/proof/test_contract.py compares."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    NO_IMAGE = 5
    DIFFERS = 6
    NOT_BUILT = 7
    NOT_SIGNED = 8
    OTHER_KEY = 9
    BESIDE = 10
    INTERRUPTED = 130


class Stop(Exception):
    """It ends here; a sentence for a person, and an exit code."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


class FullDisk(Stop):
    """A program could not write something, which says nothing of an image."""


def refuse_full_disk(words: str) -> None:
    """Raises FullDisk if a line of a program's last words says so."""
    said = [re.sub("^(error|fatal): ", "", line) for line in words.splitlines() if FULL.search(line)]
    if said:
        raise FullDisk(Outcome.FAILED, f"a disk is full: {said[-1].rstrip('.')}.")


def run(name: str, main: Callable[[], Outcome]) -> Outcome:
    """Call main. Whatever stops it is one sentence on stderr that begins with the program's name.

    SIGTERM is an interrupt, too: what main has started ends with it, and its folder is removed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return main()
    except Stop as stop:
        say(name, str(stop))
        return stop.outcome
    except OSError as error:
        say(name, f"{error.filename or 'the system'}: {error.strerror or error}.")
        return Outcome.FAILED
    except KeyboardInterrupt:
        return Outcome.INTERRUPTED


def say(name: str, sentence: str) -> None:
    """One line, whatever others have put into it."""
    print(printable(f"{name}: {' '.join(sentence.split())}"), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Without what would steer a terminal: names may come from anybody's image."""
    return "".join(each if each.isprintable() else "?" for each in text)
