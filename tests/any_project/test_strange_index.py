"""`nixw add`, and what a lock names, from a Python index that answers as none should: by the machine's pip, and uv."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.any_project.test_sentences import ENVIRONMENT, NIXW
from tests.strange_index import FILE, FILES, PAGES, Answer, link, listing, serving, wheel

PROJECT = {
    "flake.nix": "{}",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = []\n',
    "pylock.toml": 'lock-version = "1.0"\ncreated-by = "a test"\npackages = []\n',
}
# Neither asks again, or waits.
IMPATIENT = {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}
STRANGE = {kind: (page, Answer(b"")) for kind, page in PAGES.items()}
STRANGE |= {kind: (link(FILE, content), Answer(content)) for kind, content in FILES.items()}
STRANGE["half of a file"] = (link(FILE, wheel()), Answer(wheel()[:100], promised=len(wheel())))
STRANGE["another digest"] = (listing(md5="0" * 32), Answer(wheel()))


def run(command: list[str | Path], folder: Path, address: str) -> subprocess.CompletedProcess[str]:
    environment = ENVIRONMENT | IMPATIENT | {"PIP_INDEX_URL": address}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("kind", STRANGE)
def test_a_package_is_added_or_refused_in_a_sentence(tmp_path, kind):
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    with serving(*STRANGE[kind]) as address:
        result = run([NIXW, "add", "bad"], tmp_path, address)
    assert result.returncode == 101, result.stderr
    [_, sentence, _] = result.stderr.splitlines()
    assert sentence.startswith("add: ")
    assert "fault" not in sentence
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == PROJECT


@pytest.mark.parametrize("kind", STRANGE)
def test_a_wheel_is_fetched_or_refused_in_a_sentence(tmp_path, kind):
    page, file = STRANGE[kind]
    wanted = {"name": "bad", "version": "1.0", "file": FILE, "sha256": hashlib.sha256(wheel()).hexdigest()}
    (tmp_path / "files.json").write_text(json.dumps([wanted]))
    with serving(page, file) as address:
        seed = NIXW.parent / "nix/debian/seed.py"
        result = run(["python3", "-B", seed, "--files", "files.json"], tmp_path, address)
    assert result.returncode in (1, 3), result.stderr
    [_, sentence] = result.stderr.splitlines()
    assert sentence.startswith(("seed: The Python index ", "seed: pip could not download the wheels: "))
