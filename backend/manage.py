#!/usr/bin/env python
"""Django's command line, with settings from DJANGO_SETTINGS_MODULE or else `config.settings.local`."""

import os
import sys

CONFIGURATION_ERROR = 10  # the same exit code as the container's


def main() -> None:
    """Run one command; a configuration problem is told in sentences, not in a traceback."""
    # An empty value, as Compose passes for an unset variable, counts as not set.
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"
    settings_module = os.environ["DJANGO_SETTINGS_MODULE"]

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        message = str(error)
    except ModuleNotFoundError as error:
        # Only the settings module itself; any other missing module is a bug worth its traceback.
        if error.name is None or not f"{settings_module}.".startswith(f"{error.name}."):
            raise
        message = (
            f"DJANGO_SETTINGS_MODULE names {settings_module!r}, which does not exist: "
            "correct it, or unset it for config.settings.local."
        )
    else:
        return
    print(message, file=sys.stderr)
    sys.exit(CONFIGURATION_ERROR)


if __name__ == "__main__":
    main()
