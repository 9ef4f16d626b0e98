"""A new image in the place of an old one: on its static volume, and under load."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.container import images as building
from tests.container.engine import Container, docker
from tests.container.lab import mounted, unique

STYLE = "core/site.css"
NEW_STYLE = "body { color: rgb(1, 2, 3) } /* the next release */\n"
API = {"Host": "api.example.com", "X_Forwarded_Proto": "https"}
LOAD = Path(__file__).with_name("load.py")


@pytest.fixture(scope="session")
def next_image(images, tmp_path_factory):
    """An image of the next release: a stylesheet has changed, one is new, another is gone."""
    tree = building.copy_tree(tmp_path_factory.mktemp("next") / "next")
    static = tree / "backend/core/static/core"
    (static / "site.css").write_text(NEW_STYLE)
    (static / "new.css").write_text("p { margin: 0 }\n")
    tag = f"{unique('next')}:latest"
    yield building.load_aside(building.build("image", tree), tag)
    docker("rmi", "--force", tag, check=False)


def manifest(backend: Container) -> dict[str, str]:
    return json.loads(backend.execute("cat", "/app/staticfiles/staticfiles.json").stdout)["paths"]


@pytest.mark.proves("A new image on an old static volume, and a rolling replacement, fail no request")
def test_the_next_images_static_files_on_the_same_volume(lab, database, next_image):
    """Modification times say nothing in an image; contents do. The old replica never misses a file."""
    volume = lab.volume()
    options = ("--volume", f"{volume}:/app/staticfiles", "--publish", "127.0.0.1::8000")
    old = lab.backend(options=options, **database.environment).start().until_answers()
    old_names = manifest(old)
    old_style = old.get(f"/static/{old_names[STYLE]}").body
    assert b".index" in old_style
    assert old.get("/static/core/new.css", **API).status == 404

    new = lab.backend(image=next_image, options=options, **database.environment).start()
    names = [*old_names, *old_names.values()]
    port, asked, missing = old.port, 0, []
    booting = True
    while booting or asked < len(names):
        name = names[asked % len(names)]
        answer = old.get(f"/static/{name}", port=port)
        asked += 1
        if answer.status != 200:
            missing.append((name, answer.status))
        if name == old_names[STYLE]:
            assert answer.body == old_style
        booting = (
            asked < 20 * len(names) and '"Booting worker' not in new.output if asked % 20 == 0 else booting
        )
    assert missing == []
    new.until_answers()

    new_names = manifest(new)
    assert new_names[STYLE] != old_names[STYLE]
    for replica in (new, old):
        assert replica.get(f"/static/{STYLE}").body.decode() == NEW_STYLE
        assert replica.get(f"/static/{new_names[STYLE]}").body.decode() == NEW_STYLE
        assert replica.get(f"/static/{old_names[STYLE]}").body == old_style
        assert replica.get("/static/core/new.css").status == 200
    for accepted in ("gzip", "identity"):
        answer = old.get(f"/static/{STYLE}", Accept_Encoding=accepted)
        assert int(answer.headers["Content-Length"]) == len(answer.body)
    page = new.get("/", **API).body.decode()
    assert f"/static/{new_names[STYLE]}" in page
    page = old.get("/", **API).body.decode()
    assert f"/static/{old_names[STYLE]}" in page


def test_rolling_back_serves_the_old_files_again(lab, database, next_image):
    volume = lab.volume()
    options = ("--volume", f"{volume}:/app/staticfiles", "--publish", "127.0.0.1::8000")
    first = lab.backend(options=options, **database.environment).start().until_answers()
    names = (STYLE, manifest(first)[STYLE])
    before = [first.get(f"/static/{name}").body for name in names]
    assert all(b".index" in body for body in before)
    first.stop()
    lab.backend(image=next_image, options=options, **database.environment).start().until_answers().stop()
    again = lab.backend(options=options, **database.environment).start().until_answers()
    assert manifest(again)[STYLE] == names[1]
    assert [again.get(f"/static/{name}").body for name in names] == before


@pytest.mark.proves("A new image on an old static volume, and a rolling replacement, fail no request")
def test_a_rolling_replacement_under_load(lab, database, next_image):
    """Each old replica is stopped as soon as a new one is healthy; nobody is told to send requests elsewhere."""
    options = ("--network-alias", "backend", "--volume", f"{lab.volume()}:/app/staticfiles")
    options += ("--publish", "127.0.0.1::8000")
    old = [lab.backend(options=options, **database.environment).start() for _ in range(2)]
    for each in old:
        each.until_answers()
    paths = ("/api/health/", "/api/meals/", "/static/admin/css/base.css", "/admin/login/")
    client = lab.create(
        "python3", "/load.py", "120", "4", *paths, options=mounted(LOAD, "/load.py"), what="load"
    )
    client.start().until_logged("loading")
    time.sleep(1)
    new = []
    for each in old:
        new.append(lab.backend(image=next_image, options=options, **database.environment).start())
        new[-1].until_answers()
        each.stop()
        assert each.state["ExitCode"] == 0
    time.sleep(1)
    assert client.execute("touch", "/tmp/stop").returncode == 0
    assert client.exit_code() == 0
    result = json.loads(client.output.splitlines()[-1])
    assert result["failures"] == []
    assert set(result["statuses"]) == {"200"}
    for each in (*old, *new):
        assert any("/api/meals/" in message for message in each.messages(logger="gunicorn.access"))
        assert [record for record in each.records if record["level"] != "INFO"] == []
