"""The image under the strictest options that an operator has, and what lies in it."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import tarfile

import pytest

from tests.container.engine import PATIENCE, ROOT, docker
from tests.container.lab import unique

HARDENED = (
    "--read-only",
    *("--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
    *("--tmpfs", "/app/staticfiles:uid=1000,gid=1000,mode=755"),
)
# What docs/image.md says uid 1000 may write to.
WRITABLE = ["/app", "/app/logs", "/app/media", "/app/staticfiles", "/tmp"]


@pytest.fixture
def closed(lab, server):
    """A network that leads nowhere but to the database."""
    network = unique("closed")
    docker("network", "create", "--internal", network)
    docker("network", "connect", "--alias", "db", network, server.container.id)
    yield ("--network", network)
    docker("rm", "--force", *(each.id for each in lab.containers), check=False)
    docker("network", "disconnect", "--force", network, server.container.id)
    docker("network", "rm", network)


def inside(backend, path: str) -> int:
    """The status that a request from within gets."""
    script = (
        "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000);"
        "c.request('GET', sys.argv[1], headers={'Host': 'api.example.com', 'X-Forwarded-Proto': 'https'});"
        "print(c.getresponse().status)"
    )
    return int(backend.execute("python3", "-c", script, path).stdout)


@pytest.mark.proves(
    "It boots clean on a read-only root, without capabilities, privileges or any network but the database's"
)
def test_boots_clean_with_everything_taken_away(lab, closed, server):
    database = server.database()
    media = ("--volume", f"{lab.volume()}:/app/media")
    backend = lab.backend(options=(*HARDENED, *closed, *media), **database.environment).start()
    backend.until_healthy()
    assert inside(backend, "/static/admin/css/base.css") == 200
    assert inside(backend, "/api/meals/") == 200
    assert [record for record in backend.records if record["level"] != "INFO"] == []
    stages = list(dict.fromkeys(record.get("stage", "") for record in backend.records))
    assert stages[:5] == ["configure", "wait", "migrate", "collect", "serve"]
    status = backend.execute("sh", "-c", "cat /proc/[0-9]*/status").stdout
    assert set(re.findall(r"Cap(?:Inh|Prm|Eff|Bnd|Amb):\t(\w+)", status)) == {"0" * 16}
    assert set(re.findall(r"NoNewPrivs:\t(\d)", status)) == {"1"}
    assert set(re.findall(r"Uid:\t(.*)", status)) == {"1000\t1000\t1000\t1000"}
    backend.stop()
    assert backend.exit_code() == 0
    assert [record for record in backend.records if record["level"] != "INFO"] == []


def test_uploads_on_a_read_only_root(lab, database):
    """A large upload goes through a temporary file: the one thing that wants /tmp (docs/image.md)."""
    options = (*HARDENED, "--tmpfs", "/tmp", "--publish", "127.0.0.1::8000")
    backend = lab.backend(options=options, **database.environment).start().until_answers()
    wrote = backend.execute(
        "python3", "-c", "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x'); print(f.name)"
    )
    assert wrote.stdout.startswith("/tmp/"), wrote.stderr


SEARCH = """
import os
for folder, folders, files in os.walk("/"):
    folders[:] = [each for each in folders if os.path.join(folder, each) not in ("/proc", "/sys", "/dev")]
    for path in [folder, *(os.path.join(folder, each) for each in files)]:
        if not os.path.islink(path) and os.access(path, os.W_OK):
            print(path)
"""


@pytest.mark.proves(
    "It boots clean on a read-only root, without capabilities, privileges or any network but the database's"
)
def test_nothing_else_is_writable(lab):
    """Of the image itself: what the engine puts in the way of it (/dev, /proc, /sys) is not the image's."""
    found = lab.create("python3", "-c", SEARCH).start()
    assert found.exit_code() == 0
    assert sorted(found.output.split()) == WRITABLE
    documented = (ROOT / "docs/image.md").read_text()
    for path in WRITABLE:
        assert f"`{path}`" in documented, path


