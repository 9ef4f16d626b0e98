"""The generator on store paths made up here: of nixpkgs, of a distribution, and unlucky ones."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import assume, given, strategies
from packageurl import PackageURL

GENERATOR = Path(__file__).parents[2] / "nix/image/sbom"
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\n'


class Store:
    """A folder of store paths, and the generator's answer about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self.files: list[dict[str, str]] = []

    def add(self, name: str, files: dict[str, str] | None = None) -> Path:
        path = self.folder / f"{len(self.paths):032}-{name}"
        path.mkdir()
        for file, content in (files or {}).items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text(content)
        self.paths.append(path)
        return path

    def run(self, backwards: bool = False) -> subprocess.CompletedProcess[str]:
        project = {"image": "shop", "name": "Shop", "version": "2.1", "dependencies": ["django"]}
        project |= {"files": self.files}
        (self.folder / "project.json").write_text(json.dumps(project))
        lines = [str(path) for path in (reversed(self.paths) if backwards else self.paths)]
        (self.folder / "store-paths").write_text("\n".join(lines) + "\n")
        arguments = [str(self.folder / name) for name in ("project.json", "store-paths", "out.json")]
        return subprocess.run(
            [sys.executable, str(GENERATOR / "sbom.py"), *arguments], capture_output=True, text=True
        )

    def document(self, backwards: bool = False) -> str:
        result = self.run(backwards)
        assert result.returncode == 0, result.stderr
        text = (self.folder / "out.json").read_text()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        return text

    def components(self) -> dict[str, dict]:
        """By reference, without the application."""
        components = json.loads(self.document())["components"]
        return {one["bom-ref"]: one for one in components if one["type"] != "application"}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


def distribution(name: str, version: str, *fields: str) -> dict[str, str]:
    metadata = "\n".join([f"Name: {name}", f"Version: {version}", *fields, "", "Text.\n"])
    return {f"lib/python3.13/site-packages/{name}-{version}.dist-info/METADATA": metadata}


def record(name: str, version: str, *fields: str) -> dict[str, str]:
    lines = [
        f"Package: {name}",
        f"Version: {version}",
        "Architecture: amd64",
        *fields,
        "Description: a part",
        " of it",
    ]
    return {f"share/dpkg/status.d/{name}": "\n".join(lines) + "\n"}


class TestNixpkgs:
    def test_packages_are_known_by_their_names(self, store):
        for name in (
            "glibc-2.40-66",
            "nss-cacert-3.108",
            "gtk+3-3.24.1",
            "tool-0-unstable-2025-01-31",
            "x-1.0-rc",
        ):
            store.add(name)
        found = store.components()
        assert {ref: one["purl"] for ref, one in found.items()} == {
            "generic:glibc@2.40-66": "pkg:generic/glibc@2.40-66",
            "generic:gtk+3@3.24.1": "pkg:generic/gtk%2B3@3.24.1",
            "generic:nss-cacert@3.108": "pkg:generic/nss-cacert@3.108",
            "generic:tool@0-unstable-2025-01-31": "pkg:generic/tool@0-unstable-2025-01-31",
            "generic:x@1.0-rc": "pkg:generic/x@1.0-rc",
        }
        assert found["generic:glibc@2.40-66"]["cpe"] == "cpe:2.3:a:gnu:glibc:2.40:*:*:*:*:*:*:*"
        assert found["generic:gtk+3@3.24.1"]["cpe"] == r"cpe:2.3:a:*:gtk\+3:3.24.1:*:*:*:*:*:*:*"

    @pytest.mark.parametrize(
        ("name", "product"),
        [
            # As store paths of nixpkgs of 2025 and 2026 are named.
            ("bash-5.3p9", "gnu:bash:5.3"),
            ("bash-interactive-5.3p3", "gnu:bash:5.3"),
            ("expat-2.7.5", "libexpat_project:libexpat:2.7.5"),
            ("gcc-15.2.0-lib", "gnu:gcc:15.2.0"),
            ("gdbm-1.26-lib", "gnu:gdbm:1.26"),
            ("glibc-2.42-51", "gnu:glibc:2.42"),
            ("glibc-2.42-67-dev", "gnu:glibc:2.42"),
            ("libpq-17.7", "postgresql:postgresql:17.7"),
            ("ncurses-6.6", "gnu:ncurses:6.6"),
            # Its own version has such an ending.
            ("openssh-10.5p1", "*:openssh:10.5p1"),
            ("openssl-3.6.1", "openssl:openssl:3.6.1"),
            ("readline-8.3p3", "gnu:readline:8.3"),
            ("sqlite-3.51.2", "sqlite:sqlite:3.51.2"),
            ("util-linux-minimal-2.42-lib", "kernel:util-linux:2.42"),
            ("xz-5.8.3", "tukaani:xz:5.8.3"),
        ],
    )
    def test_platform_names_have_the_upstream_version(self, store, name, product):
        store.add(name)
        [component] = store.components().values()
        assert component["cpe"] == f"cpe:2.3:a:{product}:*:*:*:*:*:*:*"

    def test_outputs_of_a_package_are_one_component(self, store):
        paths = [store.add(name) for name in ("openssl-3.5.1", "openssl-3.5.1-bin", "openssl-3.5.1-dev")]
        [component] = store.components().values()
        assert component["version"] == "3.5.1"
        assert [one["location"] for one in component["evidence"]["occurrences"]] == [
            str(path) for path in paths
        ]

    def test_an_environment_does_not_own_what_it_links_to(self, store):
        django = store.add("python3.13-django-5.2.5", distribution("Django", "5.2.5"))
        environment = store.add("python3-3.13.5-env", {"lib/python3.13/site-packages/own.py": ""})
        name = "lib/python3.13/site-packages/Django-5.2.5.dist-info"
        (environment / name).symlink_to(django / name)
        (environment / "lib/python3.13/site-packages/copy-1.dist-info").mkdir()
        (environment / "lib/python3.13/site-packages/copy-1.dist-info/METADATA").symlink_to(
            django / name / "METADATA"
        )
        found = store.components()
        assert found.keys() == {"pypi:django@5.2.5", "generic:python3@3.13.5"}
        [occurrence] = found["pypi:django@5.2.5"]["evidence"]["occurrences"]
        assert occurrence["location"].startswith(str(django))

    def test_no_distribution_no_operating_system(self, store):
        store.add("glibc-2.40-66")
        assert {one["type"] for one in store.components().values()} == {"library"}

    def test_a_path_without_a_version_is_what_this_image_made(self, store):
        store.add("entrypoint")
        [component] = store.components().values()
        assert (component["type"], component["name"]) == ("file", "entrypoint")
        assert "purl" not in component


