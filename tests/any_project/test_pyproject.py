"""nix/python/pyproject.nix reads a pyproject.toml as Python's tomllib does, also where Nix's own reader does not."""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.any_project.locks import ROOT, evaluate

INDEX = '[[tool.uv.index]]\nname = "internal"\nurl = "https://example.org/simple"\n'
TEXTS = {
    "a table behind a list in it": f'[project]\nname = "shop"\n{INDEX}[tool.uv]\npackage = false\n[tool.uv.sources]\na.b = 1\n',
    "all of its parents": f"{INDEX}[tool.uv]\nx = 1\n[tool.other]\ny = 2\n[tool]\nz = 3\n",
    "tables in lists": '[[tool.a.b]]\n[tool.a.b.c]\nx = 1\n[[tool.a.b]]\n[tool.a.b.c]\nx = 2\n[tool.a]\ny = [\n"d",\n]\n',
    "nothing": "",
    "no table": "x = 1\n# [tool.uv]\n",
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS.items()])
def test_it_is_read_as_tomllib_reads_it(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    result = evaluate(
        f"import {ROOT}/nix/python/pyproject.nix {{ lib = import {ROOT}/nix/debian/lib.nix; }} {tmp_path}/pyproject.toml"
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == tomllib.loads(text)
