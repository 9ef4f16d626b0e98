"""Stage 1, configure: everything that can be known to be wrong is found before anything waits."""

from __future__ import annotations

import difflib
import os
import pkgutil
import re
import sys
from collections.abc import Mapping
from importlib import import_module, util
from pathlib import Path

from .. import log, origin, redaction, secretfiles, variables
from ..configuration import Configuration, misspelt, read
from ..errors import BootError, ExitCode, describe


def configure() -> Configuration:
    """Read the environment, load the settings and set Django up.

    Raises BootError (CONFIGURATION) with every problem that there is.
    """
    problems: dict[str, str] = {}
    from_files = secretfiles.resolve(os.environ, problems)
    redaction.add_variables(os.environ)
    configuration = read(os.environ, problems)
    export(configuration)
    found = list(problems.values()) + _project_problems(configuration)
    with origin.noted():
        of_django = _django_problems(configuration, skip="DJANGO_SETTINGS_MODULE" in problems)
    found += [
        line
        for line in of_django
        # Both read the variable; one sentence about it is enough.
        if not any(re.search(rf"\b{name}(_FILE)?\b", line) for name in problems)
    ]
    _warn_of_misspellings(os.environ)
    if found:
        raise BootError(ExitCode.CONFIGURATION, _in_one_message(found))
    _log_values(configuration, from_files)
    return configuration


def export(configuration: Configuration) -> None:
    """Put into the environment what the project reads from there: Django's variable, and gunicorn's own."""
    os.environ["DJANGO_SETTINGS_MODULE"] = configuration.settings_module
    os.environ["WEB_CONCURRENCY"] = str(configuration.workers)


def _in_one_message(problems: list[str]) -> str:
    if len(problems) == 1:
        return f"The configuration is wrong: {problems[0]}"
    return f"The configuration has {len(problems)} problems:\n- " + "\n- ".join(problems)


def _project_problems(configuration: Configuration) -> list[str]:
    directory = Path.cwd()
    found = []
    if not (directory / "manage.py").is_file():
        found.append(f"{directory} has no manage.py: the working directory must be the Django project's.")
    if configuration.log_to_files and not _is_writable_directory(directory / "logs"):
        found.append(
            f"GUNICORN_LOG_TO_FILES is on, but {directory / 'logs'} is not a directory that uid {os.getuid()}"
            " may write to: mount a writable volume there, or set GUNICORN_LOG_TO_FILES=0."
        )
    if configuration.gunicorn_arguments:
        from ..server import arguments

        found += arguments.problems(configuration.gunicorn_arguments)
    return found


def _is_writable_directory(path: Path) -> bool:
    try:
        path.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK | os.X_OK)


def _django_problems(configuration: Configuration, skip: bool) -> list[str]:
    """Load the settings and the apps; say what is wrong with them."""
    if skip:
        return []
    if problem := _missing_module(configuration.settings_module):
        return [problem]
    from django.core.exceptions import ImproperlyConfigured

    try:
        if configuration.settings_class:
            import_module("configurations.importer").install()
        from django.conf import settings

        redaction.add_settings(settings)  # which imports them
    except ImproperlyConfigured as error:
        if "configurations.importer" in sys.modules and not configuration.settings_class:
            module = configuration.settings_module
            return [
                f"{module} has its settings in a class (django-configurations): name it with DJANGO_CONFIGURATION."
            ]
        # The project's settings may report several problems at once, one a line.
        return [line.strip() for line in str(error).splitlines() if line.strip()]
    except (Exception, SystemExit) as error:
        return [f"The settings module {configuration.settings_module} cannot be imported: {describe(error)}."]
    try:
        import django

        django.setup()
    except ImproperlyConfigured as error:
        return [f"Django cannot be set up with {configuration.settings_module}: {describe(error)}."]
    except (Exception, SystemExit) as error:
        return [
            f"The apps or the logging of {configuration.settings_module} cannot be loaded: {describe(error)}."
        ]
    from .. import database, language
    from . import collect

    found = database.problems(configuration.migrate_databases) + language.problems()
    if configuration.run_collectstatic:
        found += collect.problems()
    return found


def _missing_module(name: str) -> str:
    """What is wrong if the module itself does not exist; an import that fails inside it is another matter."""
    parent, _, last = name.rpartition(".")
    try:
        if parent:
            import_module(parent)
        if util.find_spec(name) is not None:
            return ""
        siblings = _siblings(parent)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            return ""  # importing it will say what is missing
        siblings = []
    except (Exception, SystemExit):
        return ""
    near = difflib.get_close_matches(last, siblings, n=1) or siblings[:1]
    advice = f"did you mean {parent}.{near[0]}?" if near else "name the project's settings module."
    return f"DJANGO_SETTINGS_MODULE is {name}, and there is no such module in {Path.cwd()}: {advice}"


def _siblings(parent: str) -> list[str]:
    path = getattr(sys.modules.get(parent), "__path__", None)
    return sorted(module.name for module in pkgutil.iter_modules(path)) if path else []


def _warn_of_misspellings(environ: Mapping[str, str]) -> None:
    for name, meant in misspelt(environ):
        log.warning(f"The variable {name} is set, which the entrypoint does not read: did you mean {meant}?")


def _log_values(configuration: Configuration, from_files: frozenset[str]) -> None:
    values = {each.name: os.environ.get(each.name) or each.default for each in variables.VARIABLES}
    values["LOG_FORMAT"] = log.chosen_format()
    for name, flag in (
        ("RUN_MIGRATIONS", configuration.run_migrations),
        ("MIGRATIONS_STRICT", configuration.strict),
        ("READ_ONLY", configuration.read_only),
        ("RUN_COLLECTSTATIC", configuration.run_collectstatic),
        ("DJANGO_COLLECTSTATIC", configuration.run_collectstatic),
        ("GUNICORN_LOG_TO_FILES", configuration.log_to_files),
    ):
        values[name] = "1" if flag else "0"
    for name in variables.SECRETS:
        values[name] = "from file" if name in from_files else "set" if os.environ.get(name) else "not set"
    values = {name: value for name, value in values.items() if value}
    log.info(
        "Configuration: " + ", ".join(f"{name}={value}" for name, value in values.items()),
        configuration=values,
    )
