"""What of a project its fingerprints depend on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "nix/image/fingerprint.py"


def fingerprints(folder: Path, environment: str = "environment") -> dict[str, str]:
    subprocess.run([sys.executable, PROGRAM, folder, environment], check=True)
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob(".fingerprint")}


def changed(folder: Path, before: dict[str, str]) -> set[str]:
    return {name for name, text in fingerprints(folder).items() if text != before[name]}


def test_an_edit_changes_the_fingerprint_of_its_folder_alone(tmp_path):
    """So that it changes one layer of the image."""
    for name in ("shop/static/site.css", "stock/views.py", "__pycache__/manage.pyc", "manage.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    before = fingerprints(tmp_path)
    assert set(before) == {".fingerprint", "shop/.fingerprint", "stock/.fingerprint"}
    assert before[".fingerprint"].split("\n")[1:] == ["shop", "stock"]
    assert changed(tmp_path, before) == set()
    (tmp_path / "shop/static/site.css").write_text("body {}")
    assert changed(tmp_path, before) == {"shop/.fingerprint"}
    before = fingerprints(tmp_path)
    (tmp_path / "manage.py").write_text("print()")
    assert changed(tmp_path, before) == {".fingerprint"}
    before = fingerprints(tmp_path)
    (tmp_path / "stock/views.py").rename(tmp_path / "stock/urls.py")
    assert changed(tmp_path, before) == {"stock/.fingerprint"}


def test_another_environment_has_another_fingerprint(tmp_path):
    (tmp_path / "manage.py").write_text("")
    assert fingerprints(tmp_path, "one") != fingerprints(tmp_path, "another")


def test_the_image_has_them_and_no_variable(image):
    folders = image.contents["app/.fingerprint"].decode().split("\n")[1:]
    assert "core" in folders
    assert all(f"app/{folder}/.fingerprint" in image.tree for folder in folders)
    assert not [each for each in image.config["config"]["Env"] if "FINGERPRINT" in each]
