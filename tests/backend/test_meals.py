"""Meals: rows, migrations, the API, the admin, and photos."""

from __future__ import annotations

import datetime
import re
import resource
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from meals.models import Meal
from meals.photos import LIMIT, validate_photo


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0\0"))
    + chunk(b"IEND", b"")
)
STARTS = {
    "a.png": PNG,
    "a.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1",
    "a.JPEG": b"\xff\xd8\xff\xe1\0\x10Exif\0\0MM\0*",
    "a.gif": b"GIF89a\1\0\1\0\0\0\0\0\0\0",
    "a.webp": b"RIFF\x1a\0\0\0WEBPVP8L",
}


@pytest.fixture
def media(tmp_path: Path, settings) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def staff(admin_client, media):
    return admin_client


def form(**fields):
    return {"name": "Soup", "kcal": "320", "eaten_at_0": "2025-12-22", "eaten_at_1": "12:30:00", **fields}


@pytest.mark.django_db
def test_the_tests_run_on_postgresql():
    assert connection.vendor == "postgresql"


@pytest.mark.django_db
def test_the_database_itself_refuses_negative_energy():
    with pytest.raises(IntegrityError, match="meal_kcal_not_negative"), transaction.atomic():
        Meal.objects.create(name="Debt", kcal=-1)
    assert Meal.objects.create(name="Water", kcal=0).pk


@pytest.mark.django_db(transaction=True)
def test_old_rows_survive_the_migrations():
    """A database from before the constraint, with a row that it would refuse."""
    target = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate([("meals", "0001_initial")])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO meals_meal (name, kcal, eaten_at) VALUES ('typo', -5, now()), ('soup', 320, now())"
        )
    MigrationExecutor(connection).migrate(target)
    rows = Meal.objects.order_by("name").values_list("name", "kcal", "photo")
    assert list(rows) == [("soup", 320, ""), ("typo", 0, "")]


@pytest.mark.django_db
def test_api_lists_pages_latest_first(client):
    noon = datetime.datetime(2025, 12, 22, 12, tzinfo=datetime.UTC)
    Meal.objects.bulk_create(
        Meal(name=f"m{n}", kcal=n, eaten_at=noon + datetime.timedelta(hours=n)) for n in range(60)
    )
    first = client.get("/api/meals/").json()
    assert (first["count"], first["page"], first["pages"], len(first["results"])) == (60, 1, 2, 50)
    assert first["results"][0] == {
        "id": Meal.objects.get(name="m59").pk,
        "name": "m59",
        "kcal": 59,
        "eaten_at": "2025-12-24T23:00:00Z",
        "photo": None,
    }
    last = client.get("/api/meals/?page=2").json()
    assert [meal["name"] for meal in last["results"]] == [f"m{n}" for n in range(9, -1, -1)]
    for odd in ("x", "0", "-1", "99", "", "1e9", "\0"):
        assert client.get("/api/meals/", {"page": odd}).status_code == 200
    assert client.post("/api/meals/").status_code == 405


