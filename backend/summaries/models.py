"""The summary of a day."""

from __future__ import annotations

from django.db import models


class DaySummary(models.Model):
    """A day in the server's time zone; `revision` counts how many times it was summed up."""

    day = models.DateField(unique=True)
    meals = models.PositiveIntegerField(default=0)
    kcal = models.PositiveBigIntegerField("energy (kcal)", default=0)
    revision = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["-day"]
        verbose_name_plural = "day summaries"

    def __str__(self) -> str:
        return f"{self.day}: {self.kcal} kcal"