class TestDebian:
    def test_merged_packages_are_all_there(self, store):
        store.add(
            "libc6-2.41", {"share/os-release": OS_RELEASE} | record("libc6", "2.41-12", "Source: glibc")
        )
        store.add(
            "python3-3.13.5", record("python3.13", "3.13.5-2") | record("python3.13-minimal", "3.13.5-2")
        )
        found = store.components()
        assert {ref.split("@")[0] for ref in found} == {
            "deb:libc6", "deb:python3.13", "deb:python3.13-minimal", "operating-system"
        }  # fmt: skip
        url = PackageURL.from_string(found["deb:libc6@2.41-12"]["purl"])
        assert url.qualifiers == {"arch": "amd64", "distro": "debian-13", "upstream": "glibc"}
        assert found["deb:libc6@2.41-12"]["description"] == "a part"

    def test_rebuilt_packages_name_their_sources_version(self, store):
        fields = record("busybox", "1:1.37.0-6+b9", "Source: busybox (1:1.37.0-6)")
        store.add("busybox", {"share/os-release": OS_RELEASE} | fields)
        component = store.components()["deb:busybox@1:1.37.0-6+b9"]
        assert PackageURL.from_string(component["purl"]).qualifiers["upstream"] == "busybox@1:1.37.0-6"
        properties = {one["name"].rpartition(":")[2]: one["value"] for one in component["properties"]}
        assert properties == {
            "SrcName": "busybox",
            "SrcEpoch": "1",
            "SrcVersion": "1.37.0",
            "SrcRelease": "6",
        }

    def test_a_release_without_a_version(self, store):
        store.add("libc6-2.41", {"share/os-release": "ID=debian\n"} | record("libc6", "2.41-12"))
        assert "distro=debian" in store.components()["deb:libc6@2.41-12"]["purl"]

    def test_a_distribution_in_a_package_is_both(self, store):
        files = {"share/os-release": OS_RELEASE} | record("python3-psycopg2", "2.9.10-1")
        files["lib/python3.13/site-packages/psycopg2-2.9.10.egg-info/PKG-INFO"] = (
            "Name: psycopg2\nVersion: 2.9.10\n"
        )
        store.add("python3-psycopg2-2.9.10", files)
        assert store.components().keys() >= {"deb:python3-psycopg2@2.9.10-1", "pypi:psycopg2@2.9.10"}
        needs = {one["ref"]: one.get("dependsOn") for one in json.loads(store.document())["dependencies"]}
        assert needs["pypi:psycopg2@2.9.10"] == ["deb:python3-psycopg2@2.9.10-1"]

    def test_licences_come_from_the_copyright_file_of_the_source(self, store):
        text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
        text += "Files: *\nCopyright: A\nLicense: GPL-2+ and Expat\n Text\n .\n more\n\n"
        text += "Files: b\nLicense: X11\n\nLicense: BSD\n Only quoted.\n"
        files = {"share/os-release": OS_RELEASE, "share/doc/libtinfo6/copyright": text}
        store.add("libtinfo6-6.5", files | record("libtinfo6", "6.5-2", "Source: ncurses"))
        prose = {"share/doc/krb5/copyright": "Copyright by MIT.\n\nFiles: none\nLicense: none\n"}
        store.add("libncursesw6-6.5", record("libncursesw6", "6.5-2", "Source: ncurses"))
        store.add("krb5-1", prose | record("krb5", "1-1"))
        found = store.components()
        for ref in ("deb:libtinfo6@6.5-2", "deb:libncursesw6@6.5-2"):
            assert [one["license"]["name"] for one in found[ref]["licenses"]] == ["Expat", "GPL-2+", "X11"]
        assert "licenses" not in found["deb:krb5@1-1"]

    def test_packages_of_an_unknown_distribution_are_refused(self, store):
        store.add("libc6-2.41", record("libc6", "2.41-12"))
        result = store.run()
        assert result.returncode == 1
        assert "no store path has share/os-release" in result.stderr
        assert "Traceback" not in result.stderr


