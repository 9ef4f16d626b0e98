"""What one test works with: a private network, databases, and containers that are gone afterwards."""

from __future__ import annotations

import itertools
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from tests.container.engine import ARTEFACTS, Container, EngineError, docker

HOST = "api.example.com"  # in ALLOWED_HOSTS
OURS = re.compile(r"eatfit24-(\d+)-\d+-")  # what `unique` names, and what Compose derives from it
_numbers = itertools.count(1)


def unique(what: str) -> str:
    """A name that begins with the number of this run."""
    return f"eatfit24-{os.getpid()}-{next(_numbers)}-{what}"


@dataclass(frozen=True)
class Images:
    """Numbers of images in the engine."""

    backend: str
    postgres: str


@dataclass(frozen=True)
class Database:
    """A database with an owner of its own; `environment` is how the backend gets there as `db`."""

    server: Server
    name: str
    user: str
    password: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "POSTGRES_HOST": "db",
            "POSTGRES_DB": self.name,
            "POSTGRES_USER": self.user,
            "POSTGRES_PASSWORD": self.password,
        }

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query as the server's superuser; return its rows, if it has any."""
        return self.server.sql(query, self.name)

    def migrations(self, app: str = "meals") -> list[str]:
        """The names in django_migrations, with every double; empty without that table."""
        if self.sql("SELECT to_regclass('django_migrations')") == [(None,)]:
            return []
        rows = self.sql(f"SELECT name FROM django_migrations WHERE app = '{app}' ORDER BY name")
        return [name for (name,) in rows]

    def advisory_locks(self) -> int:
        query = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            f" WHERE locktype = 'advisory' AND datname = '{self.name}'"
        )
        return int(self.server.sql(query)[0][0])

    def schema(self) -> list[tuple[Any, ...]]:
        """Everything that migrations make, in an order of its own: to be compared."""
        return self.sql(
            "SELECT 'column', table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' UNION ALL"
            " SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'"
            " UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), ''"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
            " UNION ALL SELECT 'migration', app, name, count(*)::text, '' FROM django_migrations"
            " GROUP BY app, name UNION ALL SELECT 'permission', codename, content_type_id::text, '', ''"
            " FROM auth_permission ORDER BY 1, 2, 3, 4, 5"
        )


