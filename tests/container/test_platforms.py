"""Platforms that choose the user, the network or the kernel: what docs/platforms.md says of them."""

from __future__ import annotations

import errno
import json
import secrets
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.container import images as building
from tests.container.engine import PATIENCE, Container, docker
from tests.container.lab import unique
from tests.container.needs import need

ANY_USER = ("--user", "123456:0")


@pytest.fixture(scope="module")
def group_root(images, tmp_path_factory) -> Iterator[str]:
    """The image of a project whose flake says `gid = 0`."""
    tree = building.copy_with(tmp_path_factory.mktemp("gid") / "gid", "gid = 0;")
    tag = f"{unique('gid')}:latest"
    yield building.load_aside(building.build("image", tree), tag)
    docker("rmi", "--force", tag, check=False)


@pytest.mark.proves("Any uid boots: with `gid = 0` as it is, by default with volumes that it may write to")
def test_any_uid_of_the_group_root(lab, database, group_root):
    """As OpenShift starts it: no mount is needed, and nothing but the writable folders is the group's."""
    options = (*ANY_USER, "--cap-drop", "ALL", "--publish", "127.0.0.1::8000")
    backend = lab.backend(image=group_root, options=options, fresh=True, **database.environment)
    backend.start().until_answers()
    assert [record for record in backend.records if record["level"] != "INFO"] == []
    assert backend.get("/static/admin/css/base.css").status == 200
    look = "cd /app; touch media/x staticfiles/x logs/x; touch x manage.py 2> /dev/null; find . -user 123456 -name x"
    assert set(backend.execute("sh", "-c", look).stdout.split()) == {
        "./media/x",
        "./staticfiles/x",
        "./logs/x",
    }
    assert backend.execute("id", "-u").stdout == "123456\n"


@pytest.mark.proves("Any uid boots: with `gid = 0` as it is, by default with volumes that it may write to")
def test_any_uid_with_volumes(lab, database, group_root, images):
    """A named volume gets the owner and mode of the image's folder; the default image wants one of that user."""
    volumes = [
        option for name in ("staticfiles", "media") for option in ("--volume", f"{lab.volume()}:/app/{name}")
    ]
    publish = ("--publish", "127.0.0.1::8000")
    options = (*ANY_USER, "--read-only", *volumes, *publish)
    assert lab.backend(image=group_root, options=options, **database.environment).start().until_answers()

    mounted = [
        option for name in ("staticfiles", "media") for option in ("--tmpfs", f"/app/{name}:uid=123456")
    ]
    options = (*ANY_USER, "--read-only", *mounted, *publish)
    backend = lab.backend(options=options, **database.environment).start().until_answers()
    assert [record for record in backend.records if record["level"] != "INFO"] == []
    assert backend.get("/static/admin/css/base.css").status == 200

    refused = lab.backend(options=(*ANY_USER, *publish), fresh=True, **database.environment).start()
    assert refused.exit_code() == 15
    assert "this is 123456:0" in refused.error


@pytest.fixture
def only_ipv6(lab, server) -> Iterator[tuple[Container, str]]:
    """A container whose network has no address of IPv4, and the address of the database there."""
    need("nsenter", "util-linux")
    need("ip", "iproute2")
    network = unique("ipv6")
    prefix = f"fd{secrets.token_hex(1)}:{secrets.token_hex(2)}:{secrets.token_hex(2)}::"
    docker("network", "create", "--ipv6", "--subnet", f"{prefix}/64", network)
    docker("network", "connect", network, server.container.id)
    holder = lab.create("sleep", "600", options=("--network", network)).start()
    for device in ("eth0", "lo"):
        subprocess.run(
            [
                "nsenter",
                "--net",
                "--target",
                str(holder.state["Pid"]),
                "ip",
                "-4",
                "addr",
                "flush",
                "dev",
                device,
            ],
            check=True,
        )
    yield holder, server.container.inspected["NetworkSettings"]["Networks"][network]["GlobalIPv6Address"]
    docker("rm", "--force", *(each.id for each in lab.containers), check=False)
    docker("network", "disconnect", "--force", network, server.container.id)
    docker("network", "rm", network)


@pytest.mark.proves("It serves on networks without IPv4, and on kernels that lack what speeds it up")
def test_a_network_without_ipv4(lab, database, only_ipv6):
    holder, address = only_ipv6
    backend = lab.backend(
        options=("--network", f"container:{holder.id}"),
        GUNICORN_BIND="[::]:8000",
        **{**database.environment, "POSTGRES_HOST": address},
    )
    backend.start().until_healthy()
    assert [record for record in backend.records if record["level"] != "INFO"] == []
    script = (
        "import http.client; c = http.client.HTTPConnection('::1', 8000); c.request('GET', '/api/health/')"
    )
    asked = backend.execute("python3", "-c", f"{script}; print(c.getresponse().read().decode())")
    assert json.loads(asked.stdout) == {"status": "ok", "database": "ok"}
    assert "127.0.0.1" not in backend.execute("ip", "addr").stdout


# gVisor's kernel is another program than Linux: these options are refused there, or do nothing.
LACKING = [
    {
        "names": ["setsockopt"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": errno.ENOPROTOOPT,
        "args": [
            {"index": 1, "value": level, "op": "SCMP_CMP_EQ"},
            {"index": 2, "value": option, "op": "SCMP_CMP_EQ"},
        ],
    }
    for level, option in (
        (socket.SOL_SOCKET, socket.SO_RCVLOWAT),
        (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
    )
]


@pytest.mark.proves("It serves on networks without IPv4, and on kernels that lack what speeds it up")
def test_a_kernel_without_options_of_sockets(lab, database, tmp_path):
    """They are refused by seccomp; a request in pieces is answered all the same, and a file arrives whole."""
    profile = tmp_path / "seccomp.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": LACKING}))
    options = ("--security-opt", f"seccomp={profile}", "--publish", "127.0.0.1::8000")
    backend = lab.backend(options=options, **database.environment).start().until_answers()
    refused = "import socket; socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 2)"
    assert "Protocol not available" in backend.execute("python3", "-c", refused).stderr
    assert [record for record in backend.records if record["level"] != "INFO"] == []
    style = backend.execute("cat", "/app/staticfiles/admin/css/base.css").stdout
    assert backend.get("/static/admin/css/base.css").body.decode() == style
    with socket.create_connection(("127.0.0.1", backend.port), timeout=PATIENCE) as client:
        for piece in (b"POST /api/health/ HTTP/1.1\r\nHost: x\r\n", b"Content-Length: 6\r\n\r\nabc", b"def"):
            client.sendall(piece)
            backend.get("/api/health/live/")  # meanwhile
        assert client.recv(64).startswith(b"HTTP/1.1 405 ")
    backend.stop()
    assert backend.exit_code() == 0
