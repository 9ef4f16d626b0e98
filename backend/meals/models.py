"""Meals: what was eaten when, with its calories and a photo."""

from __future__ import annotations

from django.core.validators import FileExtensionValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from meals.photos import FORMATS, validate_photo


class Meal(models.Model):
    name = models.CharField(max_length=200)
    kcal = models.IntegerField(
        "energy (kcal)",
        validators=[MinValueValidator(0)],
    )
    eaten_at = models.DateTimeField(default=timezone.now)
    # A file, not an image field: that would need Pillow, only to learn width and height.
    photo = models.FileField(
        upload_to="meals/%Y/%m",
        max_length=200,
        blank=True,
        validators=[FileExtensionValidator(list(FORMATS)), validate_photo],
    )

    class Meta:
        ordering = ["-eaten_at", "-id"]
        indexes = [models.Index(fields=["-eaten_at", "-id"], name="meal_eaten_at")]
        constraints = [
            models.CheckConstraint(condition=models.Q(kcal__gte=0), name="meal_kcal_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name
