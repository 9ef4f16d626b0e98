"""What may be uploaded as a photo."""

from __future__ import annotations

from pathlib import PurePath

from django.core.exceptions import ValidationError
from django.core.files import File

LIMIT = 5 * 1024 * 1024  # bytes

# Extension to media type. No SVG: it may hold scripts, and photos are served from the admin's own host.
FORMATS = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
}


def validate_photo(photo: File) -> None:
    """Raise ValidationError if `photo` is too large, or not the kind of image that its name says."""
    try:
        if photo.size > LIMIT:
            raise ValidationError(
                f"The photo is larger than {LIMIT // 1024 // 1024} MiB: choose a smaller one.",
                code="photo_too_large",
            )
        photo.seek(0)
        start = photo.read(16)
        photo.seek(0)
    except FileNotFoundError:
        return  # stored earlier and lost since; the meal must remain editable
    if media_type_of(start) != media_type_for(photo.name):
        raise ValidationError(
            "The file's content is not an image of the kind that its name says: "
            "upload a JPEG, PNG, GIF or WebP photo.",
            code="not_a_photo",
        )


def media_type_for(name: str) -> str | None:
    """The media type that a file name's extension stands for, None if it is not a photo's."""
    return FORMATS.get(PurePath(name).suffix.lower().removeprefix("."))


def media_type_of(start: bytes) -> str | None:
    """The media type of the image that begins with the 16 bytes `start`, by each format's signature."""
    if start.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "image/webp"
    return None
