"""GUNICORN_CMD_ARGS: gunicorn's command line options in a variable, read by gunicorn's own parser."""

from __future__ import annotations

from typing import Any, NoReturn

from gunicorn.config import Config

from ..errors import describe

# What gunicorn's own program does before it serves; the boot sequence is another one.
_WITHOUT_EFFECT = ("chdir", "check_config", "daemon", "print_config", "pythonpath", "spew")


def parse(words: tuple[str, ...]) -> dict[str, Any]:
    """The settings that the words name, with their values as gunicorn takes them. Raises ValueError, with a sentence."""
    config = Config()
    parser = config.parser()
    parser.error = _refuse  # it would print its usage, and end the process
    parser.exit = _refuse
    parser.print_help = parser.print_usage = _refuse
    settings = {name: value for name, value in vars(parser.parse_args(words)).items() if value is not None}
    if positional := settings.pop("args", None):
        raise ValueError(f"{positional[0]!r} is no option; WSGI_APPLICATION says what is served")
    for name, value in settings.items():
        if name in _WITHOUT_EFFECT:
            raise ValueError(f"{config.settings[name].cli[-1]} has no effect here")
        try:
            config.set(name, value)
        except Exception as error:
            raise ValueError(f"{config.settings[name].cli[-1]} is wrong: {describe(error)}") from error
    return settings


def problems(words: tuple[str, ...]) -> list[str]:
    """What is wrong with the variable's words, as sentences."""
    try:
        parse(words)
    except ValueError as error:
        return [f"GUNICORN_CMD_ARGS cannot be used: {error}. See gunicorn's settings."]
    return []


def _refuse(*what: object) -> NoReturn:
    # The message is the last argument, if there is any; --help and --version come without.
    raise ValueError(str(what[-1]).strip() if what and isinstance(what[-1], str) else "it asks for help only")
