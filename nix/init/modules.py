"""Which of a project's modules are meant: its settings, and its WSGI or ASGI application."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sources import Settings, environment_default, module_file, parse

DEPTH = 4  # folders below the top that are looked into
# Settings that are for serving people, the likeliest first.
PRODUCTION = ("production", "prod", "live", "deployment", "deploy", "heroku")
# Settings that are for something else.
OTHERS = ("base", "common", "defaults", "dev", "development", "local", "test", "tests", "testing", "ci")


class InitError(Exception):
    """What is asked for cannot be; the message is one sentence for a person."""


def files(top: Path, name: str) -> Iterator[Path]:
    """Files of that name in the folder and below, the nearest first; not in virtual environments and the like."""
    found = []
    for folder, folders, names in os.walk(top):
        place = Path(folder)
        depth = len(place.relative_to(top).parts)
        folders[:] = [
            each
            for each in folders
            if depth < DEPTH
            and not each.startswith(".")
            and each not in ("node_modules", "site-packages", "__pycache__")
            and not (place / each / "pyvenv.cfg").exists()
        ]
        if name in names:
            found.append((depth, place / name))
    return (file for _, file in sorted(found))


def settings_module(source: Path, roots: list[Path]) -> tuple[str, str]:
    """The settings module, and why it is that. Raises InitError."""
    named: dict[str, str] = {}
    for file in [*files(source, "wsgi.py"), *files(source, "asgi.py"), source / "manage.py"]:
        tree = parse(file)
        module = environment_default(tree, "DJANGO_SETTINGS_MODULE") if tree else None
        if module and module_file(roots, module):
            named.setdefault(module, f"as {file.relative_to(source).as_posix()} says")
    known = dict(named)
    for module in named:
        for sibling in siblings(module, roots):
            known.setdefault(sibling, f"beside {module}")
    if not known:
        raise InitError(
            "neither manage.py nor a wsgi.py says which settings module is the project's: copy templates/default/flake.nix"
            " and write it there as `settingsModule`."
        )
    chosen = min(known, key=lambda module: (place(module), list(known).index(module)))
    others = [module.rpartition(".")[2] for module in known if module != chosen]
    return chosen, known[chosen] + (f"; not sure: there are {', '.join(others)} too" if others else "")


def place(module: str) -> int:
    """Settings for serving people come first, and those for something else last."""
    name = module.rpartition(".")[2]
    if name in PRODUCTION:
        return PRODUCTION.index(name)
    return len(PRODUCTION) + (name in OTHERS)


def siblings(module: str, roots: list[Path]) -> list[str]:
    """Modules of settings in the folder of a module: production.py beside base.py, or in a package `settings`."""
    file = module_file(roots, module)
    package, _, name = module.rpartition(".")
    if file is None:
        return []
    if file.name == "__init__.py":
        package = module
    elif name not in (*PRODUCTION, *OTHERS):
        return []
    return [
        f"{package}.{each.stem}" if package else each.stem
        for each in sorted(file.parent.glob("*.py"))
        if each.stem in (*PRODUCTION, *OTHERS)
    ]


def wsgi_application(
    source: Path, roots: list[Path], settings: str, said: Settings
) -> tuple[str | None, tuple[str, str]]:
    """The WSGI application, null where it is the default one, and what to say of it."""
    default = f"{settings.partition('.')[0]}.wsgi"
    for value in said.values("WSGI_APPLICATION"):
        module, _, attribute = value.rpartition(".")
        if module and module_file(roots, module):
            text = f"{module}:{attribute}"
            return None if text == f"{default}:application" else text, (
                "WSGI application",
                f"{text}, as the settings say",
            )
    if module_file(roots, default):
        return None, ("WSGI application", f"{default}:application")
    for file in files(source, "wsgi.py"):
        text = application_of(file, source)
        return text, ("WSGI application", f"{text}; not sure: the settings do not say so")
    # Django makes one of the settings alone.
    return "django.core.wsgi:get_wsgi_application()", (
        "WSGI application",
        "Django's own; not sure: there is no wsgi.py",
    )


def asgi_application(source: Path, roots: list[Path], said: Settings) -> tuple[str | None, tuple[str, str]]:
    """The ASGI application if it is the one to serve, and what to say of it.

    Every project that `startproject` made has an asgi.py. One that is meant to be served is named in the settings, as
    Channels and Daphne want it, or has no wsgi.py beside it.
    """
    for value in said.values("ASGI_APPLICATION"):
        module, _, attribute = value.rpartition(".")
        if module and module_file(roots, module):
            text = f"{module}:{attribute}"
            return text, (
                "ASGI application",
                f"{text}, as the settings say; not sure: without `asgiApplication`, the WSGI application is served",
            )
    if not any(files(source, "wsgi.py")):
        for file in files(source, "asgi.py"):
            text = application_of(file, source)
            return text, ("ASGI application", f"{text}; there is no wsgi.py")
    return None, ("", "")


def application_of(file: Path, source: Path) -> str:
    return ".".join(file.relative_to(source).with_suffix("").parts) + ":application"
