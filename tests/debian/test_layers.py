"""How store paths are divided into layers: nix/debian/docker-tools/image.py, by the steps of nix/image/layers.nix."""

from __future__ import annotations

import importlib.util
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

SOURCE = Path(__file__).parents[2] / "nix/debian/docker-tools/image.py"
spec = importlib.util.spec_from_file_location("image", SOURCE)
assert spec is not None
assert spec.loader is not None
image = importlib.util.module_from_spec(spec)
spec.loader.exec_module(image)

PATHS = [f"/nix/store/{letter * 32}-{letter}" for letter in "abcdefgh"]


def pipeline(layers: list[list[str]]) -> list[Any]:
    if not layers:
        return []
    rest = pipeline(layers[1:])
    return [["subcomponent_out", layers[0]], *([["over", "rest", ["pipe", rest]]] if rest else [])]


@given(
    st.dictionaries(st.sampled_from(PATHS), st.lists(st.sampled_from(PATHS))),
    st.lists(st.lists(st.sampled_from(PATHS))),
)
def test_each_path_lies_once_and_above_what_it_needs(references, layers):
    """Also with circles, paths that need themselves, and layers of what is not in the image."""
    references = {
        path: [other for other in needed if other in references] for path, needed in references.items()
    }
    divided = image.divide(list(references), references, pipeline(layers))
    assert sorted(path for layer in divided for path in layer) == sorted(references)
    assert all(divided)
    assert len(divided) <= len(layers) + 1
    below: set[str] = set()
    for layer in divided:
        below.update(layer)
        assert below.issuperset(other for path in layer for other in references[path])


def test_a_step_that_is_not_known():
    with pytest.raises(SystemExit, match="has a step that is not known here: ..popularity_contest"):
        image.divide(PATHS, {}, [["popularity_contest"]])


def test_a_large_folder_of_the_application_is_a_layer_of_its_own(tmp_path):
    """So that an edit beside it does not move it; small ones lie together, for each layer takes a node time."""
    root = tmp_path / "root"
    for name, size in {
        "app/photos/a.jpg": 2_000_000,
        "app/meals/views.py": 300,
        "app/core/views.py": 300,
    }.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(b"x" * size)

    def layers(out: str) -> dict[str, list[str]]:
        (tmp_path / out).mkdir()
        names = ["."] + [path.relative_to(root).as_posix() for path in root.rglob("*")]
        (tmp_path / "names").write_text("\0".join(names))
        (tmp_path / "owners").write_text("0 0 755\n" * len(names))
        image.top(
            *(str(tmp_path / name) for name in ("root", "names", "owners", out)), "1970-01-01T00:00:01Z"
        )
        found = {}
        for layer in json.loads((tmp_path / out / "layers.json").read_text()):
            with tarfile.open(layer["tar"]) as archive:
                found[layer["diff_id"]] = [entry.name for entry in archive if entry.isfile()]
        return found

    before = layers("before")
    assert sorted(before.values()) == [["app/core/views.py", "app/meals/views.py"], ["app/photos/a.jpg"]]
    (root / "app/meals/views.py").write_text("edited")
    assert list(before.keys() & layers("after").keys()) == [
        digest for digest, files in before.items() if files == ["app/photos/a.jpg"]
    ]
