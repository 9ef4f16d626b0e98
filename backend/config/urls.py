"""The URLs, but for /api/health/ and /static/, which middleware answers."""

from django.contrib import admin
from django.urls import path

from core.views import favicon, index
from meals.views import meal_list, photo

urlpatterns = [
    path("", index, name="index"),
    path("favicon.ico", favicon, name="favicon"),
    path("admin/", admin.site.urls),
    path("api/meals/", meal_list, name="meal-list"),
    path("media/<path:name>", photo, name="meal-photo"),
]
