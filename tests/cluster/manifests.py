"""The manifests, rendered as an operator renders them, and the programs that judge them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.cluster.conftest import DEPLOY
from tests.cluster.engine import run
from tests.container.images import path_of_the_machine

HERE = Path(__file__).resolve().parent
INSTALLING = 900.0  # seconds, with a slow index
DIGEST = "sha256:" + "ab" * 32

Manifest = dict[str, Any]


@cache
def tools() -> Path:
    """The folder with the packages of requirements.txt, installed when it is first asked for."""
    requirements = HERE / "requirements.txt"
    version = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = HERE / ".artefacts" / f"tools-{version}"
    marker = folder / ".complete"
    if not marker.exists():
        done = subprocess.run(
            [
                *("python3", "-m", "pip", "install", "--quiet", "--no-compile", "--upgrade"),
                *("--target", str(folder), "--requirement", str(requirements)),
            ],
            env={**os.environ, "PATH": path_of_the_machine()},
            capture_output=True,
            text=True,
            timeout=INSTALLING,
        )
        assert done.returncode == 0, done.stderr
        marker.touch()
    return folder


def tool(*command: str, text: str | None = None, check: bool = True) -> str:
    """Run a program of the machine's Python, with the packages of requirements.txt."""
    env = {"PATH": path_of_the_machine(), "PYTHONPATH": str(tools()), "PYTHONDONTWRITEBYTECODE": "1"}
    return run(*command, env=env, text=text, check=check)


def render(folder: Path) -> list[Manifest]:
    """What `kubectl apply --kustomize` would send to a cluster."""
    text = tool(str(tools() / "bin/kubectl"), "kustomize", str(folder))
    convert = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
    return json.loads(tool("python3", "-c", convert, text=text))


def write(manifests: list[Manifest], path: Path) -> Path:
    """As a file for other programs: JSON is YAML."""
    path.write_text("\n---\n".join(json.dumps(each, indent=1) for each in manifests))
    return path


def overlay(folder: Path, base: str, text: str) -> Path:
    """An overlay on one of the folders of deploy/kubernetes, with the lines `text` in its kustomization."""
    folder.mkdir(parents=True, exist_ok=True)
    resources = os.path.relpath(DEPLOY / "kubernetes", folder)
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\n"
        "kind: Kustomization\n"
        "namespace: eatfit24\n"
        f"resources: [{resources}/{base}]\n" + text.replace("@kubernetes@", resources)
    )
    return folder


BY_DIGEST = f"""
images:
  - name: eatfit24-backend
    newName: registry.example.com/eatfit24-backend
    digest: {DIGEST}
"""
JOB = "components: ['@kubernetes@/migrate-job']\n"


def variants(folder: Path) -> dict[str, list[Manifest]]:
    """Every way of docs/clusters.md, with an image by its digest."""
    return {
        "booting": render(overlay(folder / "booting", "base", BY_DIGEST)),
        "job": render(overlay(folder / "job", "base", BY_DIGEST + JOB)),
        "try": render(overlay(folder / "try", "try", BY_DIGEST)),
    }


def find(manifests: list[Manifest], kind: str, name: str = "backend") -> Manifest:
    """The one manifest of this kind and name; generated names end in a hash."""
    (found,) = [
        each for each in manifests if each["kind"] == kind and each["metadata"]["name"].startswith(name)
    ]
    return found
