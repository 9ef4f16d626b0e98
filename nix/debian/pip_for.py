"""pip_for.py PYTHON_VERSION PIP_ARGUMENTS...: pip, as if it ran on that Python on x86_64 Linux.

pip's own --python-version chooses files only: markers and Requires-Python it still judges by the Python it runs on.
"""

from __future__ import annotations

import functools
import sys

from pip._internal.cli.main import main as pip
from pip._internal.cli.req_command import RequirementCommand
from pip._vendor.packaging import markers


def environment(python: str) -> dict[str, str]:
    """The environment that markers (PEP 508) are evaluated in."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "platform_release": "",
        "platform_version": "",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def main(python: str, *arguments: str) -> int:
    markers.default_environment = lambda: environment(python)
    RequirementCommand.make_resolver = functools.partial(
        RequirementCommand.make_resolver, py_version_info=tuple(map(int, python.split(".")))
    )
    return pip(list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
