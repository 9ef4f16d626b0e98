"""Sessions of PostgreSQL, told so that a person finds them; nothing of what they execute, which may hold people's data."""

from __future__ import annotations

# What `described` takes, of pg_stat_activity.
COLUMNS = """
    pid, usename, application_name, state, to_char(state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
"""


def described(
    pid: int | None, user: str | None, application: str | None, state: str | None, since: str | None
) -> str:
    """Who that is, and since when it does what it does.

    PostgreSQL hides the state of other users' sessions from a user without pg_read_all_stats. A prepared
    transaction has no session.
    """
    if pid is None:
        return "a prepared transaction, see pg_prepared_xacts"
    activity = f", {state} since {since}" if state else ""
    return f"pid {pid}, user {user}, application_name {application!r}{activity}"
