"""Static files on a volume: new contents arrive, nothing that a running replica serves goes away."""

from __future__ import annotations

import ctypes
import fcntl
import gzip
import hashlib
import json
import os
import resource
import shutil
import stat
from pathlib import Path

import pytest

from entrypoint.static.fingerprint import MARKER
from entrypoint.static.lock import LOCK
from entrypoint.static.scratch import PREFIX
from tests.entrypoint import refusing
from tests.entrypoint.booting import ENTRYPOINT
from tests.running import free_port

WHITENOISE = "CompressedManifestStaticFilesStorage"


def contents(directory: Path) -> dict[str, bytes]:
    """All files but the one that is there to be locked."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != LOCK
    }


@pytest.mark.proves("New static files on an old volume are served, old ones stay")
def test_new_contents_replace_old_ones_although_all_mtimes_are_alike(boot, project):
    boot().serving().stop()
    before = contents(project.static)
    project.write("shop/static/shop/plain.txt", "second edition\n")
    running = boot().serving()
    assert f"1 static file copied to '{project.static}', 2 unmodified." in running.messages(stage="collect")
    after = contents(project.static)
    assert after["shop/plain.txt"] == b"second edition\n"
    old = json.loads(before["staticfiles.json"])["paths"]["shop/plain.txt"]
    new = json.loads(after["staticfiles.json"])["paths"]["shop/plain.txt"]
    assert after[new] == b"second edition\n"
    assert after[old] == b"first edition\n", "a replica of the old image still serves it"
    assert before.keys() <= after.keys()


def test_a_file_that_is_being_read_is_replaced_and_not_rewritten(boot, project):
    boot().serving().stop()
    with open(project.static / "shop/plain.txt") as old:
        project.write("shop/static/shop/plain.txt", "second edition, and longer\n")
        boot().serving()
        assert old.read() == "first edition\n"


def test_files_of_others_are_left_alone(boot, project):
    project.write("staticfiles/robots.txt", "theirs\n")
    boot().serving()
    assert (project.static / "robots.txt").read_text() == "theirs\n"


def test_what_a_killed_boot_left_behind_is_removed(boot, project):
    for name in (f"{PREFIX}-abc", PREFIX):
        project.write(f"staticfiles/{name}/shop/half.css", "body {")
        os.utime(project.static / name, times=(0, 0))
    project.write(f"staticfiles/{PREFIX}-new/shop/whole.css", "body { }")
    boot().serving()
    assert not list(project.static.rglob("half*"))
    assert list(project.static.rglob("whole*")), "somebody may be working there"


def test_what_another_user_left_behind_is_in_nobodys_way(boot, project):
    """As what root left does, on a volume whose later boots are another user's: who may not remove it goes on."""
    project.write(f"staticfiles/{PREFIX}-of-root/half.css", "body {")
    left = project.static / f"{PREFIX}-of-root"
    os.utime(left, times=(0, 0))
    left.chmod(0)
    boot(options={"preexec_fn": without_privileges}).serving()
    left.chmod(0o755)
    assert (left / "half.css").is_file()
    assert (project.static / "shop/plain.txt").read_text() == "first edition\n"


@pytest.mark.proves(
    "An unchanged build is not compared; another tree mounted over the image's, or over a folder of it, is"
)
def test_a_fingerprint_spares_the_comparison(boot, project):
    project.write(".fingerprint", "build-1")
    boot().serving().stop()
    # Only a comparison of contents could notice this.
    (project.static / "shop/plain.txt").write_text("tampered\n")
    same = boot().serving()
    assert f"0 static files copied to '{project.static}', 3 unmodified." in same.messages(stage="collect")
    assert (project.static / "shop/plain.txt").read_text() == "tampered\n"
    same.stop()
    project.write(".fingerprint", "build-2")
    boot().serving()
    assert (project.static / "shop/plain.txt").read_text() == "first edition\n"


