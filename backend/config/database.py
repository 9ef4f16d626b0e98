"""Where PostgreSQL is, and how to stay connected to it."""

from __future__ import annotations

from typing import Any

from config.env import Environment

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


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
                **tls(env),
            },
        }
    }


def tls(env: Environment) -> dict[str, str]:
    """libpq's options; those that are not set stay out, which leaves them to libpq (PGSSLMODE, then prefer).

    The certificate and the modes that check it come together only: libpq has each alone, but then checks
    nothing, or fails at the first connection.
    """
    mode = env.choice("POSTGRES_SSLMODE", SSL_MODES, "")
    known = len(env.problems)
    certificate = env.file("POSTGRES_SSLROOTCERT", "a readable file with the authority's certificate")
    verifies = mode in ("verify-ca", "verify-full")
    if verifies and not certificate and len(env.problems) == known:
        env.problem(
            f"POSTGRES_SSLROOTCERT is not set, but POSTGRES_SSLMODE is {mode}: name the authority's certificate."
        )
    if certificate and not verifies:
        env.problem(
            "POSTGRES_SSLROOTCERT is set, but nothing is checked against it: set POSTGRES_SSLMODE to "
            "verify-full or verify-ca, or unset it."
        )
    return {name: value for name, value in (("sslmode", mode), ("sslrootcert", certificate)) if value}
