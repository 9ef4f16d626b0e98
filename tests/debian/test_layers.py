"""How store paths are divided into layers: nix/debian/docker-tools/image.py, by the steps of nix/image/layers.nix."""

from __future__ import annotations

import importlib.util
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