@pytest.mark.django_db
def test_only_named_origins_may_read_the_api(client):
    allowed = client.get("/api/meals/", headers={"origin": "https://app.example.com"})
    assert allowed["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Origin" not in client.get(
        "/api/meals/", headers={"origin": "https://evil.example"}
    )
    assert "Access-Control-Allow-Origin" not in client.get("/", headers={"origin": "https://app.example.com"})


@pytest.mark.django_db
def test_admin_adds_lists_filters_and_searches(staff):
    assert staff.post("/admin/meals/meal/add/", form()).status_code == 302
    assert staff.post("/admin/meals/meal/add/", form(name="Toast", kcal="80")).status_code == 302
    assert set(Meal.objects.values_list("name", "kcal")) == {("Soup", 320), ("Toast", 80)}
    everything = staff.get("/admin/meals/meal/").content.decode()
    assert "Soup" in everything
    assert "Toast" in everything
    assert "320" in everything
    found = staff.get("/admin/meals/meal/", {"q": "sou"}).content.decode()
    assert "Soup" in found
    assert "Toast" not in found
    filtered = staff.get(
        "/admin/meals/meal/", {"eaten_at__gte": "2026-01-01 00:00:00+00:00"}
    ).content.decode()
    assert "0 meals" in filtered


@pytest.mark.django_db
def test_admin_refuses_negative_energy_with_a_sentence(staff):
    page = staff.post("/admin/meals/meal/add/", form(kcal="-1"))
    assert page.status_code == 200
    assert "greater than or equal to 0" in page.content.decode()
    assert not Meal.objects.exists()


@pytest.mark.django_db
def test_photo_from_upload_to_download(staff, client, media):
    upload = SimpleUploadedFile("lunch.png", PNG, "image/png")
    assert staff.post("/admin/meals/meal/add/", form(photo=upload)).status_code == 302
    meal = Meal.objects.get()
    today = timezone.now()
    assert re.fullmatch(rf"meals/{today:%Y/%m}/lunch\.png", meal.photo.name)
    assert (media / meal.photo.name).read_bytes() == PNG
    assert client.get("/api/meals/").json()["results"][0]["photo"] == f"/media/{meal.photo.name}"
    download = client.get(f"/media/{meal.photo.name}")
    assert download.status_code == 200
    assert download["Content-Type"] == "image/png"
    assert download["X-Content-Type-Options"] == "nosniff"
    assert b"".join(download) == PNG
    assert (
        f'src="/media/{meal.photo.name}"'
        in staff.get(f"/admin/meals/meal/{meal.pk}/change/").content.decode()
    )


@pytest.fixture
def small_files_only() -> Iterator[Callable[[], None]]:
    """A function after which the kernel lets no file of this process grow beyond 1 MiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.proves("A failed upload leaves no part of it")
@pytest.mark.django_db
def test_a_failed_upload_leaves_nothing(staff, media, small_files_only):
    small_files_only()
    upload = SimpleUploadedFile("lunch.png", PNG + bytes(2 * 2**20))
    with pytest.raises(OSError, match="File too large"):
        staff.post("/admin/meals/meal/add/", form(photo=upload))
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert not Meal.objects.exists()


@pytest.mark.proves("A failed upload leaves no part of it")
def test_a_failed_upload_from_another_file_system_leaves_nothing(media, small_files_only, settings):
    settings.FILE_UPLOAD_TEMP_DIR = "/dev/shm"
    with TemporaryUploadedFile("lunch.png", "image/png", 2 * 2**20, None) as upload:
        upload.write(bytes(2 * 2**20))
        upload.flush()
        small_files_only()
        with pytest.raises(OSError, match="File too large"):
            default_storage.save("lunch.png", upload)
    assert list(media.iterdir()) == []


def test_a_failed_upload_leaves_its_namesake_alone(media, small_files_only):
    assert default_storage.save("lunch.png", ContentFile(PNG)) == "lunch.png"
    small_files_only()
    with pytest.raises(OSError, match="File too large"):
        default_storage.save("lunch.png", ContentFile(bytes(2 * 2**20)))
    assert [path.read_bytes() for path in media.iterdir()] == [PNG]


@pytest.mark.django_db
def test_a_meal_whose_photo_is_lost_can_be_edited(staff, client, media):
    staff.post("/admin/meals/meal/add/", form(photo=SimpleUploadedFile("lunch.png", PNG)))
    meal = Meal.objects.get()
    (media / meal.photo.name).unlink()
    assert client.get(f"/media/{meal.photo.name}").status_code == 404
    assert staff.post(f"/admin/meals/meal/{meal.pk}/change/", form(name="Stew")).status_code == 302
    assert Meal.objects.get().name == "Stew"


@pytest.mark.django_db
def test_only_photos_of_meals_are_served(client, media):
    media.mkdir()
    (media / "private.png").write_bytes(PNG)
    for name in ("private.png", "../app.py", "meals/", "a%00.png", "nowhere.png"):
        assert client.get(f"/media/{name}").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("script.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("page.html", b"<script>alert(1)</script>"),
        ("page.png", b"<script>alert(1)</script>"),
        ("lying.gif", PNG),
        ("noextension", PNG),
        ("huge.png", PNG + bytes(LIMIT)),
    ],
)
def test_admin_refuses_what_is_no_photo(staff, media, name, content):
    page = staff.post("/admin/meals/meal/add/", form(photo=SimpleUploadedFile(name, content)))
    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    assert not Meal.objects.exists()
    assert not media.exists()


@pytest.mark.parametrize("name", STARTS)
def test_kinds_of_photos(name):
    validate_photo(ContentFile(STARTS[name], name=name))


@settings(deadline=None, database=None)
@given(st.binary(max_size=40), st.sampled_from(list(STARTS)))
def test_arbitrary_bytes_are_no_photo(content, name):
    try:
        validate_photo(ContentFile(content, name=name))
    except ValidationError:
        pass
    else:
        assert content[:4] in (b"\x89PNG", b"GIF8", b"RIFF") or content[:3] == b"\xff\xd8\xff"


def test_root_shows_the_way(client):
    page = client.get("/").content.decode()
    assert 'href="/admin/"' in page
    assert 'href="/api/meals/"' in page


@pytest.mark.proves("Migrations are applied at start")
def test_production_database_holds_every_migration(server, database_variables):
    """After the documents' `manage.py migrate`, as rows of the database that it was run on."""
    import psycopg2

    names = {"HOST": "host", "PORT": "port", "USER": "user", "DB": "dbname", "PASSWORD": "password"}
    db = psycopg2.connect(
        **{names[key.removeprefix("POSTGRES_")]: value for key, value in database_variables.items()}
    )
    with db, db.cursor() as cursor:
        cursor.execute("SELECT name FROM django_migrations WHERE app = 'meals' ORDER BY id")
        assert [row[0] for row in cursor] == ["0001_initial", "0002_photo", "0003_kcal_not_negative"]
    db.close()


def test_pages_without_an_icon_of_their_own_have_one(client):
    """The admin names none, and browsers then ask for /favicon.ico."""
    response = client.get("/favicon.ico")
    assert response.status_code == 302
    assert "/static/core/icon" in response["Location"]
