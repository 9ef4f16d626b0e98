"""The bill of materials as a document: valid, sound in itself, and in the image."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing
from packageurl import PackageURL

PROJECT = Path(__file__).parents[2] / "backend/pyproject.toml"


def test_is_valid_against_the_schema(text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_schema_would_refuse_a_wrong_one(sbom):
    broken = json.dumps(sbom | {"components": [{"type": "package", "name": "libc6"}]})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_is_in_the_image_where_scanners_look(image, text):
    """Trivy takes any name that ends in .cdx.json; the one file of that kind is this one."""
    found = {
        path: content for path, content in image.files.items() if path.endswith((".cdx.json", ".spdx.json"))
    }
    assert found == {"usr/share/sbom/eatfit24-backend.cdx.json": text.encode()}


def test_package_urls_are_canonical(components):
    purls = [component["purl"] for component in components if "purl" in component]
    assert purls
    assert [PackageURL.from_string(purl).to_string() for purl in purls] == purls
    assert len(set(purls)) == len(purls)


def test_package_urls_name_what_the_components_do(components):
    for component in components:
        if "purl" in component:
            purl = PackageURL.from_string(component["purl"])
            assert purl.version == component["version"]
            name = component["name"].lower().replace("_", "-") if purl.type == "pypi" else component["name"]
            assert purl.name == name


def test_packages_of_a_distribution_say_which(image, components):
    """Without the release, a scanner cannot tell which advisories count."""
    release = dict(
        line.split("=", 1) for line in image.files["etc/os-release"].decode().splitlines() if "=" in line
    )
    distro = f"{release['ID']}-{release.get('VERSION_ID', '').strip('"')}"
    urls = [PackageURL.from_string(component["purl"]) for component in components if "purl" in component]
    debs = [url for url in urls if url.type == "deb"]
    assert {url.qualifiers["distro"] for url in debs} <= {distro}
    assert {url.qualifiers["arch"] for url in debs} <= {"amd64", "arm64", "all"}
    systems = [component for component in components if component["type"] == "operating-system"]
    assert [f"{system['name']}-{system['version']}" for system in systems] == ([distro] if debs else [])


def test_licence_expressions_are_spdx(components):
    licensing = get_spdx_licensing()
    expressions = [
        licence["expression"] for component in components for licence in component.get("licenses", [])
        if "expression" in licence
    ]  # fmt: skip
    assert expressions
    assert [text for text in expressions if licensing.validate(text).errors] == []


def test_every_python_distribution_has_a_licence(components):
    distributions = [
        component for component in components if component.get("purl", "").startswith("pkg:pypi/")
    ]
    assert [one["name"] for one in distributions if not one.get("licenses")] == []


def test_the_application_is_a_component(sbom, components):
    project = tomllib.loads(PROJECT.read_text())["project"]
    [application] = [component for component in components if component["type"] == "application"]
    assert (application["name"], application["version"]) == (project["name"], project["version"])
    assert sbom["metadata"]["component"]["type"] == "container"
    assert sbom["metadata"]["component"]["version"] == project["version"]
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in sbom["dependencies"]}
    needed = {ref.split("@")[0] for ref in needs[application["bom-ref"]]}
    assert {"pypi:django", "pypi:psycopg2"} <= needed
    assert len(needed) == len(project["dependencies"])


def test_everything_is_reached_from_the_image(sbom, components):
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in sbom["dependencies"]}
    reached: set[str] = set()
    todo = [sbom["metadata"]["component"]["bom-ref"]]
    while todo:
        ref = todo.pop()
        if ref not in reached:
            reached.add(ref)
            todo += needs[ref]
    assert reached - {sbom["metadata"]["component"]["bom-ref"]} == {one["bom-ref"] for one in components}


def test_nothing_in_it_changes_from_build_to_build(sbom):
    assert "timestamp" not in sbom["metadata"]
    assert sbom["serialNumber"].split("-")[2].startswith("5"), (
        "a number made from the content (RFC 9562, 5.5)"
    )
