"""The password of the database's role changes while the server runs."""

from __future__ import annotations

import contextlib
import os
import signal

from bench.lab import Site
from bench.ordinary import ordinary
from bench.release import PATH
from bench.subject import Subject

OLD, NEW = "correct-horse-battery", "staple-horse-battery"
SECONDS = 20.0


def prepare(site: Site) -> None:
    """Give the site a role of its own, whose password is in a file."""
    role = site.environment["POSTGRES_USER"] = f"role_{site.port}"
    with contextlib.closing(site.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{OLD}'")
        cursor.execute(f"ALTER DATABASE {site.environment['POSTGRES_DB']} OWNER TO {role}")
        connection.commit()
    file = site.folder / "password"
    file.write_text(OLD)
    del site.environment["POSTGRES_PASSWORD"]
    site.environment["POSTGRES_PASSWORD_FILE"] = str(file)


def password_changes(subject: Subject) -> str:
    """On the server, where the role's sessions end, and in the file; later there is a SIGHUP."""
    role = subject.site.environment["POSTGRES_USER"]
    ordinary(subject.port, 1.0, PATH)  # everybody is connected
    (subject.site.folder / "password").write_text(NEW)
    with contextlib.closing(subject.site.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {role} PASSWORD '{NEW}'")
        connection.commit()
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
    changed = ordinary(subject.port, SECONDS, PATH)
    os.kill(subject.process.pid, signal.SIGHUP)
    return f"{changed}; after SIGHUP {ordinary(subject.port, SECONDS, PATH)}"
