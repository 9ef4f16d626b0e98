"""How a project is byte-compiled, and what is said of a file that cannot be."""

from __future__ import annotations

import json
import marshal
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "nix/image/compile.py"


def compile_project(folder: Path) -> list[str]:
    """What Nix is told to show. Fails unless the build would go on."""
    output = subprocess.run([sys.executable, PROGRAM, folder], check=True, capture_output=True, text=True)
    lines = [line.removeprefix("@nix ") for line in output.stdout.splitlines() if line.startswith("@nix ")]
    return [message["msg"] for message in map(json.loads, lines) if message["level"] == 1]


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
