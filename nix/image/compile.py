"""Byte-compile a project, in place, as if it lay in /app. Arguments: its folder, and what was left out of it.

What was left out is shown, so that nobody has to look for it. A file with a syntax error stays as it is, and the build goes
on: it may be a template of code, which nobody imports. What Python says of it is shown, even where Nix keeps the logs of its
builds to itself.
"""

from __future__ import annotations

import compileall
import contextlib
import io
import json
import py_compile
import sys

# Nix's levels, both of which it shows without being asked.
WARNING, NOTICE = 1, 2


def main() -> None:
    folder, *left_out = sys.argv[1:]
    if left_out:
        show(NOTICE, f"The image leaves out of the project: {', '.join(left_out)}.")
    # Python compares hashes, since times say nothing here: a file that is mounted over one of these counts.
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        compiled = compileall.compile_dir(
            folder, quiet=1, stripdir=folder, prependdir="/app", invalidation_mode=mode
        )
    print(said.getvalue(), end="")
    if not compiled:
        show(
            WARNING,
            f"These files of the project cannot be compiled, and are in the image as they are:\n{said.getvalue()}",
        )


def show(level: int, message: str) -> None:
    """Have Nix show a message, as one of its own: a line of this form in a build's output is read by it."""
    print("@nix", json.dumps({"action": "msg", "level": level, "msg": message}))


main()
