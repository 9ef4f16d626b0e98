"""What the two documents tell operators to type, typed, and what they say comes of it.

`docker-compose build` has become the Nix build, `make dev` compose, `emr-api` the backend's container, and port 8000 of
the machine, which somebody may have taken, one that is free.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.container.engine import PATIENCE, ROOT, Container, docker
from tests.container.lab import PRODUCTION, migration, unique
from tests.container.needs import unavailable
from tests.running import free_port, until

API = {"Host": "api.example.com", "X_Forwarded_Proto": "https"}


def shell(command: str, cwd: Path = ROOT, **env: str) -> str:
    """Run a command line as a person would; return stdout. Fails if the command does."""
    environ = {**os.environ, **env}
    done = subprocess.run(
        ["sh", "-c", command], cwd=cwd, env=environ, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


# --- Validation -------------------------------------------------------------------------------------------


@pytest.mark.proves("The documents' own commands, typed into the image, give what they say")
def test_build_verification(images):
    """`# Check directories were created`"""
    name = "eatfit24-backend:latest"
    assert docker("image", "inspect", "--format", "{{.Id}}", name) == images.backend
    listed = shell(f'docker run --rm {name} ls -la /app/ | grep -E "staticfiles|media"').splitlines()
    assert len(listed) == 2
    assert sorted(line.split()[-1] for line in listed) == ["media", "staticfiles"]
    for line in listed:
        assert re.match(r"drwxr-xr-x +2 django +django +\d+ ", line), line


def test_the_image_runs_as_uid_1000(images):
    assert shell("docker run --rm eatfit24-backend:latest id -u").strip() == "1000"


class Compose:
    """A project of Compose's, with a name of its own and a free port."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder, self.name = program, folder, unique("compose")
        self.url = f"http://localhost:{free_port()}"

    def __call__(self, command: str, **env: str) -> str:
        names = {"COMPOSE_PROJECT_NAME": self.name, "BACKEND_PORT": self.url.rpartition(":")[2]}
        return shell(f"{self.program} {command}", self.folder, **names, **env)

    @property
    def backend(self) -> Container:
        number = self("ps -q backend").strip()
        return Container(number, docker("inspect", "--format", "{{.Name}}", number).lstrip("/"))

    @property
    def health(self) -> str:
        return f"curl -s {self.url}/api/health/"


