"""Meals in the admin."""

from django.contrib import admin
from django.utils.html import format_html

from meals.models import Meal


@admin.register(Meal)
class MealAdmin(admin.ModelAdmin):
    list_display = ["name", "kcal", "eaten_at", "has_photo"]
    list_filter = ["eaten_at"]
    search_fields = ["name"]
    date_hierarchy = "eaten_at"
    readonly_fields = ["preview"]

    class Media:
        css = {"all": ["core/site.css"]}

    @admin.display(boolean=True, description="photo", ordering="photo")
    def has_photo(self, meal: Meal) -> bool:
        return bool(meal.photo)

    @admin.display(description="preview")
    def preview(self, meal: Meal) -> str:
        if not meal.photo:
            return "-"
        return format_html('<img class="meal-photo" src="{}" alt="{}">', meal.photo.url, meal.name)
