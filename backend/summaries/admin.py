"""Summaries in the admin: to be read, since the worker writes them."""

from django.contrib import admin
from django.http import HttpRequest

from summaries.models import DaySummary


@admin.register(DaySummary)
class DaySummaryAdmin(admin.ModelAdmin):
    list_display = ["day", "meals", "kcal"]
    date_hierarchy = "day"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DaySummary | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DaySummary | None = None) -> bool:
        return False