@pytest.fixture
def compose(images, tmp_path):
    """A checkout with its .env, as the README says; runs compose there, and asks what it publishes."""
    program = next(
        (each for each in ("docker compose", "docker-compose") if not shell_fails(f"{each} version")), ""
    )
    if not program:
        unavailable("there is no Compose: apt-get install docker-compose")
    for name in ("compose.yaml", "compose.secrets.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    write_env(tmp_path, SECRET_KEY=PRODUCTION["SECRET_KEY"], POSTGRES_PASSWORD="pa55-word-of-compose")
    project = Compose(program, tmp_path)
    yield project
    project("down --volumes --timeout 3")


def write_env(folder: Path, **values: str) -> None:
    """Make .env of .env.example: with these values in place of its own, or of what it shows in a comment."""
    text = (ROOT / ".env.example").read_text()
    for name, value in values.items():
        text, found = re.subn(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert found == 1, name
    (folder / ".env").write_text(f"{text}\nPOSTGRES_IMAGE=postgres:17-nix\n")


def shell_fails(command: str) -> bool:
    return subprocess.run(["sh", "-c", command], capture_output=True).returncode != 0


def answers(command: str, expected: str) -> str:
    """What the command writes, once it has the expected text in it."""
    written = ""

    def has_it() -> bool:
        nonlocal written
        written = subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout
        return expected in written

    until(has_it, f"{expected!r} from {command}")
    return written


@pytest.mark.proves("The documents' own commands, typed into the image, give what they say")
def test_runtime_verification_and_health_check(compose):
    """From `make dev` to `make down`."""
    compose("up -d")
    name = compose.backend.name
    answers(compose.health, '"status": "ok"')
    found = shell(f'docker logs {name} 2>&1 | grep -E "collectstatic|static files|PermissionError"')
    assert re.search(r"\d{2,} static files copied to '/app/staticfiles'\.", found)
    assert "PermissionError" not in found
    assert json.loads(shell(f'docker logs {name} | grep "static files copied"'))["stage"] == "collect"
    status = shell(f'docker ps --filter name={name} --format "{{{{.Status}}}}"')
    assert status.startswith("Up ")
    assert "Restarting" not in status
    head = shell(f"curl -sI {compose.url}/static/admin/css/base.css")
    assert head.startswith("HTTP/1.1 200 OK")
    assert "text/css" in head
    assert "Django administration" in shell(f"curl -s {compose.url}/admin/login/")
    assert "staticfiles" in shell("docker volume ls --format '{{.Name}}' | grep staticfiles")
    compose("restart backend")
    answers(compose.health, '"status": "ok"')
    assert "0 static files copied" in shell(f'docker logs {name} | grep "static files copied" | tail -n 1')
    compose("down")
    assert shell_fails(compose.health)


@pytest.mark.proves(
    "`DJANGO_COLLECTSTATIC=0` and `MIGRATIONS_STRICT=0` before `docker compose up` reach the container"
)
def test_static_files_are_skipped(compose):
    """`DJANGO_COLLECTSTATIC=0 make dev`"""
    compose("up -d", DJANGO_COLLECTSTATIC="0")
    answers(compose.health, '"status": "ok"')
    backend = compose.backend
    assert "static files copied" not in backend.output
    assert backend.execute("ls", "/app/staticfiles").stdout == ""


@pytest.mark.proves("With Compose, secrets are variables in .env, or files")
def test_secrets_in_files_or_in_variables(compose):
    """In files that are made as .env.example says; then the same ones in .env, on the same database."""
    example = (ROOT / ".env.example").read_text()
    make = re.search(r"^#     mkdir .*?(?=^#\w)", example, re.MULTILINE | re.DOTALL)
    shell(make[0].replace("#     ", ""), compose.folder)
    shown = {
        name: re.search(rf"^#{name}=(.+)$", example, re.MULTILINE)[1]
        for name in (
            "COMPOSE_FILE",
            "SECRET_KEY_FILE",
            "POSTGRES_PASSWORD_FILE",
            "DJANGO_SUPERUSER_PASSWORD_FILE",
        )
    }
    write_env(compose.folder, DJANGO_SUPERUSER_USERNAME="admin", **shown)
    compose("up -d")
    answers(compose.health, '"status": "ok"')
    values = {
        name: (compose.folder / "secrets" / Path(shown[f"{name}_FILE"]).name).read_text().strip()
        for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "DJANGO_SUPERUSER_PASSWORD")
    }
    assert how_secrets_came(compose.backend) == dict.fromkeys(values, "from file")
    for container in compose("ps -q").split():
        known = docker("inspect", container)
        assert not [name for name, value in values.items() if value in known]

    write_env(compose.folder, DJANGO_SUPERUSER_USERNAME="admin", **values)
    compose("up -d")
    answers(compose.health, '"status": "ok"')
    assert how_secrets_came(compose.backend) == dict.fromkeys(values, "set")
    assert "Superuser 'admin' exists already" in compose.backend.output


def how_secrets_came(backend: Container) -> dict[str, str]:
    """What the boot says of the secrets it has got."""
    (said,) = (record["configuration"] for record in backend.records if "configuration" in record)
    return {name: value for name, value in said.items() if re.search("KEY|PASSWORD", name)}


# --- Failure scenarios and emergency recovery -------------------------------------------------------------


@pytest.mark.proves(
    "`DJANGO_COLLECTSTATIC=0` and `MIGRATIONS_STRICT=0` before `docker compose up` reach the container"
)
def test_emergency_recovery(compose, tmp_path):
    """`MIGRATIONS_STRICT=0 docker compose up backend`, in spite of a migration that fails."""
    _, mount = migration(tmp_path, "migrations.RunPython(fail)")
    override = {"services": {"backend": {"restart": "no", "volumes": [mount]}}}
    (tmp_path / "compose.override.yaml").write_text(json.dumps(override))
    compose("up -d")
    strict = compose.backend
    assert strict.exit_code() == 13
    assert "the fridge is empty" in strict.error
    compose("up -d backend", MIGRATIONS_STRICT="0")
    answers(compose.health, '"status": "ok"')
    (warning,) = compose.backend.messages(level="WARNING")
    assert "DANGEROUS" in warning
    # Repaired, it starts as always.
    (tmp_path / "compose.override.yaml").unlink()
    compose("up -d backend")
    answers(compose.health, '"status": "ok"')
    assert compose.backend.messages(level="WARNING") == []


def test_it_says_where_it_listens(lab, database):
    """`Check docker logs <container-id> for Gunicorn startup messages and worker errors.`"""
    backend = lab.backend(**database.environment).start().until_answers()

    def booted() -> int:
        return sum(
            "Booting worker with pid" in message for message in backend.messages(logger="gunicorn.error")
        )

    # The first of them may answer before the second is there.
    backend.until(lambda: booted() == 2, "two workers")
    started = backend.messages(logger="gunicorn.error")
    assert any("Listening at: http://0.0.0.0:8000" in message for message in started)


@pytest.mark.proves("Log files need a volume, and hold gunicorn's and Django's logs")
def test_log_files(lab, database):
    """`Set both flags to enable file-based logging`; without them, no file."""
    flags = {"GUNICORN_LOG_TO_FILES": "1", "DJANGO_LOG_TO_FILES": "1"}
    volume = lab.volume()
    backend = lab.backend(options=("--volume", f"{volume}:/app/logs"), **flags, **database.environment)
    backend.start().until_answers()
    assert backend.get("/nowhere/", **API).status == 404
    files = backend.execute("ls", "/app/logs").stdout.split()
    assert files == ["django.log", "gunicorn_access.log", "gunicorn_error.log"]
    for name, text in (
        ("gunicorn_access.log", '"path": "/nowhere/"'),
        ("gunicorn_error.log", "Listening at"),
        ("django.log", "/nowhere/"),
    ):
        written = backend.execute("cat", f"/app/logs/{name}").stdout
        assert text in written, name
        assert all(json.loads(line) for line in written.splitlines())
    assert backend.messages(logger="gunicorn.access") == []
    plain = lab.backend(**database.environment).start().until_answers()
    assert plain.get("/nowhere/", **API).status == 404
    assert plain.execute("ls", "/app/logs").stdout == ""
    plain.until_logged('"path": "/nowhere/"')


def test_log_files_without_a_volume(lab, database):
    """`Cause: File-based logging enabled but no volume mount.` They are lost with the container, but it runs."""
    backend = lab.backend(GUNICORN_LOG_TO_FILES="1", **database.environment).start().until_answers()
    assert "Listening at" in backend.execute("cat", "/app/logs/gunicorn_error.log").stdout


@pytest.mark.proves("Log files need a volume, and hold gunicorn's and Django's logs")
def test_log_files_on_a_read_only_root(lab):
    boot = lab.backend(options=("--read-only",), GUNICORN_LOG_TO_FILES="1", POSTGRES_PASSWORD="x")
    assert boot.start().exit_code() == 10
    assert "/app/logs" in boot.error
    assert "mount a writable volume" in boot.error


# --- The documents' own steps -----------------------------------------------------------------------------


@pytest.mark.proves("The documents' own commands, typed into the image, give what they say")
def test_the_steps_one_by_one(lab, database):
    """Each stage's own command, typed into a container."""
    idle = lab.backend("sleep", "600", fresh=True, **database.environment).start()

    def run(command: str) -> str:
        done = idle.execute("sh", "-c", command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("pg_isready -h $POSTGRES_HOST -p ${POSTGRES_PORT:-5432} -U $POSTGRES_USER -d $POSTGRES_DB")
    run("python manage.py migrate --settings=$DJANGO_SETTINGS_MODULE")
    assert database.migrations()[-1] == "0003_kcal_not_negative"
    collected = run("python manage.py collectstatic --noinput --settings=$DJANGO_SETTINGS_MODULE")
    assert re.search(r"\d+ static files copied to '/app/staticfiles'", collected)
    assert run("ls /app/staticfiles").split()[0] == "admin"
    gunicorn = "gunicorn --config gunicorn_config.py config.wsgi:application"
    docker("exec", "--detach", idle.id, "sh", "-c", f"exec {gunicorn}")
    idle.until_answers()
    assert idle.get("/static/admin/css/base.css").status == 200


EMR = (
    "python manage.py migrate --noinput &&"
    ' if [ "$DJANGO_COLLECTSTATIC" != "0" ]; then python manage.py collectstatic --noinput; fi &&'
    " python manage.py ensure_superuser &&"
    " gunicorn config.wsgi:application --bind 0.0.0.0:8000 --workers 4 --timeout 120"
    " --access-logfile - --error-logfile -"
)


@pytest.mark.proves("The documents' own commands, typed into the image, give what they say")
def test_the_other_documents_command(lab, database):
    """The EMR document's `command:`, as it stands there."""
    admin = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": "a-long-password-1"}
    backend = (
        lab.backend("sh", "-c", EMR, fresh=True, **admin, **database.environment).start().until_answers()
    )
    assert backend.get("/static/admin/css/base.css").status == 200
    assert database.sql("SELECT username, is_superuser FROM auth_user") == [("admin", True)]
    assert "static files copied to '/app/staticfiles'" in backend.output


def test_the_superuser_stage(lab, database):
    """After collectstatic, once, and only when asked for; a second start changes nothing."""
    admin = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": "a-long-password-1"}
    backend = lab.backend(**admin, **database.environment).start().until_answers()
    stages = list(dict.fromkeys(record.get("stage", "") for record in backend.records))
    assert stages[:6] == ["configure", "wait", "migrate", "collect", "superuser", "serve"]
    before = database.sql("SELECT id, username, password FROM auth_user")
    docker("restart", backend.id)
    backend.until_answers()
    assert database.sql("SELECT id, username, password FROM auth_user") == before
    assert "a-long-password-1" not in backend.output


@pytest.mark.proves(
    "An unchanged build is not compared; another tree mounted over the image's, or over a folder of it, is"
)
@pytest.mark.proves("A tree mounted over `/app` gets its `staticfiles` at the first start")
def test_a_tree_mounted_over_the_application(lab, database, tmp_path):
    """DEV: `../apps/api:/app` hides the image's /app; the first start makes staticfiles there, and it persists."""
    tree = tmp_path / "api"
    shutil.copytree(
        ROOT / "backend", tree, ignore=shutil.ignore_patterns("staticfiles", "media", "logs", "__pycache__")
    )
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 1000, 1000)
    options = ("--volume", f"{tree}:/app")
    backend = lab.backend(options=options, fresh=True, **database.environment).start().until_answers()
    assert (tree / "staticfiles/admin/css/base.css").is_file()
    assert (tree / "staticfiles").stat().st_uid == 1000
    assert backend.get("/static/admin/css/base.css").status == 200
    # An edit arrives at the next start.
    (tree / "core/static/core/site.css").write_text("body { color: teal }\n")
    docker("restart", backend.id)
    backend.until_answers()
    assert (tree / "staticfiles/admin/css/base.css").is_file()
    assert backend.get("/static/core/site.css").body == b"body { color: teal }\n"


def test_the_commands(lab, database):
    """`migrate`, `check`, `healthcheck`, `manage ARGS...` each run one thing."""
    migrate = lab.backend("migrate", **database.environment).start()
    assert migrate.exit_code() == 0
    assert database.migrations()[-1] == "0003_kcal_not_negative"
    check = lab.backend("check", POSTGRES_PASSWORD="x").start()
    assert check.exit_code() == 0
    assert [each for each in check.records if each["level"] != "INFO"] == []
    manage = lab.backend("manage", "showmigrations", "meals", **database.environment).start()
    assert manage.exit_code() == 0
    assert "[X] 0003_kcal_not_negative" in manage.output
    backend = lab.backend(**database.environment).start().until_healthy()
    assert backend.execute("entrypoint", "healthcheck").returncode == 0


def test_docker_says_healthy(lab, database):
    """The image's HEALTHCHECK, run by the engine itself."""
    options = ("--health-interval", "1s", "--publish", "127.0.0.1::8000")
    backend = lab.backend(options=options, **database.environment).start()
    backend.until(lambda: backend.state["Health"]["Status"] == "healthy", "healthy")


def test_workers_follow_the_cpu_quota(lab, database):
    """`Worker count: CPU cores * 2 + 1`, of the cores that the container may use."""
    options = ("--cpus", "0.5", "--publish", "127.0.0.1::8000")
    backend = lab.backend(options=options, WEB_CONCURRENCY=None, **database.environment)
    backend.start().until_answers()
    backend.until(lambda: len(backend.workers()) == 3, "3 workers")
