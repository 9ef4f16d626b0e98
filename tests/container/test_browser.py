"""A person at the admin: logs in, uploads a photo to a meal, and finds it again after the container is replaced."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from tests.container.engine import ARTEFACTS
from tests.container.needs import need
from tests.container.webdriver import Browser, browser
from tests.running import until

USER, PASSWORD = "cook", "a-long-password-1"


def png(width: int = 320, height: int = 200) -> bytes:
    """A real picture: a red and green gradient (Portable Network Graphics, W3C Recommendation)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 96)) for x in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def is_styled(page: Browser) -> None:
    """The admin's stylesheet arrived and was used: its header has a colour of its own, and its links none."""
    assert page.style("#header", "background-color") not in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)")
    failed = page.run(
        "return performance.getEntriesByType('resource').filter(e => e.responseStatus >= 400).map(e => e.name)"
    )
    assert failed == []
    rules = page.run("return [...document.styleSheets].map(sheet => sheet.cssRules.length)")
    assert rules
    assert min(rules) > 0


@pytest.mark.proves("Uploads outlive their container")
def test_a_photo_outlives_its_container(lab, database, tmp_path):
    need("chromium", "chromium")
    need("chromedriver", "chromium-driver")
    photo = tmp_path / "lunch.png"
    photo.write_bytes(png())
    media = lab.volume()
    env = {
        **database.environment,
        "HTTPS_ONLY": "0",
        "DJANGO_SUPERUSER_USERNAME": USER,
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    # As compose.yaml has it: a read-only root.
    options = ("--volume", f"{media}:/app/media", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
    options += ("--tmpfs", "/app/staticfiles:uid=1000,gid=1000", "--publish", "127.0.0.1::8000")
    first = lab.backend(options=options, **env).start().until_answers()
    with browser() as page:
        page.open(f"http://127.0.0.1:{first.port}/admin/meals/meal/add/")
        assert "/admin/login/" in page.url
        is_styled(page)
        page.screenshot(ARTEFACTS / "admin-login.png")
        page.write("#id_username", USER)
        page.write("#id_password", PASSWORD)
        page.click("input[type=submit]")
        until(lambda: page.url.endswith("/admin/meals/meal/add/"), "the form after the login")
        page.write("#id_name", "Lentil soup")
        page.write("#id_kcal", "420")
        page.write("#id_photo", str(photo))
        page.click("input[name=_continue]")
        until(lambda: page.url.endswith("/change/"), "the saved meal")
        assert "was added successfully" in page.text(".messagelist")
        shows_photo(page)
        is_styled(page)
        page.screenshot(ARTEFACTS / "admin-meal.png")

        first.stop()
        assert first.state["ExitCode"] == 0
        second = lab.backend(options=options, **env).start().until_answers()
        # The session outlives it, too.
        page.open(f"http://127.0.0.1:{second.port}/admin/meals/meal/")
        assert "Lentil soup" in page.text("#result_list")
        page.click("#result_list .field-name a")
        until(lambda: page.url.endswith("/change/"), "the meal")
        shows_photo(page)
        page.screenshot(ARTEFACTS / "admin-meal-replaced.png")

    (name,) = second.execute("find", "/app/media", "-type", "f").stdout.split()
    answer = second.get(f"/media/{Path(name).relative_to('/app/media')}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.body == photo.read_bytes()
    assert second.execute("stat", "-c", "%U", name).stdout.strip() == "django"
    for backend in (first, second):
        assert [record for record in backend.records if record["level"] != "INFO"] == []


def shows_photo(page: Browser) -> None:
    """The preview is loaded, and is the picture that was uploaded."""
    size = "const i = document.querySelector('img.meal-photo'); return [i.complete, i.naturalWidth, i.naturalHeight]"
    until(lambda: page.run(size) == [True, 320, 200], "the photo")
