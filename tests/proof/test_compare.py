"""Where two images differ: the layer, the file, the store path."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import compare

Files = dict[str, bytes]


def layer(folder: Path, files: Files, mode: int = 0o644) -> Path:
    """An unpacked layer, named by its digest as skopeo does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    file = folder / hashlib.sha256(buffer.getvalue()).hexdigest()
    file.write_bytes(buffer.getvalue())
    return file


def test_same(tmp_path):
    layers = [layer(tmp_path, {"a": b""}), layer(tmp_path, {"b": b""})]
    assert compare.difference(layers, layers) == ""


def test_number_of_layers(tmp_path):
    one = layer(tmp_path, {"a": b""})
    assert compare.difference([one, one], [one]) == "it has 2 layers instead of 1"


def test_mode(tmp_path):
    ours, theirs = layer(tmp_path, {"app/a": b""}), layer(tmp_path, {"app/a": b""}, 0o4755)
    assert compare.difference([theirs], [ours]) == "layer 1 of 1 differs, in app/a: its owner, mode or time"


def test_order(tmp_path):
    ours, theirs = layer(tmp_path, {"a": b"", "b": b""}), layer(tmp_path, {"b": b"", "a": b""})
    assert "in the order of its files" in compare.difference([theirs], [ours])


def test_no_archive(tmp_path):
    (tmp_path / "none").write_bytes(b"\x01" * 1024)
    assert "it cannot be read" in compare.difference([tmp_path / "none"], [layer(tmp_path, {})])


def test_a_store_path_whose_content_is_not_what_its_inputs_build(tmp_path):
    name = f"nix/store/{32 * 'a'}-libpq-17.2/lib/libpq.so"
    ours, theirs = layer(tmp_path, {name: b"\x00"}), layer(tmp_path, {name: b"\x01"})
    assert compare.difference([theirs], [ours]) == f"layer 1 of 1 differs, in {name}: its content"


def test_of_other_inputs(tmp_path):
    ours, theirs = (f"nix/store/{32 * letter}-libpq-17.2" for letter in "ab")
    told = compare.difference([layer(tmp_path, {theirs: b""})], [layer(tmp_path, {ours: b""})])
    assert told == f"layer 1 of 1 differs, which has /{theirs} of other inputs instead of /{ours}"


NAMES = st.sampled_from(
    ["app/a", "app/b", "app/c", f"nix/store/{32 * 'a'}-x-1/f", f"nix/store/{32 * 'b'}-x-2/f"]
)
FILES = st.dictionaries(NAMES, st.binary(max_size=3), max_size=4)


@settings(deadline=None)
@given(st.lists(FILES, min_size=1, max_size=3), st.lists(FILES, min_size=1, max_size=3))
def test_whatever_differs_is_told(tmp_path_factory, theirs, ours):
    """Only equal layers are called equal, and what is told names a layer or their number."""
    folder = tmp_path_factory.mktemp("layers")
    told = compare.difference(
        [layer(folder, each) for each in theirs], [layer(folder, each) for each in ours]
    )
    same = [[*each.items()] for each in theirs] == [[*each.items()] for each in ours]
    assert (told == "") == same
    assert same or told.startswith(("layer ", "it has "))


def test_configuration():
    ours = {"os": "linux", "config": {"Env": ["A=1"], "User": "1000"}}
    theirs = {"os": "linux", "config": {"Env": ["A=hunter2"], "User": "1000"}}
    assert compare.configuration(theirs, ours) == "its configuration differs, in config.Env"
    assert compare.configuration(ours, ours) == ""
    assert compare.configuration(ours | {"author": "x"}, ours) == "its configuration differs, in author"
