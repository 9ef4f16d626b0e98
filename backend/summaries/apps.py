"""What was eaten on each day, summed up by a worker."""

from django.apps import AppConfig


class SummariesConfig(AppConfig):
    name = "summaries"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the days of meals that change summed up anew."""
        from summaries import receivers  # noqa: F401 -- connects its receivers
