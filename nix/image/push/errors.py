"""What can go wrong in a push."""

from __future__ import annotations


class PushError(Exception):
    """It cannot be pushed; a sentence for a person, and an exit code."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class NotCopied(Exception):
    """Something is not where it should be in the registry: skopeo's last words."""


class Unusable(Exception):
    """The key cannot be used; why, for a sentence."""
