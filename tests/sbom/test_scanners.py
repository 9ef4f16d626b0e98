"""What scanners find in the image: by the rules of Trivy's parsers, written out here, and with Syft itself."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess

import pytest
from packageurl import PackageURL

# Fields of a package that scanners read (Trivy's and Syft's parsers of dpkg's status).
NEEDED = {"Package", "Version", "Architecture", "Maintainer", "Description"}


def packages(components, kind: str) -> set[tuple[str, str]]:
    """Names and versions of the components of a package URL's type."""
    return {
        (component["name"], component["version"])
        for component in components
        if "purl" in component and PackageURL.from_string(component["purl"]).type == kind
    }


def regular(image, pattern: str) -> dict[str, bytes]:
    """Files by full path. Trivy reads each layer by itself and follows no links, and so only regular files count."""
    return {path: content for path, content in image.files.items() if re.fullmatch(pattern, path)}


class TestByTrivysRules:
    def test_packages_of_the_distribution(self, image, components):
        """A control file for each package, directly in var/lib/dpkg/status.d, and no database of dpkg besides."""
        records = regular(image, r"var/lib/dpkg/status\.d/[^/]+")
        found = set()
        for path, content in records.items():
            fields = email.message_from_bytes(content)
            assert set(fields.keys()) >= NEEDED, path
            assert path.endswith("/" + fields["Package"])
            assert not {"deinstall", "purge"} & set(fields.get("Status", "").split())
            found.add((fields["Package"], fields["Version"]))
        assert found == packages(components, "deb")
        assert regular(image, "var/lib/dpkg/status") == {}

    def test_the_distribution_and_its_release(self, image, components):
        """Debian is told from etc/debian_version, others from os-release; with neither, no OS package is looked at."""
        version = regular(image, "etc/debian_version")
        if not packages(components, "deb"):
            assert version == {}
            assert b"ID=linux" in image.files["etc/os-release"]
            return
        [text] = version.values()
        release = dict(
            line.replace('"', "").split("=", 1)
            for line in image.files["etc/os-release"].decode().splitlines()
        )
        assert release["ID"] == "debian"
        assert text.decode().split(".")[0].strip() == release["VERSION_ID"]

    def test_python_distributions(self, image, components):
        """METADATA of any .dist-info, PKG-INFO of any .egg-info, wherever they lie."""
        records = regular(image, r".*(\.dist-info/METADATA|\.egg-info/PKG-INFO|\.egg-info)")
        fields = [email.message_from_bytes(content) for content in records.values()]
        assert {(one["Name"], one["Version"]) for one in fields} == packages(components, "pypi")

    def test_the_document_does_not_count_distributions_twice(self, image, components):
        """Trivy takes two findings for one if path and ID agree, too; its parser of METADATA gives no ID."""
        for component in components:
            if component.get("purl", "").startswith("pkg:pypi/"):
                properties = {entry["name"]: entry["value"] for entry in component["properties"]}
                assert properties["aquasecurity:trivy:FilePath"] in image.files, component["name"]
                assert properties["aquasecurity:trivy:PkgID"] == "", component["name"]

    def test_the_document_names_source_packages(self, image, components):
        """Debian's advisories are about source packages; Trivy reads these from its own properties alone."""
        for path, content in regular(image, r"var/lib/dpkg/status\.d/[^/]+").items():
            fields = email.message_from_bytes(content)
            name, version = re.fullmatch(
                r"(\S+)(?: \((.*)\))?", fields.get("Source", fields["Package"])
            ).groups()
            [component] = [
                one for one in components if path.endswith("/" + one["name"]) and "deb:" in one["bom-ref"]
            ]
            given = {entry["name"].rpartition(":")[2]: entry["value"] for entry in component["properties"]}
            epoch = f"{given['SrcEpoch']}:" if "SrcEpoch" in given else ""
            revision = f"-{given['SrcRelease']}" if "SrcRelease" in given else ""
            assert given["SrcName"] == name
            assert f"{epoch}{given['SrcVersion']}{revision}" == (version or fields["Version"])


@pytest.fixture(scope="module")
def syft(tmp_path_factory: pytest.TempPathFactory):
    """Runs Syft on a target, and gives what it says in its own format."""
    home = tmp_path_factory.mktemp("syft")
    environment = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false", "HOME": str(home), "TMPDIR": str(home)}

    def run(*arguments: str) -> dict:
        result = subprocess.run(
            ["syft", *arguments, "--quiet", "--output", "syft-json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture(scope="module")
def scanned(syft, image):
    return syft("scan", f"docker-archive:{image.archive}")


class TestSyft:
    def test_finds_every_package_and_no_other(self, scanned, components):
        for kind, type_ in (("deb", "deb"), ("pypi", "python")):
            found = {(one["name"], one["version"]) for one in scanned["artifacts"] if one["type"] == type_}
            # Syft writes names of distributions in their normalized form.
            normal = {
                (re.sub(r"[-_.]+", "-", name).lower(), version)
                for name, version in packages(components, kind)
            }
            assert {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in found} == normal

    def test_finds_the_same_package_urls(self, scanned, components):
        """What Grype looks up: release and source package included."""
        found = {one["purl"] for one in scanned["artifacts"] if one["type"] == "deb"}
        ours = {one["purl"] for one in components if one.get("purl", "").startswith("pkg:deb/")}
        assert {PackageURL.from_string(purl) for purl in found} == {
            PackageURL.from_string(purl) for purl in ours
        }

    def test_knows_the_distribution(self, scanned, components):
        systems = [component for component in components if component["type"] == "operating-system"]
        if systems:
            assert (scanned["distro"]["id"], scanned["distro"]["versionID"]) == (
                systems[0]["name"],
                systems[0]["version"],
            )
        else:
            assert scanned["distro"]["id"] == "linux"

    def test_reads_the_document(self, syft, components):
        read = syft("convert", os.environ["SBOM"])
        found = {one["purl"] for one in read["artifacts"] if one["purl"]}
        assert found == {component["purl"] for component in components if "purl" in component}
