"""How a project is byte-compiled, and what is said of a file that cannot be."""

from __future__ import annotations

import json
import marshal
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "nix/image/compile.py"


def compile_project(folder: Path, *left_out: str, level: int = 1) -> list[str]:
    """What Nix is told to show, on the level. Fails unless the build would go on."""
    command = [sys.executable, PROGRAM, folder, *left_out]
    output = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [line.removeprefix("@nix ") for line in output.stdout.splitlines() if line.startswith("@nix ")]
    return [message["msg"] for message in map(json.loads, lines) if message["level"] == level]


def test_a_syntax_error_is_shown_with_its_file_and_line_and_stops_nothing(tmp_path):
    (tmp_path / "sound.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("x = 1\ndef broken(:\n")
    [message] = compile_project(tmp_path)
    assert 'File "/app/broken.py", line 2' in message
    assert "SyntaxError: invalid syntax" in message
    assert "sound.py" not in message
    [compiled] = (tmp_path / "__pycache__").iterdir()
    content = compiled.read_bytes()
    assert int.from_bytes(content[4:8], "little") == 0b11, "checked by its source's hash"
    assert marshal.loads(content[16:]).co_filename == "/app/sound.py"


def test_a_project_without_syntax_errors_gets_no_warning(tmp_path):
    (tmp_path / "sound.py").write_text("x = 1\n")
    assert compile_project(tmp_path) == []


def test_what_is_left_out_is_shown(tmp_path):
    assert compile_project(tmp_path, "docs", "shop/it's tests", level=2) == [
        "The image leaves out of the project: docs, shop/it's tests."
    ]
    assert compile_project(tmp_path, level=2) == []
