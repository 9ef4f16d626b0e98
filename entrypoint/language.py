"""The language that the project is in: an image may lack its translations (`languages` of mkDjangoImage)."""

from __future__ import annotations

import contextlib


def problems() -> list[str]:
    """What is wrong with LANGUAGE_CODE, if Django knows the language and has no translation into it.

    Django's own check (translation.E004) would say that LANGUAGES lacks it.
    """
    from django.conf import settings
    from django.utils.translation import get_supported_language_variant

    code = settings.LANGUAGE_CODE
    # What is wrong with LANGUAGES itself, Django's checks say.
    with contextlib.suppress(TypeError, ValueError):
        if settings.USE_I18N and code in dict(settings.LANGUAGES):
            try:
                get_supported_language_variant(code)
            except LookupError:
                problem = f"LANGUAGE_CODE is {code!r}, and Django's translations into that language are not in this image"
                return [
                    f"{problem}: name it in `languages` where it is made (mkDjangoImage), or choose another."
                ]
    return []
