"""Small real Django projects, and the real entrypoint run on them as its users run it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from cluster import Cluster
from tests.running import Logged, until

ROOT = Path(__file__).resolve().parents[2]
ENTRYPOINT = ROOT / "entrypoint" / "bin" / "entrypoint"
PATIENCE = 60.0  # seconds after which a test gives up; nothing is asserted about time
PASSWORD = "correct-horse-battery"  # of databases that live as long as a test
SECRET_KEY = "k9-not-a-secret-but-it-must-not-be-seen-either-0123456789"
STAGES = ["configure", "wait", "migrate", "collect", "serve"]

both = pytest.mark.parametrize("kind", ["wsgi", "asgi"], indirect=True)  # of applications


class Project:
    """Files of a Django project in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.static = directory / "staticfiles"
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> Path:
        """Make or replace a file. As in an image, its modification time says nothing."""
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if not path.endswith(".py"):  # Python itself goes by these times
            os.utime(target, (1, 1))
        return target

    def add_setting(self, text: str) -> None:
        """Append to the settings module."""
        path = self.directory / "config/settings/production.py"
        path.write_text(path.read_text() + "\n" + text + "\n")

    def add_migration(self, name: str, after: str, operations: str, extra: str = "") -> None:
        """Add a migration of the app `shop`; `operations` is the inside of a Python list."""
        self.write(
            f"shop/migrations/{name}.py",
            "import time\nfrom django.db import migrations, models\n\n"
            "def fail(apps, schema_editor):\n    raise ValueError('the shelf is empty')\n\n"
            f"class Migration(migrations.Migration):\n    {extra or 'pass'}\n"
            f"    dependencies = [('shop', '{after}')]\n    operations = [{operations}]\n",
        )


class Boot(Logged):
    """A running entrypoint."""

    def __init__(
        self, directory: Path, arguments: tuple[str, ...], environ: dict[str, str], options: dict[str, Any]
    ) -> None:
        self.address = environ.get("GUNICORN_BIND", "")
        self.console = environ.get("LOG_FORMAT") == "console"
        self._log = tempfile.NamedTemporaryFile("w+", prefix="boot-", suffix=".log")  # noqa: SIM115
        command = [sys.executable, str(options.pop("script", ENTRYPOINT)), *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=options.pop("stdout", self._log),
            stderr=self._log,
            start_new_session=True,
            **options,
        )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return Path(self._log.name).read_text()

    def exit_code(self) -> int:
        """Wait for the end."""
        return self.process.wait(PATIENCE)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition holds; return what it gave."""

        def checked() -> Any:
            value = condition()
            assert value or self.process.poll() is None, "it ended"
            return value

        try:
            return until(checked, "a condition", PATIENCE, pause=0.02)
        except AssertionError:
            raise AssertionError(self.output) from None

    def until_logged(self, text: str) -> None:
        """Wait until the log holds the text."""
        self.until(lambda: text in self.output)

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """Request a path of the server; the body has been read into `.body`."""
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.body = response.read()  # type: ignore[attr-defined]
        connection.close()
        return response

    def serving(self) -> Boot:
        """Wait until the server answers."""

        def answers() -> bool:
            with contextlib.suppress(OSError):
                return self.get("/api/health/").status == 200
            return False

        self.until(answers)
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the entrypoint, and wait for its end."""
        self.process.send_signal(number)
        return self.exit_code()

    def close(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()


def connect(cluster: Cluster, database: str) -> Any:
    """A connection as the server's superuser."""
    return psycopg2.connect(
        host=cluster.host, port=cluster.port, user="postgres", password=cluster.password, dbname=database
    )


def children(pid: int) -> list[int]:
    """The process's children."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


FILES = {
    "manage.py": """\
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
execute_from_command_line(sys.argv)
""",
    "config/__init__.py": "",
    "config/settings/__init__.py": "",
    "config/settings/production.py": """\
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.staticfiles", "shop"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "config.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("POSTGRES_HOST", "db"),
        "PORT": os.environ.get("POSTGRES_PORT", "5432"),
        "USER": os.environ.get("POSTGRES_USER", ""),
        "NAME": os.environ.get("POSTGRES_DB", ""),
        "PASSWORD": os.environ.get("POSTGRES_PASSWORD", ""),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
""",
    "config/urls.py": """\
import os, sys, time, warnings
from django.http import HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import path

def health(request):
    return HttpResponse("ok")

def slow(request):
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("finished")

def waiting(request):
    while not os.path.exists("go"):
        time.sleep(0.01)
    return HttpResponse("finished")

async def blocking(request):  # the worker, and its event loop if it has one
    open(f"blocked-{os.getpid()}", "w").close()
    return waiting(request)

def noisy(request):
    print("printed by a view")
    print("complained by a view", file=sys.stderr)
    warnings.warn("a warning of a view")
    return HttpResponse("ok")

def about(request):
    return JsonResponse({
        "url": static("shop/site.css"), "pid": os.getpid(), "parent": os.getppid(),
        "environ": {name: os.environ.get(name) for name in ("WEB_CONCURRENCY",)},
    })

def broken(request):
    raise RuntimeError("a view that fails")

urlpatterns = [
    path("api/health/", health), path("slow/", slow), path("noisy/", noisy), path("about/", about),
    path("broken/", broken), path("waiting/", waiting), path("blocking/", blocking),
]
""",
    "config/wsgi.py": """\
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
""",
    "config/asgi.py": """\
from django.core.asgi import get_asgi_application
application = get_asgi_application()
""",
    "shop/__init__.py": "",
    "shop/models.py": """\
from django.db import models

class Item(models.Model):
    name = models.CharField(max_length=50)
""",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": """\
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(
                    auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                )),
                ("name", models.CharField(max_length=50)),
            ],
        ),
    ]
""",
    "shop/static/shop/site.css": "body { background: url(dot.svg); }\n",
    "shop/static/shop/dot.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>\n",
    "shop/static/shop/plain.txt": "first edition\n",
}
