"""Takes admin.png, a screenshot of the admin page, of a server that runs.

In a fresh checkout, `./nixw run`; beside it, with Debian's chromium, chromium-driver and optipng,
`./nixw develop -c python -m docs.admin http://127.0.0.1:8000`. It logs in and adds the meals that it shows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.container.webdriver import Browser, browser
from tests.running import until

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/admin.png"
MEALS = {"Porridge": 310, "Lentil soup": 420, "Rye bread": 380, "Fried rice": 560}


def main(site: str) -> None:
    with browser() as page, tempfile.TemporaryDirectory() as folder:
        page.resize(1200, 680)
        page.open(f"{site}/admin/meals/meal/add/")
        # Any picture is a photo: this one shows the login.
        photo = Path(folder, "photo.png")
        page.screenshot(photo)
        page.write("#id_username", "admin")
        page.write("#id_password", (ROOT / ".run/admin-password").read_text().strip())
        page.click("input[type=submit]")
        until(lambda: page.url.endswith("/add/"), "the form after the login")
        for name, kcal in MEALS.items():
            add(page, name, kcal, photo)
        page.open(f"{site}/admin/meals/meal/")
        page.run("document.documentElement.style.overflow = 'hidden'")
        page.screenshot(PICTURE)
    subprocess.run(["optipng", "-quiet", "-o5", PICTURE], check=True)


def add(page: Browser, name: str, kcal: int, photo: Path) -> None:
    page.write("#id_name", name)
    page.write("#id_kcal", str(kcal))
    page.write("#id_photo", str(photo))
    page.click("input[name=_addanother]")
    until(lambda: name in page.text(".messagelist"), "the saved meal")


if __name__ == "__main__":
    main(*sys.argv[1:])
