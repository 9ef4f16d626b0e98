"""What is taken for an image in a registry, and for a manifest: both come from outside."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images import Folder, named
from outcome import Outcome, Stop
from reference import read_reference

DIGEST = f"sha256:{64 * '0'}"


@pytest.mark.parametrize(
    "image",
    [
        f"registry.example.org/team/backend@{DIGEST}",
        "localhost/a:1",
        "127.0.0.1:5000/a/b:latest",
        "[::1]:5000/a:1",
    ],
)
def test_images(image):
    assert str(read_reference(f"docker://{image}")) == image


@pytest.mark.parametrize(
    "text",
    [
        "docker://registry.example.org/team/backend",
        "docker://team/backend:1",
        f"docker://registry.example.org/a:1@{DIGEST}",
        f"docker://registry.example.org/a@{DIGEST}0",
        "docker://ann:hunter2@registry.example.org/a:1",
        "oci:result",
    ],
)
def test_what_is_none(text):
    with pytest.raises(Stop) as stopped:
        read_reference(text)
    assert stopped.value.outcome == Outcome.USAGE
    assert "hunter2" not in str(stopped.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["config", "layers", "manifests", "digest", "size", "platform", "os", "rootfs"]),
            inner,
            max_size=4,
        )
    ),
)


@settings(deadline=None)
@given(
    JSON
    | st.fixed_dictionaries({"config": JSON, "layers": JSON})
    | st.fixed_dictionaries({"manifests": JSON})
)
def test_whatever_is_no_manifest_is_refused(tmp_path_factory, document):
    """None of these has an image below it, so an index of nothing is all that can be read."""
    try:
        images = named(Folder(tmp_path_factory.getbasetemp()), json.dumps(document).encode()).images
        outcome = Outcome.NO_IMAGE
    except Stop as stop:
        images, outcome = [], stop.outcome
    assert (images, outcome) == ([], Outcome.NO_IMAGE)


@settings(deadline=None)
@given(st.binary())
def test_whatever_is_no_json_is_refused(tmp_path_factory, content):
    with pytest.raises(Stop):
        named(Folder(tmp_path_factory.getbasetemp()), b"\xff" + content)
