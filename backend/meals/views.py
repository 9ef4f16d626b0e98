"""The meals as JSON, and their photos. Public: a meal belongs to nobody in particular."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from meals.models import Meal
from meals.photos import media_type_for

PAGE_SIZE = 50


@require_safe
def meal_list(request: HttpRequest) -> HttpResponse:
    """One page of meals, latest first. `?page=` beyond the end is the last page."""
    page = Paginator(Meal.objects.all(), PAGE_SIZE).get_page(request.GET.get("page"))
    return JsonResponse(
        {
            "count": page.paginator.count,
            "page": page.number,
            "pages": page.paginator.num_pages,
            "results": [
                {
                    "id": meal.pk,
                    "name": meal.name,
                    "kcal": meal.kcal,
                    "eaten_at": meal.eaten_at,
                    "photo": meal.photo.url if meal.photo else None,
                }
                for meal in page
            ],
        }
    )


@require_safe
def photo(request: HttpRequest, name: str) -> HttpResponse:
    """The photo stored under `name`, if it is a meal's; other files in the media volume stay private."""
    # PostgreSQL takes no NUL, so no photo has one in its name.
    meal = None if "\0" in name else Meal.objects.filter(photo=name).first()
    if meal is None:
        raise Http404("No meal has this photo.")
    try:
        file = meal.photo.open()
    except FileNotFoundError:
        raise Http404("The photo is lost.") from None
    response = FileResponse(file, content_type=media_type_for(name))
    response["Cache-Control"] = "public, max-age=3600"
    return response
