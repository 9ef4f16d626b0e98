"""How these programs end: whatever goes wrong is one sentence and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

INTERRUPTED = 130  # as a shell says it


class Refused(Exception):
    """What is asked for cannot be done; the message is one sentence for a person."""

    exit_code = 1


def run(
    name: str,
    main: Callable[..., object],
    code_of: Callable[[Exception], int] = lambda error: error.exit_code if isinstance(error, Refused) else 1,
) -> None:
    """Call main with the command line's arguments. If it fails, end with a sentence that begins with the name, and the
    exit code that `code_of` gives for the failure.
    """
    try:
        main(*sys.argv[1:])
    except Refused as error:
        end(name, one_line(error), code_of(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        end(name, because(error), code_of(error))
    except Exception as error:  # noqa: BLE001 - a fault of the program is told in a sentence, too
        place = traceback.extract_tb(error.__traceback__)[-1]
        end(
            name,
            f"this is a fault in {Path(place.filename).name}, line {place.lineno}"
            f" ({type(error).__name__}: {one_line(error)}): report it, with what `nixw --version` says.",
            code_of(error),
        )


def end(name: str, sentence: str, code: int) -> NoReturn:
    print(f"{name}: {sentence}", file=sys.stderr, flush=True)
    sys.exit(code)


def because(error: OSError) -> str:
    """A file, and what the system says of it: a full disk, a missing program."""
    file = f"{error.filename}: " if error.filename else ""
    return f"{file}{error.strerror or one_line(error)}."


def one_line(error: BaseException | str) -> str:
    """A message without line breaks and control characters, which may be somebody else's."""
    return "".join(character for character in " ".join(str(error).split()) if character.isprintable())


def write_all(texts: dict[Path, str]) -> None:
    """Write the files, each whole or not at all, and none of them before there is room for all. Raises OSError."""
    written: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            target = path.resolve()
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            written[target] = Path(name)
            with os.fdopen(handle, "w") as file:
                file.write(text)
            # As any new file has it; mkstemp lets nobody else read.
            Path(name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        for target, new in written.items():
            new.replace(target)
    finally:
        for new in written.values():
            new.unlink(missing_ok=True)
