"""languages.py FOLDER LANGUAGE...: leave out of a package the translations into other languages.

A translation is a folder LOCALE/LC_MESSAGES in a folder `locale` (Django's documentation, "How Django discovers
translations"); Django has the formats of dates and numbers beside it. A LANGUAGE is written as in LANGUAGES, such as pt-br;
of it, pt stays too, to which Django falls back; and where a package has German for Germany alone, de is that. English always
stays: it is what there is to translate.
"""

import shutil
import sys
from pathlib import Path


def main(folder: str, *languages: str) -> None:
    places = {
        place.parent
        for place in Path(folder).rglob("LC_MESSAGES")
        if place.is_dir() and place.parent.parent.name == "locale"
    }
    refuse_unknown(languages, {form(place.name) for place in places if place.match("django/conf/locale/*")})
    asked = {"en", *map(form, languages)}
    kept = asked | {language.partition("_")[0] for language in asked}
    # Those of one country that stand for all, as there is no other.
    kept_for_all = [place for place in places if alone(place) in asked]
    for place in places:
        if form(place.name) not in kept and place not in kept_for_all:
            shutil.rmtree(place)


def alone(place: Path) -> str:
    """The language of a translation for one country, if its package has none for all; else ""."""
    language = place.name.partition("_")[0]
    return "" if (place.parent / language).exists() else language


def refuse_unknown(languages: tuple[str, ...], known: set[str]) -> None:
    """Django, if it is this package, is translated into all that anybody is likely to mean: another one is misspelt."""
    unknown = [language for language in languages if form(language) not in known]
    if known and unknown:
        raise SystemExit(
            f"`languages` names {', '.join(unknown)}, into which Django is not translated: write codes as in LANGUAGES, such as"
            " de or pt-br."
        )


def form(language: str) -> str:
    """One form of pt-br and pt_BR, zh-hans and zh_Hans."""
    return language.lower().replace("-", "_")


main(*sys.argv[1:])