# What a server that was taken over would do to the code that it starts from.
REPLACE = "mv /app/manage.py /app/x && echo 'print(6 * 7)' > /app/manage.py"
SHADOW = "mkdir /app/django && echo 'print(6 * 7)' > /app/django/__init__.py"


@pytest.mark.proves(
    "It boots clean on a read-only root, without capabilities, privileges or any network but the database's"
)
@pytest.mark.parametrize("attack", [REPLACE, SHADOW])
def test_only_a_read_only_root_protects_the_code(lab, attack):
    """What docs/image.md says of /app, which the image's user owns, on a writable and on a read-only root."""
    run = f"cd /app; {attack}; echo $?; python3 manage.py version"
    writable = lab.create("sh", "-c", run).start()
    writable.exit_code()
    assert "42" in writable.output.split(), writable.output
    hardened = lab.create("sh", "-c", run, options=HARDENED).start()
    assert hardened.exit_code() == 0, hardened.output
    assert "Read-only file system" in hardened.output
    assert re.fullmatch(r"[\d.]+", hardened.output.split()[-1]), hardened.output  # Django's version
    assert "42" not in hardened.output.split()


@pytest.mark.proves(
    "It boots clean on a read-only root, without capabilities, privileges or any network but the database's"
)
def test_no_special_files(lab, tmp_path):
    """No setuid or setgid file, no device, nothing that everybody may write to but /tmp."""
    archive = tmp_path / "image.tar"
    container = lab.create("true")
    subprocess.run(["docker", "export", "--output", archive, container.id], check=True, timeout=PATIENCE)
    count = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            count += 1
            assert not member.mode & 0o6000, member.name
            assert not member.isdev() or member.name.startswith("dev"), member.name
            assert member.issym() or not member.mode & 0o002 or member.name in ("tmp", "tmp/"), member.name
            if member.name.startswith("nix/"):
                assert (member.uid, member.gid) == (0, 0), member.name
                assert (
                    member.issym()
                    or not member.mode & 0o222
                    or member.name in ("nix", "nix/store", "nix/", "nix/store/")
                ), member.name
    assert count > 1000


@pytest.mark.proves("Secrets from files are known to nobody else")
def test_secrets_from_files_stay_in_their_files(lab, database, tmp_path):
    """The engine, the logs and the processes' environments know the paths alone."""
    values = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "POSTGRES_PASSWORD": database.password,
        "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(20),
    }
    options: tuple[str, ...] = ("--publish", "127.0.0.1::8000")
    env: dict[str, str | None] = {**database.environment, "DJANGO_SUPERUSER_USERNAME": "admin"}
    for name, value in values.items():
        file = tmp_path / name
        file.write_text(f"{value}\n")
        file.chmod(0o444)
        options += ("--volume", f"{file}:/run/secrets/{name}:ro")
        env |= {name: None, f"{name}_FILE": f"/run/secrets/{name}"}
    backend = lab.backend(options=options, **env).start().until_answers()
    backend.until_logged("superuser")
    login = backend.execute("entrypoint", "manage", "check", "--database", "default")
    assert login.returncode == 0, login.stderr
    places = {
        "docker history": docker("history", "--no-trunc", lab.images.backend),
        "docker image inspect": docker("image", "inspect", lab.images.backend),
        "docker inspect": docker("inspect", backend.id),
        "the log": backend.output,
        "the command lines": json.dumps(backend.processes()),
        "environ of PID 1": backend.execute("cat", "/proc/1/environ").stdout,
        "environ of every process": backend.execute("sh", "-c", "cat /proc/[0-9]*/environ").stdout,
        "files": backend.execute("sh", "-c", "find /app /tmp -type f | xargs cat").stdout,
    }
    for place, text in places.items():
        assert text, place
        for name, value in values.items():
            assert value not in text, f"{name} is in {place}"


def test_the_image_holds_no_secret_and_no_build_path(images):
    """What the image says of itself, to whoever may pull it."""
    config = json.loads(docker("image", "inspect", images.backend))[0]["Config"]
    names = {entry.partition("=")[0] for entry in config["Env"]}
    assert not {name for name in names if re.search("SECRET|PASSWORD|TOKEN", name)}
    assert config["User"] == "1000:1000"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
