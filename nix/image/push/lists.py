"""Lists in a registry that several pushes may add to at once. No registry can lock one: it is read, and written with more in it."""

from __future__ import annotations

import time
from collections.abc import Callable

from errors import NotCopied

# Adds to one list what is missing there; whether something was. Raises NotCopied.
Addition = Callable[[], bool]

ROUNDS = 5
LONGEST = 10.0  # seconds between two of them


def add_all(additions: list[Addition]) -> None:
    """Make additions, each until it finds that it is there.

    Another push that has read a list before this one wrote it writes it without this one's addition. So all that were made are
    looked at again, after the time that one of them took: by then, another push of that speed has written.

    Raises:
        NotCopied: one cannot be made, or is gone again each time.
    """
    for _ in range(ROUNDS):
        made, longest = [], 0.0
        for add in additions:
            began = time.monotonic()
            if add():
                made.append(add)
                longest = max(longest, time.monotonic() - began)
        if not made:
            return
        additions = made
        time.sleep(min(longest, LONGEST))
    raise NotCopied(f"what was added to its lists was gone again, {ROUNDS} times: others write them, too")
