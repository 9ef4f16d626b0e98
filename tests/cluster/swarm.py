"""deploy/swarm.yaml on a Swarm of one node."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path

from tests.cluster.conftest import DEPLOY
from tests.cluster.engine import Engine, until
from tests.cluster.load import HOST, Site, in_thread
from tests.container.images import build

STACK = "eatfit24"
BACKEND = f"{STACK}_backend"
NEEDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "openssl": "openssl",
}


class Swarm:
    """The stack, as its operator sees it. With POSTGRES_HOST among the `variables`, its database is somewhere else."""

    def __init__(self, engine: Engine, site: Site, **variables: str) -> None:
        self.engine = engine
        self.site = site
        self.variables = variables

    def deploy(self, image: str) -> None:
        """Deploy, or update, with the commands of docs/clusters.md."""
        files = ["swarm.yaml"] if "POSTGRES_HOST" in self.variables else ["swarm.yaml", "swarm-postgres.yaml"]
        self.engine.docker(
            *("stack", "deploy", "--resolve-image", "never"),
            *(f"--compose-file={DEPLOY}/{file}" for file in files),
            STACK,
            BACKEND_IMAGE=image,
            PROXY_IMAGE="haproxy:nix",
            POSTGRES_IMAGE="postgres:17-nix",
            ALLOWED_HOSTS=HOST,
            CSRF_TRUSTED_ORIGINS=f"https://{HOST}",
            CORS_ALLOWED_ORIGINS=f"https://{HOST}",
            **self.variables,
        )

    def service(self) -> dict:
        return json.loads(self.engine.docker("service", "inspect", BACKEND))[0]

    @property
    def image(self) -> str:
        """What the service is set to run."""
        return self.service()["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]

    def update_is(self, *states: str) -> bool:
        return self.service().get("UpdateStatus", {}).get("State") in states

    def healthy(self, service: str = BACKEND) -> list[str]:
        """The images of the service's containers that run and, where there is a health check, pass it."""
        rows = self.engine.docker(
            "ps", "--filter", f"name={service}", "--format", "{{.Image}} {{.Status}}"
        ).splitlines()
        return [
            image for image, _, status in (row.partition(" ") for row in rows) if "starting" not in status
        ]

    def until_converged(self, image: str) -> None:
        """Two healthy replicas of this image, no other, and the proxy passes requests on."""
        try:
            until(lambda: self.healthy() == [image, image], f"two replicas of {image}")
        except AssertionError as error:
            containers = self.engine.docker("ps", "--all")
            raise AssertionError(f"{error}:\n{self.tasks()}\n{containers}\n{self.engine.said()}") from None
        until(self.answers, "an answer through the proxy")

    def answers(self) -> bool:
        try:
            return in_thread(lambda: self.site.get("/api/health/"))[0] == 200
        except OSError:
            return False

    def execute(self, service: str, *command: str) -> str:
        container = self.engine.docker("ps", "--quiet", "--filter", f"name={STACK}_{service}").split()[0]
        return self.engine.docker("exec", container, *command)

    def tasks(self) -> str:
        return self.engine.docker("stack", "ps", "--no-trunc", STACK, check=False)

    def proxy_log(self) -> str:
        """What the proxy has said of late about the replicas it knows."""
        return self.engine.docker(
            "service", "logs", "--timestamps", "--tail", "40", f"{STACK}_proxy", check=False
        )

    def style(self) -> str:
        return in_thread(self.site.page)


def prepare(engine: Engine, certificate: Path, password: str) -> None:
    """Make the engine a Swarm that has the images beside the backend's, and the secrets.

    Writes the proxy's certificate to a file; `password` is PostgreSQL's.
    """
    engine.load(build("postgres-image"), "postgres:17-nix")
    engine.load(build("proxy-image"), "haproxy:nix")
    engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    for name, value in {
        "secret_key": secrets.token_urlsafe(50),
        "postgres_password": password,
        "tls": pair(certificate),
    }.items():
        engine.docker("secret", "create", f"{STACK}_{name}", "-", text=f"{value}\n")


def pair(certificate: Path) -> str:
    """Make a certificate for HOST, signed by itself; return it with its key, as the proxy wants them."""
    key = certificate.with_suffix(".key")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
            *("-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate.read_text() + key.read_text()