class Server:
    """A PostgreSQL server in a container."""

    def __init__(self, container: Container, password: str) -> None:
        self.container = container
        self.password = password
        self._connections: dict[str, Any] = {}

    def connect(self, database: str = "postgres") -> Any:
        """A connection as the server's superuser, through the published port."""
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.container.port,
            user="postgres",
            password=self.password,
            dbname=database,
            connect_timeout=10,
        )
        connection.autocommit = True
        return connection

    def sql(self, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def database(self) -> Database:
        """Make an empty database and its owner."""
        name = f"eatfit_{secrets.token_hex(4)}"
        database = Database(self, name, f"{name}_owner", secrets.token_urlsafe(24))
        self.sql(f"CREATE ROLE {database.user} LOGIN PASSWORD '{database.password}'")
        self.sql(f"CREATE DATABASE {name} OWNER {database.user}")
        return database

    def until_ready(self) -> Server:
        def answers() -> bool:
            try:
                return self.sql("SELECT 1") == [(1,)]
            except psycopg2.OperationalError:
                return False

        self.container.until(answers, "PostgreSQL")
        return self


def start_server(images: Images, *options: str, settings: tuple[str, ...] = ()) -> Container:
    """Run PostgreSQL; `options` are docker's, `settings` the server's (without the -c)."""
    name = unique("postgres")
    arguments = [
        part for setting in ("fsync=off", "max_connections=400", *settings) for part in ("-c", setting)
    ]
    number = docker(
        *("run", "--detach", "--name", name, "--publish", "127.0.0.1::5432"),
        *options,
        images.postgres,
        *arguments,
    )
    return Container(number, name)


class Lab:
    """One test's network and what hangs on it. `collected` names a volume with this image's static files."""

    def __init__(self, images: Images, collected: str = "") -> None:
        self.images = images
        self.collected = collected
        self.network = unique("network")
        self.containers: list[Container] = []
        self._volumes: list[str] = []
        self._guests: list[str] = []
        docker("network", "create", self.network)

    def invite(self, container: Container, alias: str) -> None:
        """Connect a container that others use too."""
        docker("network", "connect", "--alias", alias, self.network, container.id)
        self._guests.append(container.id)

    def volume(self) -> str:
        """A volume that lasts as long as the test."""
        self._volumes.append(docker("volume", "create", unique("volume")))
        return self._volumes[-1]

    def create(
        self,
        *command: str,
        image: str = "",
        options: tuple[str, ...] = (),
        what: str = "container",
        **env: str,
    ) -> Container:
        """A container on this network, not yet started. An --network among the options takes the place of it."""
        name = unique(what)
        arguments = ["create", "--name", name]
        if "--network" not in options:
            arguments += ["--network", self.network]
        for key, value in env.items():
            arguments += ["--env", f"{key}={value}"]
        number = docker(*arguments, *options, image or self.images.backend, *command)
        container = Container(number, name)
        self.containers.append(container)
        return container

    def backend(
        self, *command: str, options: tuple[str, ...] = (), image: str = "", fresh: bool = False, **env: str
    ) -> Container:
        """The backend as an operator would set it up, changed by `env`; a None or "" value is not passed.

        Unless it shall be `fresh`, or has a place of its own for them, its static files are there from an earlier boot.
        """
        values = {**PRODUCTION, **env}
        given = {name: value for name, value in values.items() if value is not None}
        if not {"--network", "--publish"} & set(options):
            options = ("--publish", "127.0.0.1::8000", *options)
        if self.collected and not fresh and "/app/staticfiles" not in " ".join(options):
            options = ("--volume", f"{self.collected}:/app/staticfiles", *options)
        return self.create(*command, image=image, options=options, what="backend", **given)

    def close(self, failed: bool, test: str) -> None:
        """Remove everything; keep the logs if the test failed."""
        if failed:
            folder = ARTEFACTS / "logs" / test
            folder.mkdir(parents=True, exist_ok=True)
            for container in self.containers:
                (folder / f"{container.name}.log").write_text(container.output)
        if self.containers:
            docker("rm", "--force", "--volumes", *(each.id for each in self.containers), check=False)
        for guest in self._guests:
            docker("network", "disconnect", "--force", self.network, guest, check=False)
        docker("network", "rm", self.network, check=False)
        if self._volumes:
            docker("volume", "rm", "--force", *self._volumes, check=False)


# What production demands, the database aside. Made anew for every run of the tests: nothing secret is in the tree.
SECRET_KEY = secrets.token_urlsafe(50)
PRODUCTION = {
    "SECRET_KEY": SECRET_KEY,
    "ALLOWED_HOSTS": f"{HOST},backend,localhost,127.0.0.1",
    "CSRF_TRUSTED_ORIGINS": "https://app.example.com",
    "CORS_ALLOWED_ORIGINS": "https://app.example.com",
    "WEB_CONCURRENCY": "2",
}


def mounted(file: Path, target: str) -> tuple[str, str]:
    """Docker's options that put a file of the test's over one of the image's."""
    file.chmod(0o644)
    return ("--volume", f"{file}:{target}:ro")


def migration(
    folder: Path, operations: str, number: int = 4, after: str = "0003_kcal_not_negative", atomic: bool = True
) -> tuple[str, str]:
    """Docker's options that add a migration of the app `meals`. `operations` is the inside of a Python list."""
    name = f"{number:04}_test"
    file = folder / f"{name}.py"
    file.write_text(
        "from django.db import migrations, models\n\n"
        "def fail(apps, schema_editor):\n    raise ValueError('the fridge is empty')\n\n"
        f"class Migration(migrations.Migration):\n    atomic = {atomic}\n"
        f"    dependencies = [('meals', '{after}')]\n    operations = [{operations}]\n"
    )
    return mounted(file, f"/app/meals/migrations/{name}.py")


def remove_all() -> None:
    """What a test of this run may have left, and what a run that was killed has left: an engine starts it again."""
    for kind, remove, list_all in (
        ("container", ("rm", "-fv"), ("--all",)),
        ("network", ("network", "rm"), ()),
        ("volume", ("volume", "rm"), ()),
    ):
        key = "Names" if kind == "container" else "Name"
        names = docker(kind, "ls", *list_all, "--format", f"{{{{.{key}}}}}").splitlines()
        left = [name for name in names if (run := OURS.match(name)) and is_over(int(run[1]))]
        try:
            if left:
                docker(*remove, *left)
        except EngineError as error:
            print(error)


def is_over(run: int) -> bool:
    """Whether it is this run, about to end, or one whose process is gone."""
    return run == os.getpid() or not Path(f"/proc/{run}").exists()
