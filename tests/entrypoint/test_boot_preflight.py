"""A release that cannot start changes nothing in the database."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from tests.entrypoint.test_boot_static import without_privileges
from tests.running import free_port, until


@pytest.fixture
def tables(sql, database):
    """The names of the tables in the test's database, when it is called."""
    return lambda: [
        name
        for (name,) in sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=database)
    ]


@pytest.mark.proves("A release that cannot start changes nothing in the database")
def test_an_application_that_cannot_be_imported(boot, project, tables):
    project.write("config/wsgi.py", "import nowhere\n")
    running = boot()
    assert running.exit_code() == 18
    assert "ModuleNotFoundError: No module named 'nowhere' (config/wsgi.py:1)" in running.error
    assert tables() == []


@pytest.mark.proves("A release that cannot start changes nothing in the database")
def test_middleware_that_cannot_be_imported(boot, project, tables):
    project.write(
        "config/settings/production.py",
        (project.directory / "config/settings/production.py").read_text()
        + "MIDDLEWARE = ['shop.none.None']\n",
    )
    running = boot()
    assert running.exit_code() == 18
    assert tables() == []


@pytest.mark.proves("A release that cannot start changes nothing in the database")
def test_a_taken_address(boot, tables):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = boot(GUNICORN_BIND=f"127.0.0.1:{taken.getsockname()[1]}")
        assert running.exit_code() == 17
    assert "Address already in use" in running.error
    assert tables() == []


@pytest.mark.proves("A release that cannot start changes nothing in the database")
def test_a_static_directory_that_cannot_be_written(boot, project, tables):
    project.static.mkdir()
    project.static.chmod(0o555)
    running = boot(options={"preexec_fn": without_privileges})
    assert running.exit_code() == 15
    project.static.chmod(0o755)
    assert tables() == []


@pytest.mark.proves("A release that cannot start changes nothing in the database")
@pytest.mark.parametrize(
    "code",
    [
        "from shop.models import Item\nnames = list(Item.objects.values_list('name', flat=True))\n",
        "from django.templatetags.static import static\nstyle = static('shop/site.css')\n",
    ],
    ids=["tables", "static files"],
)
def test_an_application_that_needs_what_a_later_stage_makes(boot, project, tables, code):
    wsgi = (project.directory / "config/wsgi.py").read_text()
    project.write("config/wsgi.py", f"{wsgi}{code}")
    assert boot().serving().get("/api/health/").status == 200
    assert "shop_item" in tables()


def test_only_the_last_stage_prints_what_an_import_prints(boot, project):
    wsgi = (project.directory / "config/wsgi.py").read_text()
    project.write("config/wsgi.py", f"{wsgi}print('imported')\n")
    running = boot().serving()
    assert running.messages(logger="stdout").count("imported") == 1


def test_a_job_that_migrates_needs_no_server(boot, project, tables):
    project.write("config/wsgi.py", "import nowhere\n")
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        running = boot("migrate", GUNICORN_BIND=f"127.0.0.1:{taken.getsockname()[1]}")
        assert running.exit_code() == 0
    assert "shop_item" in tables()


def test_it_ends_with_the_boot(boot, project, tables):
    project.write("config/wsgi.py", "import time\nopen('begun', 'w').close()\ntime.sleep(60)\n")
    running = boot()
    running.until((project.directory / "begun").exists)
    assert running.stop() == -signal.SIGTERM
    until(lambda: not group_exists(running.process.pid), "the end of its processes")
    assert tables() == []


def group_exists(number: int) -> bool:
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True
