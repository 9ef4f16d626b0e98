"""What every part of the backend stands on: health, static files, the first superuser."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        """Connect receivers, and hold settings made from production's to its invariants; raises ImproperlyConfigured."""
        from core import logins  # noqa: F401 -- connects its receiver

        if not getattr(settings, "PRODUCTION", False):
            return
        problems = [
            f"DATABASES[{alias!r}] uses {database['ENGINE']}: production runs on PostgreSQL only."
            for alias, database in settings.DATABASES.items()
            if database["ENGINE"] != "django.db.backends.postgresql"
        ]
        if settings.DEBUG:
            problems.append("DEBUG is on: turn it off, for production never shows its insides.")
        if problems:
            raise ImproperlyConfigured("\n".join(problems))
