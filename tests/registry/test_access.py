"""Who may push where: credentials, certificates, and registries that say no."""

from __future__ import annotations

import subprocess

import pytest

from tests.container.needs import need
from tests.registry.conftest import NAME, PLAIN, push

PASSWORD = "for-this-test-only"
# htpasswd -nbB pusher for-this-test-only
HTPASSWD = "pusher:$2b$04$kzA8sADoBKyDU4kPF1GYK./eQl58AQugviWwAecrE6pZRmK0HQop.\n"


@pytest.fixture
def guarded(own_registry):
    """A registry that wants to know who pushes."""
    file = own_registry.folder / "htpasswd"
    file.write_text(HTPASSWD)
    with own_registry.running(auth={"htpasswd": {"realm": "test", "path": str(file)}}) as running:
        yield running


def test_without_credentials(guarded):
    done = push(f"docker://{guarded.host}/{NAME}:1.0", PLAIN)
    assert done.returncode == 4, done.stderr
    assert f"push: {guarded.host} does not let you write {NAME} (" in done.stderr
    assert f"docker login {guarded.host}" in done.stderr
    assert guarded.blobs() == {}


def test_with_wrong_credentials(guarded, credentials):
    file = credentials(guarded.host, "pusher:hunter2")
    done = push(f"docker://{guarded.host}/{NAME}:1.0", PLAIN, env={"REGISTRY_AUTH_FILE": str(file)})
    assert done.returncode == 4, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert guarded.blobs() == {}


def test_with_credentials_in_a_file(guarded, credentials):
    file = credentials(guarded.host, f"pusher:{PASSWORD}")
    done = push(f"docker://{guarded.host}/{NAME}:1.0", PLAIN, env={"REGISTRY_AUTH_FILE": str(file)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().rpartition("@")[2] in guarded.blobs()


def test_with_the_credentials_of_docker_login(guarded, credentials):
    """~/.docker/config.json; podman's own file, which goes before it, is not there."""
    home = credentials(guarded.host, f"pusher:{PASSWORD}").parents[1]
    env = {"HOME": str(home), "XDG_RUNTIME_DIR": "", "REGISTRY_AUTH_FILE": ""}
    done = push(f"docker://{guarded.host}/{NAME}:1.0", PLAIN, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().rpartition("@")[2] in guarded.blobs()


def test_file_of_credentials_that_is_none(guarded, tmp_path):
    (tmp_path / "auth.json").write_text("{")
    env = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    done = push(f"docker://{guarded.host}/{NAME}:1.0", PLAIN, env=env)
    assert done.returncode == 1, done.stderr
    assert f"push: the image was not copied to {guarded.host}: " in done.stderr
    assert f'reading JSON file "{tmp_path}/auth.json"' in done.stderr


def test_registry_that_takes_nothing(own_registry):
    storage = {
        "filesystem": {"rootdirectory": str(own_registry.folder / "storage")},
        "maintenance": {"readonly": {"enabled": True}},
    }
    with own_registry.running(storage=storage) as running:
        done = push(f"docker://{running.host}/{NAME}:1.0", PLAIN)
        assert done.returncode == 1, done.stderr
        assert f"push: the image was not copied to {running.host}: " in done.stderr
        assert running.blobs() == {}


def test_certificate_of_an_authority_of_ones_own(own_registry):
    """As in many a company: refused until its authority is named, then used."""
    need("openssl", "openssl")
    key, certificate = own_registry.folder / "key.pem", own_registry.folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=registry",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    tls = {"tls": {"certificate": str(certificate), "key": str(key)}}
    with own_registry.running(http=tls) as running:
        destination = f"docker://{running.host}/{NAME}:1.0"
        refused = push(destination)
        assert refused.returncode == 3, refused.stderr
        assert f"push: {running.host} has no certificate that this machine trusts (" in refused.stderr
        assert running.blobs() == {}
        done = push(destination, env={"SSL_CERT_FILE": str(certificate)})
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().rpartition("@")[2] in running.blobs()