def test_a_setting_that_changes_the_result_changes_the_fingerprint(boot, project):
    project.write("more/extra.txt", "more\n")
    project.write(".fingerprint", "build-1")
    seen = []
    for setting in (
        "",
        "STATIC_URL = '/elsewhere/'",
        "STATICFILES_DIRS = [BASE_DIR / 'more']",
        "STORAGES['staticfiles'] = {'BACKEND': 'django.contrib.staticfiles.storage.StaticFilesStorage'}",
        "INSTALLED_APPS.append('django.contrib.contenttypes')",
    ):
        project.add_setting(setting)
        running = boot(RUN_MIGRATIONS="0")
        running.until_logged('"copied": ')
        running.stop()
        seen.append(json.loads((project.static / MARKER).read_text())["fingerprint"])
    assert len(set(seen)) == len(seen)


def test_without_a_fingerprint_there_is_no_marker(boot, project):
    project.write(".fingerprint", "build-1")
    boot().serving().stop()
    (project.directory / ".fingerprint").unlink()
    boot().serving()
    assert not (project.static / MARKER).exists()


@pytest.mark.proves(
    "An unchanged build is not compared; another tree mounted over the image's, or over a folder of it, is"
)
@pytest.mark.parametrize("mounted", ["", "shop/"], ids=["project", "folder"])
def test_a_tree_that_is_mounted_over_the_images_is_compared(boot, project, mounted):
    """It has other files, and no fingerprint."""
    project.write(".fingerprint", "build-1\nshop")
    project.write("shop/.fingerprint", "shop-1")
    boot().serving().stop()
    assert (project.static / MARKER).exists()
    (project.directory / mounted / ".fingerprint").unlink()
    project.write("shop/static/shop/plain.txt", "edited\n")
    boot().serving().stop()
    assert (project.static / "shop/plain.txt").read_text() == "edited\n"


def test_a_manifest_loaded_before_is_loaded_again(boot, project):
    project.write(
        "shop/apps.py",
        "from django.apps import AppConfig\n\nclass Shop(AppConfig):\n    name = 'shop'\n"
        "    def ready(self):\n"
        "        from django.contrib.staticfiles.storage import staticfiles_storage\n"
        "        staticfiles_storage.hashed_files\n",
    )
    running = boot().serving()
    manifest = json.loads((project.static / "staticfiles.json").read_text())
    assert json.loads(running.get("/about/").body)["url"].endswith(manifest["paths"]["shop/site.css"])


@pytest.mark.proves("A failing collectstatic ends the boot, and does not loop with a traceback")
def test_a_missing_reference_ends_the_boot(boot, project):
    project.write("shop/static/shop/site.css", "body { background: url(missing.png); }\n")
    running = boot()
    assert running.exit_code() == 15
    assert "Static files cannot be collected: ValueError: The file 'shop/missing.png' could not be found" in (
        running.error
    )
    assert contents(project.static) == {}, "nothing half-made is published"


@pytest.mark.proves("`MIGRATIONS_STRICT=0` logs a WARNING and continues")
def test_emergency_mode_warns_and_serves(boot, project):
    project.write("shop/static/shop/site.css", "body { background: url(missing.png); }\n")
    running = boot(MIGRATIONS_STRICT="0").serving()
    warnings = running.messages(level="WARNING", stage="collect")
    assert warnings[-1].startswith("DANGEROUS, MIGRATIONS_STRICT=0")
    assert "shop/missing.png" in warnings[-1]


