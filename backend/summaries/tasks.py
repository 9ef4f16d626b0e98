"""The job that sums a day up."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import Count, F, Sum
from django.db.models.functions import Coalesce
from django_tasks import task

from meals.models import Meal
from summaries.models import DaySummary


@task()
@transaction.atomic
def sum_up(day: str) -> None:
    """Sum up the meals of a day (ISO 8601)."""
    wanted = date.fromisoformat(day)
    DaySummary.objects.get_or_create(day=wanted)
    # Who is second waits here, and then counts what the first could not see yet.
    summary = DaySummary.objects.select_for_update().get(day=wanted)
    totals = Meal.objects.filter(eaten_at__date=wanted).aggregate(
        meals=Count("pk"), kcal=Coalesce(Sum("kcal"), 0)
    )
    DaySummary.objects.filter(pk=summary.pk).update(**totals, revision=F("revision") + 1)
