"""A meal that is added, changed or removed has its days summed up: the job is in the transaction of that change."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver
from django.utils.timezone import localdate

from meals.models import Meal
from summaries.tasks import sum_up


@receiver(pre_save, sender=Meal)
def when_it_was_before(instance: Meal, raw: bool = False, **_: Any) -> None:
    """A meal that moves to another day leaves one behind."""
    if not raw and instance.pk:
        before = Meal.objects.filter(pk=instance.pk).first()
        if before and day_of(before) != day_of(instance):
            sum_up.enqueue(day_of(before))


@receiver(post_save, sender=Meal)
@receiver(post_delete, sender=Meal)
def when_it_is_now(instance: Meal, raw: bool = False, **_: Any) -> None:
    """`raw` is a fixture that is loaded, whose other rows may not be there yet."""
    if not raw:
        sum_up.enqueue(day_of(instance))


def day_of(meal: Meal) -> str:
    """ISO 8601, in the server's time zone. What code has assigned may be text, or lack a time zone."""
    moment = Meal._meta.get_field("eaten_at").get_prep_value(meal.eaten_at)
    return str(localdate(moment).isoformat())
