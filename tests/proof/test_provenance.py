"""The provenance, and the artifacts that lie beside an image: by their specifications, and by what Nix itself says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import derivation
import nar
import provenance

# in-toto statement v1 and SLSA provenance v1.0, as far as their specifications say what must be there.
DIGEST = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]+$"},
}
URI = {"type": "string", "pattern": "^[a-z][a-z0-9+.-]*:"}
RESOURCE = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "uri": URI, "digest": DIGEST},
    "additionalProperties": False,
    "anyOf": [{"required": ["uri"]}, {"required": ["digest"]}],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["_type", "subject", "predicateType", "predicate"],
    "additionalProperties": False,
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {"type": "array", "minItems": 1, "items": {**RESOURCE, "required": ["digest"]}},
        "predicateType": {"const": "https://slsa.dev/provenance/v1"},
        "predicate": {
            "type": "object",
            "required": ["buildDefinition", "runDetails"],
            "additionalProperties": False,
            "properties": {
                "buildDefinition": {
                    "type": "object",
                    "required": ["buildType", "externalParameters"],
                    "additionalProperties": False,
                    "properties": {
                        "buildType": URI,
                        "externalParameters": {"type": "object"},
                        "internalParameters": {"type": "object"},
                        "resolvedDependencies": {"type": "array", "items": RESOURCE},
                    },
                },
                # Neither an invocation nor times: it is to be reproducible.
                "runDetails": {
                    "type": "object",
                    "required": ["builder"],
                    "additionalProperties": False,
                    "properties": {
                        "builder": {
                            "type": "object",
                            "required": ["id"],
                            "additionalProperties": False,
                            "properties": {"id": URI},
                        }
                    },
                },
            },
        },
    },
}
COMMIT = 40 * "a"


def drv(name: str, outputs: str, derivations: str = "", sources: str = "", environment: str = "") -> str:
    return f'Derive([{outputs}],[{derivations}],[{sources}],"s","/b",["-c","x\\n\\"y\\""],[("name","{name}"){environment}])'


@pytest.fixture
def root(tmp_path) -> Path:
    """An image of a package and a source."""
    source = tmp_path / f"{32 * 'a'}-settings.py"
    source.write_text("DEBUG = False\n")
    package, folder, image = (tmp_path / f"{name}.drv" for name in ("package", "folder", "image"))
    package.write_text(
        drv(
            "a_1.deb",
            f'("out","/p","sha256","{64 * "1"}")',
            environment=',("urls","https://example.org/a_1.deb b")',
        )
    )
    folder.write_text(drv("f", f'("out","/f","r:sha256","{64 * "2"}")', f'("{package}",["out"])'))
    image.write_text(
        drv("image", '("out","/i","","")', f'("{package}",["out"]),("{folder}",["out"])', f'"{source}"')
    )
    return image


def described(**more: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "revision": COMMIT,
        "source": "https://example.org/shop",
        "system": "x86_64-linux",
        **more,
    }


def test_what_comes_from_outside(root):
    found = provenance.statement(described(), f"sha256:{64 * '0'}", root)
    jsonschema.validate(found, SCHEMA)
    assert found["predicate"]["buildDefinition"]["resolvedDependencies"] == [
        {"name": "commit", "digest": {"gitCommit": COMMIT}, "uri": f"git+https://example.org/shop@{COMMIT}"},
        {"name": "a_1.deb", "digest": {"sha256": 64 * "1"}, "uri": "https://example.org/a_1.deb"},
        {"name": "f", "digest": {"narSha256": 64 * "2"}},
        {
            "name": "settings.py",
            "digest": {"narSha256": nar.nar_sha256(root.parent / f"{32 * 'a'}-settings.py")},
        },
    ]


@pytest.mark.parametrize("revision", [None, "dirty", f"{COMMIT}-dirty"])
def test_a_tree_with_changes_is_no_commit(root, revision):
    found = provenance.statement(described(revision=revision), f"sha256:{64 * '0'}", root)
    jsonschema.validate(found, SCHEMA)
    assert "gitCommit" not in json.dumps(found)
    assert found["predicate"]["buildDefinition"]["externalParameters"]["revision"] == revision


def test_what_is_no_derivation():
    with pytest.raises(ValueError, match="not a derivation"):
        derivation.read("{}")


@pytest.fixture(scope="module")
def layout() -> Path:
    if not os.environ.get("REFERRERS"):
        pytest.skip("set REFERRERS and OCI; `nix flake check` does (nix/development/checks.nix)")
    return Path(os.environ["REFERRERS"])


def artifacts(layout: Path) -> list[dict[str, Any]]:
    index = json.loads((layout / "index.json").read_text())
    return [json.loads(blob(layout, each["digest"])) for each in index["manifests"]]


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def test_artifacts(layout):
    """OCI image-spec 1.1, "Guidelines for Artifact Usage": an empty configuration, and the image as the subject."""
    (image,) = json.loads((Path(os.environ["OCI"]) / "index.json").read_text())["manifests"]
    for artifact in artifacts(layout):
        assert artifact["subject"] == {key: image[key] for key in ("mediaType", "digest", "size")}
        assert artifact["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
        assert blob(layout, artifact["config"]["digest"]) == b"{}"
        (layer,) = artifact["layers"]
        assert layer["mediaType"] == artifact["artifactType"]
        assert len(blob(layout, layer["digest"])) == layer["size"]


def test_this_images_provenance(layout):
    """Valid, of this image; and whatever the bill of materials has a hash of is among what it is made of."""
    documents = {
        each["artifactType"]: json.loads(blob(layout, each["layers"][0]["digest"]))
        for each in artifacts(layout)
    }
    statement = documents["application/vnd.in-toto+json"]
    jsonschema.validate(statement, SCHEMA)
    (image,) = json.loads((Path(os.environ["OCI"]) / "index.json").read_text())["manifests"]
    assert statement["subject"][0]["digest"]["sha256"] == image["digest"].removeprefix("sha256:")
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    made_of = {each["digest"].get("sha256") for each in dependencies}
    hashes = {
        found["content"]
        for component in documents["application/vnd.cyclonedx+json"]["components"]
        for found in component.get("hashes", [])
    }
    assert hashes
    assert hashes <= made_of
    names = [each["name"] for each in dependencies]
    assert len(names) > len(hashes)
