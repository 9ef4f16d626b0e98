"""Where PostgreSQL is, and how to stay connected to it."""

from __future__ import annotations

from typing import Any

from config.env import Environment


def postgresql(env: Environment) -> dict[str, Any]:
    """The value of DATABASES for one PostgreSQL server, from the POSTGRES_ variables."""
    return {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": env.server("POSTGRES_HOST", "db"),
            "PORT": env.port("POSTGRES_PORT", 5432),
            "USER": env.identifier("POSTGRES_USER", "eatfit24"),
            "NAME": env.identifier("POSTGRES_DB", "eatfit24"),
            "PASSWORD": env.secret("POSTGRES_PASSWORD"),
            # Kept between requests, and tried before use: a restarted PostgreSQL costs no failed request.
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            # A cursor on the server does not outlive a transaction behind PgBouncer's transaction mode.
            "DISABLE_SERVER_SIDE_CURSORS": True,
            "OPTIONS": {
                # Seconds to connect, and milliseconds until sent data must be acknowledged: a host that
                # swallows packets fails a request instead of holding a worker until gunicorn kills it.
                "connect_timeout": 3,
                "tcp_user_timeout": 10_000,
            },
        }
    }
