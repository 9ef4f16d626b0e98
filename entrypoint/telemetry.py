"""OpenTelemetry, where the project has it: started in each worker, because its threads and connections survive no fork."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether its automatic instrumentation is installed, and a variable of its own asks for it."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if not any(name.startswith("OTEL_") and value for name, value in environ.items()):
        return False
    try:
        return find_spec("opentelemetry.instrumentation.auto_instrumentation") is not None
    except ModuleNotFoundError:
        return False


def start() -> None:
    """Start it, before the application is imported. What it fails with, it logs; the application goes on without it."""
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    initialize()
