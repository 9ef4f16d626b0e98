"""What the image says of itself in its labels."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from tests.sbom.conftest import given

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "backend/pyproject.toml"
PREFIX = "org.opencontainers.image."


def test_image_says_what_was_built(image):
    labels = image.config["config"]["Labels"]
    project = tomllib.loads(PROJECT.read_text())["project"]
    assert labels[f"{PREFIX}title"] == project["name"]
    assert labels[f"{PREFIX}version"] == project["version"]
    assert labels[f"{PREFIX}description"] == project["description"]
    assert labels[f"{PREFIX}licenses"] == project["license"]
    assert labels[f"{PREFIX}revision"]
    assert (f"{PREFIX}source" in labels) == ("urls" in project)


def test_the_licence_is_the_one_in_the_repository(image, components):
    [title, *_] = (ROOT / "LICENSE").read_text().splitlines()
    licence = image.config["config"]["Labels"][f"{PREFIX}licenses"]
    assert title == f"{licence} License"
    [application] = [component for component in components if component["type"] == "application"]
    assert application["licenses"] == [{"expression": licence}]


def test_labels_of_a_project_that_names_its_pages():
    """pyproject.toml may spell "Source Code" and "Home-Page" as it likes; what is not known is left out."""
    assert json.loads(given("LABELS").read_text()) == {
        f"{PREFIX}title": "shop",
        f"{PREFIX}version": "2.1",
        f"{PREFIX}licenses": "MIT",
        f"{PREFIX}source": "https://example.org/shop.git",
        f"{PREFIX}url": "https://example.org/",
        f"{PREFIX}documentation": "https://example.org/docs",
    }
