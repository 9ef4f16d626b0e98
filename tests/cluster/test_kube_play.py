"""deploy/kubernetes, run by Podman, which knows pods, deployments, volumes and secrets.

What it does not know is done here as a cluster would: probes, the Job, and the name of the Service `db`.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import need
from tests.cluster.engine import PATIENCE, CommandError, run, until
from tests.cluster.manifests import JOB, Manifest, find, overlay, render, write
from tests.container.images import build

OVERLAY = """
configMapGenerator:
  - name: backend
    behavior: merge
    literals:
      - POSTGRES_HOST=db-pod-0
images:
  - name: eatfit24-backend
    newName: localhost/eatfit24-backend
    newTag: latest
  - name: postgres
    newName: localhost/postgres
    newTag: 17-nix
"""
SERVER = "backend-pod-0-backend"
WORKER = "worker-pod-0-worker"

# Podman asks for more than a machine in a sandbox may have.
LIMITS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
"""


class Podman:
    """Podman with storage and a network namespace of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="podman-"))
        self.namespace = self.folder.name
        (self.folder / "containers.conf").write_text(LIMITS)
        run("ip", "netns", "add", self.namespace)
        run("ip", "-netns", self.namespace, "link", "set", "lo", "up")
        self("network", "create", "pods")

    def __call__(self, *arguments: str, check: bool = True) -> str:
        folder = self.folder
        return run(
            *("nsenter", f"--net=/run/netns/{self.namespace}", "podman"),
            # runc and cgroupfs work on machines with and without systemd, and with either version of cgroups.
            *("--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"),
            *(
                "--root",
                f"{folder}/root",
                "--runroot",
                f"{folder}/run",
                "--network-config-dir",
                f"{folder}/net",
            ),
            *arguments,
            env={"CONTAINERS_CONF": f"{folder}/containers.conf", "TMPDIR": str(folder)},
            check=check,
        )

    def load(self, archive: Path) -> None:
        """Load a built image. Debian 12's Podman reads no compressed archives."""
        plain = self.folder / "image.tar"
        with plain.open("wb") as file:
            subprocess.run(["gzip", "-dc", str(archive)], stdout=file, check=True, timeout=PATIENCE)
        self("load", "--quiet", "--input", str(plain))
        plain.unlink()

    def close(self) -> None:
        self("pod", "rm", "--all", "--force", check=False)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((each for each in mounts if each.startswith(f"{self.folder}/")), reverse=True):
            run("umount", "--lazy", mount, check=False)
        run("ip", "netns", "delete", self.namespace, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def podman(tmp_path_factory) -> Iterator[Podman]:
    need(
        {
            "podman": "podman",
            "runc": "runc",
            "ip": "iproute2",
            "iptables": "iptables",
            "/usr/lib/podman/netavark": "netavark",
            "/usr/lib/podman/aardvark-dns": "aardvark-dns",
            "/usr/libexec/podman/catatonit": "catatonit",
            "/etc/containers/policy.json": "golang-github-containers-common",
        }
    )
    engine = Podman()
    try:
        engine.load(build("image"))
        engine.load(build("postgres-image"))
        folder = tmp_path_factory.mktemp("play")
        manifests = render(overlay(folder / "overlay", "try", OVERLAY + JOB))
        play(engine, manifests, folder)
        yield engine
    finally:
        engine.close()


def play(engine: Podman, manifests: list[Manifest], folder: Path) -> None:
    """As `kubectl apply`, in an order that suits a program that waits for init containers."""
    job = find(manifests, "Job", "migrate")
    server = find(manifests, "Deployment")
    # Podman would run it with curl, in the container.
    template = server["spec"]["template"]
    del template["spec"]["containers"][0]["livenessProbe"]
    # Or it would remove the init container, sometimes before that has quite ended.
    always = {"io.podman.annotations.init.container.type": "always"}
    server["metadata"]["annotations"] = template["metadata"]["annotations"] = always
    worker = find(manifests, "Deployment", "worker")
    del worker["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]
    migrate = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "migrate", "labels": job["spec"]["template"]["metadata"]["labels"]},
        "spec": job["spec"]["template"]["spec"],
    }
    common = [each for each in manifests if each["kind"] in ("PersistentVolumeClaim", "ConfigMap")]
    configuration = [each for each in common if each["kind"] == "ConfigMap"]
    steps = {
        "db": [secret(), *common, find(manifests, "Deployment", "db")],
        "migrate": [*configuration, migrate],
        "backend": [*configuration, server],
        "worker": [*configuration, worker],
    }
    for name, documents in steps.items():
        engine("kube", "play", "--network", "pods", str(write(documents, folder / f"{name}.yaml")))
        if name == "db":
            # As a Service has one. Podman's own names may be lost when a pod ends, as that of the Job does.
            address = address_of(engine, "db-pod-0")
            for each in configuration:
                each["data"] |= {"POSTGRES_HOST": address} if "POSTGRES_HOST" in each["data"] else {}


