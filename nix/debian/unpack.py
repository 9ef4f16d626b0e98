"""The one program that the package set cannot unpack with itself: busybox, out of its .deb."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import mirror
import program

BOOTSTRAP = "busybox-bootstrap"


def extract_busybox(deb: Path, target: Path) -> None:
    """Put busybox-static's program into `target`/bin/busybox, executable."""
    result = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True)
    if result.returncode != 0:
        reason = program.one_line(result.stderr.decode(errors="replace"))
        raise mirror.MirrorError(f"{deb.name} cannot be unpacked: {reason}")
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        member = next((entry for entry in archive if entry.name.endswith("bin/busybox")), None)
        content = archive.extractfile(member) if member else None
        if content is None:
            raise mirror.MirrorError(f"{deb.name} has no busybox.")
        (target / "bin").mkdir(parents=True)
        (target / "bin/busybox").write_bytes(content.read())
    (target / "bin/busybox").chmod(0o755)


def busybox_nar_hash(package: dict[str, Any]) -> str:
    """SHA-256 (base 16, as nix-hash prints it) of that folder in Nix's archive format, as the lock records it."""
    with tempfile.TemporaryDirectory() as name:
        deb = Path(name, "busybox.deb")
        mirror.download_debs({deb.name: (package["path"], package["sha256"])}, deb.parent)
        folder = Path(name, BOOTSTRAP)
        extract_busybox(deb, folder)
        command = ["nix-hash", "--type", "sha256", str(folder)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
