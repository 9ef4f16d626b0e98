"""What is measured of pulling, as far as it needs no engine; `./nixw run .#bench -- --pull` drives real ones."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import xml.etree.ElementTree

import pytest

from bench.archive import Archive, Layer
from bench.chart import Bars, draw
from bench.conventional import add_what_differs
from bench.pull import HERE, PACKED, THERE, Arrival, bars_of, rows_of
from bench.size import shared

ARRIVALS = {
    "Docker 20.10.24": {
        HERE: Arrival([1.0, 2.0, 9.0], [1.0, 1.0, 1.0], [0.5, 0.5, 0.5]),
        THERE: Arrival([2.0, 4.0, 18.0], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]),
    },
    "containerd 1.6.20": {
        HERE: Arrival([1.0], [1.0], [1.0]),
        PACKED: Arrival([0.5], [1.0], [1.0]),
        THERE: Arrival([4.0], [4.0], [4.0]),
    },
}


def archive(path, **members):
    """An archive with a folder and these files in it; an int is a mode."""
    with tarfile.open(path, "w") as target:
        for name, content in {"etc": None, **members}.items():
            entry = tarfile.TarInfo(name if content is None else f"etc/{name}")
            entry.mtime = len(members)  # another one in each archive
            if content is None:
                entry.type = tarfile.DIRTYPE
                target.addfile(entry)
            else:
                content, entry.mode = content
                entry.size = len(content)
                target.addfile(entry, io.BytesIO(content))
    return path


def test_a_layer_has_what_was_added_or_changed(tmp_path):
    base = archive(tmp_path / "base.tar", same=(b"1", 0o644), changed=(b"1", 0o644), mode=(b"1", 0o644))
    root = archive(
        tmp_path / "root.tar",
        same=(b"1", 0o644),
        changed=(b"2", 0o644),
        mode=(b"1", 0o755),
        added=(b"new", 0o600),
    )
    add_what_differs(base, root, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as layer:
        found = {entry.name: (layer.extractfile(entry).read(), entry.mode) for entry in layer}
    assert found == {
        "etc/changed": (b"2", 0o644),
        "etc/mode": (b"1", 0o755),
        "etc/added": (b"new", 0o600),
    }


def test_rows_compare_each_image_with_the_conventional_one_on_its_engine():
    rows = {row.name: row for row in rows_of(ARRIVALS)}
    assert set(rows) == {
        f"{engine}-{what}"
        for engine in ("docker", "containerd", "containerd-zstd")
        for what in ("pull", "whole", "again")
    }
    assert rows["docker-whole"].ratio == 0.5
    assert rows["docker-whole"].ours == [2.0, 3.0, 10.0]
    assert "Docker 20.10.24" in rows["docker-whole"].what
    assert rows["containerd-zstd-pull"].ratio == 0.125


def test_bars_are_as_long_as_the_seconds(tmp_path):
    draw(bars_of(ARRIVALS), tmp_path / "pull.svg")
    picture = xml.etree.ElementTree.parse(tmp_path / "pull.svg")
    _, *parts = picture.findall(".//{http://www.w3.org/2000/svg}rect")  # the first is the sheet
    widths = [float(part.get("width")) for part in parts]
    medians = [2, 1, 4, 2, 1, 1, 0.5, 1, 4, 4]
    assert widths == pytest.approx([seconds * widths[0] / 2 for seconds in medians], abs=0.2)
    ends = [float(part.get("x")) + float(part.get("width")) for part in parts]
    assert max(ends) < 640


def test_what_two_images_share(tmp_path):
    """A layer only if all of it is the same; a store path wherever it lies."""
    one, other = Archive(tmp_path / "one"), Archive(tmp_path / "other")
    one.layers = [
        Layer("system", 0, {"nix/store/libc": 4_000_000}),
        Layer("packages", 0, {"nix/store/django": 2_000_000, "nix/store/gunicorn": 1_000_000}),
        Layer("project", 0, {"/": 500_000}),
    ]
    other.layers = [
        Layer("system", 0, {"nix/store/libc": 4_000_000}),
        Layer("others", 0, {"nix/store/django": 2_000_000, "nix/store/pillow": 3_000_000}),
        Layer("another", 0, {"/": 500_000}),
    ]
    assert shared(one, other) == (
        "4.0 of 9.5 MB are in layers of this image; if each store path were a layer, 6.0 MB would be."
    )


def test_without_an_engine_of_its_own_the_row_says_why(tmp_path):
    if not os.environ.get("BENCH"):
        pytest.skip("set BENCH to the program; `nix flake check` does (nix/development/checks.nix)")
    command = [os.environ["BENCH"], "--pull", "--json", str(tmp_path / "bench.json")]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PATH": ""}
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert row["not_measured"] == "no docker on PATH (apt-get install docker.io)"
    assert row["not_measured"] in done.stdout


def test_a_picture_needs_no_more_than_one_bar(tmp_path):
    bars = Bars("one", "One & only", ("pull",))
    bars.add("<engine>", [1.5])
    draw(bars, tmp_path / "one.svg")
    texts = [each.text for each in xml.etree.ElementTree.parse(tmp_path / "one.svg").iter() if each.text]
    assert {"One & only", "<engine>", "1.5 s"} <= set(texts)