def address_of(engine: Podman, pod: str) -> str:
    infra = engine("pod", "inspect", pod, "--format", "{{.InfraContainerID}}").strip()
    return engine(
        "inspect", infra, "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    ).strip()


def secret() -> Manifest:
    values = {"secret_key": secrets.token_urlsafe(50), "postgres_password": secrets.token_urlsafe(24)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "backend"},
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in values.items()},
    }


def probe(podman: Podman, path: str) -> str:
    """What a kubelet's probe gets: it asks by the pod's address, and that is the Host it sends."""
    ask = f"wget -q -O - http://$(hostname -i):8000{path}"
    try:
        return podman("exec", SERVER, "/bin/sh", "-c", ask)
    except CommandError:
        return ""


def until_started(podman: Podman) -> None:
    """Wait as the startup probe does."""

    def started() -> str:
        state = podman("inspect", SERVER, "--format", "{{.State.Status}}")
        assert state != "exited", podman("logs", SERVER)
        return probe(podman, "/api/health/live/")

    until(started, "the startup probe")


def test_boots_to_ready_and_probes_come_by_pod_ip(podman):
    until_started(podman)
    assert json.loads(probe(podman, "/api/health/")) == {"status": "ok", "database": "ok"}
    assert probe(podman, "/") == ""  # which is 400: only the health paths answer any Host


def test_the_job_migrated_and_the_server_did_not(podman):
    until(
        lambda: podman("inspect", "migrate-migrate", "--format", "{{.State.Status}}") == "exited", "the Job"
    )
    assert podman("inspect", "migrate-migrate", "--format", "{{.State.ExitCode}}") == "0"
    assert "Applied meals.0001_initial" in podman("logs", "migrate-migrate")
    until_started(podman)
    assert "Migrations are skipped (RUN_MIGRATIONS=0)" in podman("logs", SERVER)


def test_the_worker_sums_up_what_the_server_is_given(podman):
    until_started(podman)
    meal = "from meals.models import Meal; Meal.objects.create(name='Soup', kcal=250)"
    podman("exec", SERVER, "python3", "manage.py", "shell", "-v", "0", "-c", meal)
    done = "is done"
    until(lambda: done in podman("logs", WORKER), "the job")
    assert podman("exec", WORKER, "entrypoint", "healthcheck")


def test_nothing_is_writable_but_the_volumes(podman):
    write = "for each in / /app /etc /app/staticfiles /app/media /tmp; do touch $each/x 2>/dev/null && echo $each; done"
    assert podman("exec", SERVER, "/bin/sh", "-c", f"{write}; true").split() == [
        "/app/staticfiles",
        "/app/media",
        "/tmp",
    ]
    status = podman("exec", SERVER, "cat", "/proc/1/status")
    assert "Uid:\t1000\t1000\t1000\t1000" in status
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_one_processor_gives_three_workers(podman):
    until_started(podman)
    rows = podman("top", SERVER, "pid,args").splitlines()
    # tini, gunicorn's master, workers
    assert len([row for row in rows if "bin/entrypoint" in row]) == 1 + 1 + 3, rows


def test_stops_cleanly_after_draining(podman):
    """Last, for it stops the pod. preStop's command exists in the image, and the pod serves while it runs."""
    command = podman("inspect", SERVER, "--format", "{{json .Config.Env}}")
    assert "PATH=" in command
    podman(
        "exec",
        SERVER,
        "/bin/sh",
        "-c",
        "sleep 1 & wget -q -O /dev/null http://127.0.0.1:8000/api/health/ && wait",
    )
    for container in (WORKER, SERVER):
        assert json.loads(probe(podman, "/api/health/")) == {"status": "ok", "database": "ok"}
        podman("stop", "--time", "45", container)
        assert podman("inspect", container, "--format", "{{.State.ExitCode}}") == "0"