class TestPython:
    def test_what_is_made_of_a_locked_file_names_it_and_its_hash(self, store):
        path = store.add("python3-a-1", distribution("a", "1"))
        store.add("python3-b-1", distribution("b", "1"))
        store.files = [{"path": str(path), "file": "a-1-py3-none-any.whl", "sha256": "0" * 64}]
        found = store.components()
        hashes = [{"alg": "SHA-256", "content": "0" * 64}]
        assert found["pypi:a@1"]["hashes"] == hashes
        assert found["pypi:a@1"]["externalReferences"] == [
            {"type": "distribution", "url": "a-1-py3-none-any.whl", "hashes": hashes}
        ]
        assert not found["pypi:b@1"].keys() & {"hashes", "externalReferences"}

    def test_licences(self, store):
        store.add("a", distribution("a", "1", "License-Expression: MIT OR Apache-2.0", "License: ignored"))
        store.add(
            "b", distribution("b", "1", "Classifier: License :: OSI Approved :: MIT License", "License: MIT")
        )
        store.add("c", distribution("c", "1", "License: zlib"))
        store.add("d", distribution("d", "1", "Classifier: License :: OSI Approved :: BSD License"))
        store.add("e", distribution("e", "1", "License: UNKNOWN"))
        licences = {ref: one.get("licenses") for ref, one in store.components().items()}
        assert licences == {
            "pypi:a@1": [{"expression": "MIT OR Apache-2.0"}],
            "pypi:b@1": [{"license": {"id": "MIT"}}],
            "pypi:c@1": [{"license": {"name": "zlib"}}],
            "pypi:d@1": [{"license": {"name": "BSD License"}}],
            "pypi:e@1": None,
        }

    def test_requirements_lead_to_what_is_there(self, store):
        needs = ["Requires-Dist: zope_interface (>=5)", "Requires-Dist: absent>1; sys_platform == 'win32'"]
        store.add("a", distribution("a", "1", *needs, "Requires-Dist: tests; extra == 'test'"))
        for name in ("zope.interface", "tests"):
            store.add(name, distribution(name, "1"))
        document = json.loads(store.document())
        needs = {one["ref"]: one.get("dependsOn") for one in document["dependencies"]}
        assert needs["pypi:a@1"] == ["pypi:zope-interface@1"]

    def test_two_versions_are_two_components(self, store):
        """One of them may be a copy that another package carries."""
        store.add("a", distribution("packaging", "25.0"))
        carried = distribution("packaging", "24.2")
        store.add(
            "b", distribution("setuptools", "80") | {f"lib/_vendor/{name}": carried[name] for name in carried}
        )
        assert {"pypi:packaging@24.2", "pypi:packaging@25.0"} <= store.components().keys()

    def test_metadata_that_is_none_is_not_a_distribution(self, store):
        store.add(
            "a-1", {"x.dist-info/METADATA": "", "y.egg-info/PKG-INFO": "Name: y\n", "z.egg-info": "Name: z\n"}
        )
        assert store.components().keys() == {"generic:a@1"}


def test_the_order_of_paths_does_not_matter(store):
    for name in ("b-1", "a-1", "a-1-lib"):
        store.add(name, distribution(name, "1") if name == "b-1" else None)
    assert store.document() == store.document(backwards=True)


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"sbom_{name}", GENERATOR / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


purl = load("purl")
# Anything but a slash, which the name of a store path, a package or a distribution cannot have.
TEXT = strategies.text(
    strategies.characters(min_codepoint=33, exclude_categories=["Cs"], exclude_characters="/"), min_size=1
)


@given(TEXT, TEXT)
def test_any_name_and_version_survive_in_a_package_url(name, version):
    assume(name.strip() == name and version.strip() == version)
    url = PackageURL.from_string(purl.generic(name, version))
    assert (url.type, url.name, url.version) == ("generic", name, version)
