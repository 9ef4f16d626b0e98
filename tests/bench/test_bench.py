"""The benchmark measures what it says, at least once; no figure is held to anything here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree

import pytest

ROWS = {
    "boot",
    "gunicorn",
    "first-boot",
    "memory",
    "throughput-live",
    "throughput-static",
    "unpacked",
    "packed",
    "edit-bytes",
    "edit-rebuild",
    "clone-install",
    "clone-seed",
    "clone-build",
    "clone-gzip",
    "clone-tar",
}
# What takes neither a container engine nor a network.
ALWAYS = {"boot", "gunicorn", "first-boot", "memory"}
CURVES = {"migrations": {"10"}, "files": {"100"}, "replicas": {"1", "4"}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One quick run; `nix flake check` says of what."""
    if not os.environ.get("BENCH"):
        pytest.skip("set BENCH to the program; `nix flake check` does (nix/development/checks.nix)")
    folder = tmp_path_factory.mktemp("bench")
    page = folder / "page.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n")
    command = [
        os.environ["BENCH"],
        "--quick",
        "--json",
        str(folder / "bench.json"),
        "--page",
        str(page),
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert result.returncode == 0, result.stderr
    sys.stdout.write(result.stdout)
    return result.stdout, json.loads((folder / "bench.json").read_text()), page


def test_every_row_is_there_with_a_figure_or_a_reason(run):
    table, report, page = run
    assert page.read_text().startswith("before\n<!-- measured -->\n")
    assert page.read_text().endswith(f"{table}<!-- /measured -->\nafter\n")
    rows = {row["name"]: row for row in report["rows"]}
    assert set(rows) == ROWS
    for row in rows.values():
        assert row["what"] in table
        assert row["not_measured"] or all(sample > 0 for sample in row["ours"])
    for name in ALWAYS:
        assert rows[name]["ratio"] > 0


def test_image_is_listed_path_by_path(run):
    _, report, _ = run
    unpacked = next(row for row in report["rows"] if row["name"] == "unpacked")["ours"][0]
    assert sum(report["paths"].values()) == unpacked
    assert any("django" in path for path in report["paths"])


def test_curves_are_drawn(run):
    _, report, page = run
    curves = {curve["name"]: curve["lines"] for curve in report["curves"]}
    assert set(curves) == set(CURVES)
    for name, lines in curves.items():
        assert all(set(line) == CURVES[name] for line in lines.values())
        picture = xml.etree.ElementTree.parse(page.with_suffix("") / f"{name}.svg")
        circles = picture.findall(".//{http://www.w3.org/2000/svg}circle")
        assert len(circles) == sum(len(line) for line in lines.values())
