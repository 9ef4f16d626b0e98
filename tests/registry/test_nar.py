"""The archives of what an image is built from, against Nix itself, which its sandbox lacks."""

from __future__ import annotations

import subprocess

import nar


def test_archive_of_a_folder(tmp_path):
    """Against Nix's own number: a folder with a program, a link, an empty file, and names that sort by bytes."""
    folder = tmp_path / "folder"
    (folder / "B").mkdir(parents=True)
    (folder / "a").write_bytes(b"12345678")
    (folder / "é").write_bytes(b"")
    (folder / "B/run").write_text("#!/bin/sh\n")
    (folder / "B/run").chmod(0o755)
    (folder / "link").symlink_to("B/run")
    for path in (folder, folder / "a", folder / "B/run"):
        asked = subprocess.run(
            ["nix-hash", "--type", "sha256", path], capture_output=True, text=True, check=True
        )
        assert nar.nar_sha256(path) == asked.stdout.strip()