@pytest.mark.proves("A failing collectstatic ends the boot, and does not loop with a traceback")
def test_a_full_disk(boot, project):
    project.write("shop/static/shop/large.bin", "x" * 200_000)
    limit = (100_000, 100_000)
    running = boot(options={"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)})
    assert running.exit_code() == 15
    assert f"Static files cannot be written to {project.static}" in running.error
    assert "File too large" in running.error
    assert contents(project.static) == {}


def without_privileges() -> None:
    """What root gives up so that file modes hold for it too (capabilities(7)); in the child, before exec."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; refused, and not needed, if we are not root


@pytest.mark.proves("A failing collectstatic ends the boot, and does not loop with a traceback")
def test_a_directory_that_cannot_be_written(boot, project):
    project.static.mkdir()
    project.static.chmod(0o555)
    running = boot(options={"preexec_fn": without_privileges})
    assert running.exit_code() == 15
    owner = f"{os.getuid()}:{os.getgid()}"
    assert "Permission denied" in running.error
    assert f"({project.static} belongs to {owner}, mode 555; this is {owner})" in running.error
    assert "RUN_COLLECTSTATIC=0" in running.error
    forgiven = boot(MIGRATIONS_STRICT="0", options={"preexec_fn": without_privileges}).serving()
    assert any("Permission denied" in each for each in forgiven.messages(level="WARNING", stage="collect"))
    project.static.chmod(0o755)


def test_a_file_where_the_directory_should_be(boot, project):
    project.static.write_text("in the way")
    running = boot()
    assert running.exit_code() == 15
    assert f"Static files cannot be written to {project.static}" in running.error


FINDER = """
from pathlib import Path
from django.contrib.staticfiles.finders import AppDirectoriesFinder

class Finder(AppDirectoriesFinder):
    def list(self, ignored):
        Path(__file__).with_name("made.css").write_text("")
        return super().list(ignored)
"""


def test_a_finder_that_writes_into_its_own_package(boot, project):
    """As django-simple-bulma's does. Another directory than the one at fault is not blamed."""
    place = project.write("shop/made.css/in-the-way", "").parent
    project.write("shop/finders.py", FINDER)
    project.add_setting('STATICFILES_FINDERS = ["shop.finders.Finder"]')
    running = boot()
    assert running.exit_code() == 15
    assert running.error.startswith(f"Static files cannot be collected: {place}: Is a directory (")
    assert f"which is not in {project.static}: " in running.error


def test_replicas_take_turns(boot, project):
    project.static.mkdir()
    descriptor = os.open(project.static / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    running = boot()
    running.until_logged(f"Another process is working in {project.static}; waiting for it.")
    assert running.records[-1]["stage"] == "collect"
    assert contents(project.static) == {}
    os.close(descriptor)
    running.serving()
    assert "staticfiles.json" in contents(project.static)


@pytest.mark.proves(
    "Static directories that are tidied, hostile, or on file systems without locks are survived, and nothing outside them is touched or served"
)
def test_replicas_on_a_file_system_without_locks(boot, project):
    project.write(".fingerprint", "build-1")
    replicas = [
        boot(
            GUNICORN_BIND=f"127.0.0.1:{free_port()}",
            options={"preexec_fn": refusing.locks},
        )
        for _ in range(6)
    ]
    for each in replicas:
        each.serving()
        assert any("going on without one" in message for message in each.messages(stage="collect"))
    files = contents(project.static)
    assert {"shop/site.css", "shop/dot.svg", "shop/plain.txt"} < files.keys()
    assert not list(project.static.glob(f"{PREFIX}-*"))
    manifest = json.loads(files["staticfiles.json"])["paths"]
    assert all(files[name] for name in manifest.values())


OUTSIDE = "media/photo.png"


@pytest.mark.proves(
    "Static directories that are tidied, hostile, or on file systems without locks are survived, and nothing outside them is touched or served"
)
@pytest.mark.parametrize(
    "name", [MARKER, LOCK, PREFIX, f"{MARKER}.new", "shop", "shop/plain.txt", "staticfiles.json"]
)
@pytest.mark.parametrize("kind", ["fifo", "folder", "link to a file", "link to a folder", "dangling link"])
def test_whatever_lies_in_the_static_directory(boot, project, name, kind):
    """What a boot cannot mend is a sentence and exit code 15; nothing outside is written or removed."""
    project.write(OUTSIDE, "a photo")
    place = project.static / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        (place / "deep").mkdir(parents=True)
    else:
        target = {"link to a file": OUTSIDE, "link to a folder": "media", "dangling link": "media/none"}[kind]
        place.symlink_to(project.directory / target)
    project.write(".fingerprint", "build-1")
    running = boot()
    in_the_way = (name, kind) in [
        ("shop", "fifo"),
        ("shop/plain.txt", "folder"),
        ("staticfiles.json", "folder"),
    ]
    if in_the_way:
        assert running.exit_code() == 15
        assert f"Static files cannot be written to {project.static}: {place}" in running.error
    else:
        running.serving()
        assert (project.static / "shop/plain.txt").read_text() == "first edition\n"
        assert not (project.static / "shop/plain.txt").is_symlink()
        assert json.loads((project.static / MARKER).read_text())["files"] == 3
    assert [path.name for path in (project.directory / "media").iterdir()] == ["photo.png"]
    assert (project.directory / OUTSIDE).read_text() == "a photo"


@pytest.mark.proves(
    "Static directories that are tidied, hostile, or on file systems without locks are survived, and nothing outside them is touched or served"
)
def test_a_directory_that_was_emptied_is_filled_again(boot, project):
    project.write(".fingerprint", "build-1")
    boot().serving().stop()
    for entry in project.static.glob("[!.]*"):  # as a shell's `rm -rf staticfiles/*`
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    boot().serving().stop()
    assert (project.static / "shop/plain.txt").read_text() == "first edition\n"
    (project.static / "shop/plain.txt").unlink()
    boot().serving()
    assert (project.static / "shop/plain.txt").read_text() == "first edition\n"


def test_a_storage_that_is_no_directory(boot, project):
    project.write(
        "shop/storage.py",
        "from django.core.files.storage import Storage\n\nclass Bucket(Storage):\n"
        "    def _save(self, name, content):\n"
        "        open('uploaded', 'a').write(name + '\\n')\n        return name\n"
        "    def exists(self, name):\n        return False\n    def url(self, name):\n        return name\n",
    )
    project.add_setting("STORAGES['staticfiles'] = {'BACKEND': 'shop.storage.Bucket'}\nSTATIC_ROOT = None")
    running = boot().serving()
    uploaded = (project.directory / "uploaded").read_text().splitlines()
    assert sorted(uploaded) == ["shop/dot.svg", "shop/plain.txt", "shop/site.css"]
    assert "3 static files copied." in running.messages(stage="collect")


def test_a_storage_with_a_location_of_its_own(boot, project):
    elsewhere = project.directory / "elsewhere"
    project.add_setting(
        "STORAGES['staticfiles'] = {'BACKEND': 'django.contrib.staticfiles.storage.StaticFilesStorage',"
        f" 'OPTIONS': {{'location': {str(elsewhere)!r}}}}}\nSTATIC_ROOT = None"
    )
    running = boot().serving()
    assert contents(elsewhere).keys() == {"shop/dot.svg", "shop/plain.txt", "shop/site.css"}
    assert f"3 static files copied to '{elsewhere}'." in running.messages(stage="collect")


def test_what_a_storage_writes_by_itself_gets_the_same_modes(boot, project):
    project.write(
        "shop/storage.py",
        "from django.contrib.staticfiles.storage import StaticFilesStorage\n\nclass Zipped(StaticFilesStorage):\n"
        "    def post_process(self, paths, **options):\n        open(self.path('all.zip'), 'w').close()\n"
        "        return []\n",
    )
    project.add_setting("STORAGES['staticfiles'] = {'BACKEND': 'shop.storage.Zipped'}")
    boot(options={"preexec_fn": lambda: os.umask(0o077)}).serving()
    assert stat.S_IMODE((project.static / "all.zip").stat().st_mode) == 0o644


def test_a_project_without_static_files(boot, project):
    project.add_setting("INSTALLED_APPS.remove('django.contrib.staticfiles')\nSTATIC_ROOT = None")
    running = boot(RUN_MIGRATIONS="0").serving()
    assert running.messages(stage="collect") == [
        "django.contrib.staticfiles is not installed: no static files to collect."
    ]


def test_compressed_files_have_the_contents_of_their_names(boot, project):
    """Alike files are compressed once; a stylesheet that names others is not alike to its copy with a hash."""
    project.add_setting(
        "STORAGES['staticfiles'] = {'BACKEND': 'whitenoise.storage.CompressedManifestStaticFilesStorage'}"
    )
    project.write("shop/static/shop/plain.txt", "plain\n" * 100)
    project.write("shop/static/shop/site.css", "body { background: url(dot.svg) }\n" * 100)
    boot().serving()
    found = contents(project.static)
    compressed = {name.removesuffix(".gz") for name in found if name.endswith(".gz")}
    paths = json.loads(found["staticfiles.json"])["paths"]
    for name in ("shop/plain.txt", "shop/site.css"):
        assert {name, paths[name]} <= compressed
    assert found["shop/site.css"] != found[paths["shop/site.css"]]
    for name in compressed:
        assert gzip.decompress(found[f"{name}.gz"]) == found[name], name


WRITES_AGAIN = """\
from whitenoise.storage import CompressedManifestStaticFilesStorage

class Storage(CompressedManifestStaticFilesStorage):
    def post_process(self, *arguments, **options):
        for name, hashed, processed in super().post_process(*arguments, **options):
            if name == "shop/plain.txt":
                with open(self.path(hashed), "r+") as file:
                    file.write("PLAIN")
            yield name, hashed, processed
"""


@pytest.mark.parametrize("kind", ["", "no links", "writes again"])
def test_what_is_the_same_twice_is_written_once(boot, project, kind):
    """As a link, where there are such; but not for a storage that may write into a file later."""
    project.write("shop/storage.py", WRITES_AGAIN)
    backend = "shop.storage.Storage" if kind == "writes again" else f"whitenoise.storage.{WHITENOISE}"
    project.add_setting(f"STORAGES['staticfiles'] = {{'BACKEND': '{backend}'}}")
    text = b"plain\n" * 100
    project.write("shop/static/shop/plain.txt", text.decode())
    boot(options={"preexec_fn": refusing.links} if kind == "no links" else {}).serving()
    found = contents(project.static)
    hashed = json.loads(found["staticfiles.json"])["paths"]["shop/plain.txt"]
    assert found["shop/plain.txt"] == text
    assert found[hashed] == (b"PLAIN" + text[5:] if kind == "writes again" else text)
    for suffix in ("", ".gz"):
        one, other = (project.static / f"{name}{suffix}" for name in ("shop/plain.txt", hashed))
        assert os.path.samefile(one, other) == (kind == "")
        assert stat.S_IMODE(one.stat().st_mode) == stat.S_IMODE(other.stat().st_mode) == 0o644


@pytest.mark.parametrize("compressor", ["WhiteNoise's", "its own"])
def test_what_the_build_has_compressed_is_not_compressed_again(boot, project, tmp_path, compressor):
    """By content, whatever the name; but a compressor of one's own is asked."""
    shutil.copytree(ENTRYPOINT.parents[1], tmp_path / "entrypoint")
    project.write(
        "shop/storage.py",
        "from whitenoise.compress import Compressor\nfrom whitenoise.storage import *\n\n"
        "class Own(Compressor):\n    @staticmethod\n    def compress_gzip(data):\n        return b'own'\n\n"
        "class Storage(CompressedManifestStaticFilesStorage):\n    def create_compressor(self, **options):\n"
        f"        return {'Own' if compressor == 'its own' else 'Compressor'}(**options)\n",
    )
    project.add_setting("STORAGES['staticfiles'] = {'BACKEND': 'shop.storage.Storage'}")
    text = "plain\n" * 100
    project.write("shop/static/shop/plain.txt", text)
    project.write("shop/static/shop/site.css", "body { }\n" * 100)
    built = tmp_path / "compressed" / f"{hashlib.sha256(text.encode()).hexdigest()}.gz"
    built.parent.mkdir()
    built.write_bytes(gzip.compress(text.encode(), compresslevel=1, mtime=7))  # as nobody else does it
    boot(options={"script": tmp_path / "entrypoint/bin/entrypoint"}).serving()
    found = contents(project.static)
    paths = json.loads(found["staticfiles.json"])["paths"]
    for name in ("shop/plain.txt", paths["shop/plain.txt"]):
        assert found[f"{name}.gz"] == (b"own" if compressor == "its own" else built.read_bytes())
    if compressor != "its own":
        assert gzip.decompress(found["shop/site.css.gz"]) == found["shop/site.css"]


def test_plain_storage_too(boot, project):
    project.add_setting(
        "STORAGES['staticfiles'] = {'BACKEND': 'django.contrib.staticfiles.storage.StaticFilesStorage'}"
    )
    boot().serving().stop()
    project.write("shop/static/shop/plain.txt", "second edition\n")
    boot().serving()
    assert contents(project.static)["shop/plain.txt"] == b"second edition\n"
    assert stat.S_IMODE((project.static / "shop/plain.txt").stat().st_mode) == 0o644
