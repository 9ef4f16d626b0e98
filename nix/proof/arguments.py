"""Command lines of `verify` and `diff`: what is wrong with one is a sentence, like everything else."""

from __future__ import annotations

import argparse
from typing import NoReturn

from outcome import Outcome, Stop


class Arguments(argparse.ArgumentParser):
    def __init__(self) -> None:
        super().__init__(add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise Stop(Outcome.USAGE, f"{message}; `--help` says what it takes.")


def tls_verify(text: str) -> bool:
    """As skopeo takes it."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError("it is true or false")
    return text == "true"
