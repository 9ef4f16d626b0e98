"""deploy/kubernetes: rendered, held against the API's schemas and a policy checker, and against its own numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.engine import CommandError
from tests.cluster.manifests import DIGEST, Manifest, find, tool, variants, write

# The first release with everything that the manifests use, and the last that the validator knows.
KUBERNETES = ["1.25", "1.37"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> dict[str, list[Manifest]]:
    return variants(tmp_path_factory.mktemp("overlays"))


@pytest.fixture(scope="module")
def files(rendered, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rendered")
    return {name: write(manifests, folder / f"{name}.yaml") for name, manifests in rendered.items()}


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_fit_the_schemas(files, version):
    tool(*validator(version), *map(str, files.values()))


def test_the_validator_refuses_what_does_not_fit(rendered, tmp_path):
    wrong = json.loads(json.dumps(find(rendered["booting"], "Deployment")))
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    file = write([wrong], tmp_path / "wrong.yaml")
    with pytest.raises(CommandError, match="readOnlyRootFilesystem"):
        tool(*validator(KUBERNETES[-1]), str(file))


def validator(version: str) -> tuple[str, ...]:
    return ("python3", "-m", "kubernetes_validate", "--strict", "--kubernetes-version", version)


def test_policies(files):
    """checkov finds nothing but what the manifests themselves explain."""
    arguments = [argument for file in files.values() for argument in ("--file", str(file))]
    report = json.loads(
        tool(
            *("python3", "-m", "checkov.main", "--framework", "kubernetes", "--skip-download"),
            *("--soft-fail", "--output", "json", *arguments),
        )
    )
    results = report["results"]
    assert [(each["check_id"], each["resource"]) for each in results["failed_checks"]] == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 100
    skipped = {
        (each["check_id"], each["resource"]): each["check_result"]["suppress_comment"]
        for each in results["skipped_checks"]
    }
    assert set(skipped) == {
        ("CKV_K8S_40", "Deployment.eatfit24.backend"),
        ("CKV_K8S_40", "Deployment.eatfit24.worker"),
        ("CKV_K8S_40", "Job.eatfit24.migrate"),
        ("CKV_K8S_15", "Deployment.eatfit24.db"),
        ("CKV_K8S_40", "Deployment.eatfit24.db"),
        ("CKV_K8S_43", "Deployment.eatfit24.db"),
    }
    assert all(len(reason) > 20 for reason in skipped.values()), skipped


def test_every_container_has_the_same_image_and_configuration(rendered):
    """The Job, the init container and the worker must see what the server sees."""
    manifests = rendered["job"]
    server = pod(find(manifests, "Deployment"))
    job = pod(find(manifests, "Job", "migrate"))
    worker = pod(find(manifests, "Deployment", "worker"))
    containers = server["containers"] + server["initContainers"] + job["containers"] + worker["containers"]
    assert len(containers) == 4
    assert {each["image"] for each in containers} == {f"registry.example.com/eatfit24-backend@{DIGEST}"}
    for key in ("envFrom", "env", "securityContext"):
        assert len({json.dumps(each[key], sort_keys=True) for each in containers}) == 1, key


def test_who_migrates(rendered):
    assert find(rendered["booting"], "ConfigMap")["data"]["RUN_MIGRATIONS"] == "1"
    assert find(rendered["job"], "ConfigMap")["data"]["RUN_MIGRATIONS"] == "0"
    assert [each for each in rendered["booting"] if each["kind"] == "Job"] == []


def test_a_changed_configuration_is_a_rolling_update(rendered):
    """The ConfigMap's name, which the Deployment refers to, changes with its contents."""
    names = {find(rendered[variant], "ConfigMap")["metadata"]["name"] for variant in rendered}
    assert len(names) == len(rendered)
    for variant in rendered:
        (source,) = pod(find(rendered[variant], "Deployment"))["containers"][0]["envFrom"]
        assert source["configMapRef"]["name"] == find(rendered[variant], "ConfigMap")["metadata"]["name"]


def test_times_add_up(rendered):
    """Draining fits in the grace period, and starting in the startup probe's time."""
    manifests = rendered["booting"]
    settings = find(manifests, "ConfigMap")["data"]
    deployment = find(manifests, "Deployment")
    specification = pod(deployment)
    (server,) = specification["containers"]
    *_, sleep = server["lifecycle"]["preStop"]["exec"]["command"]
    drain = int(sleep.removeprefix("sleep "))
    grace = specification["terminationGracePeriodSeconds"]
    assert drain + int(settings["GUNICORN_GRACEFUL_TIMEOUT"]) < grace
    startup, readiness, liveness = (server[f"{name}Probe"] for name in ("startup", "readiness", "liveness"))
    # DATABASE_WAIT_TIMEOUT and MIGRATION_LOCK_TIMEOUT, their defaults.
    assert startup["periodSeconds"] * startup["failureThreshold"] > 60 + 600
    assert (
        startup["periodSeconds"] * startup["failureThreshold"] < deployment["spec"]["progressDeadlineSeconds"]
    )
    # A pod that fails its readiness must be out of service before it stops taking connections.
    assert readiness["periodSeconds"] * readiness["failureThreshold"] <= drain
    # GUNICORN_TIMEOUT, its default.
    assert liveness["periodSeconds"] * liveness["failureThreshold"] > 140


def test_probes_come_by_ip(rendered):
    (server,) = pod(find(rendered["booting"], "Deployment"))["containers"]
    for name, path in {"startup": "live/", "readiness": "", "liveness": "live/"}.items():
        assert server[f"{name}Probe"]["httpGet"] == {"path": f"/api/health/{path}", "port": "http"}


def pod(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]
