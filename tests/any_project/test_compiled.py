"""Source distributions that are compiled, on the Debian set: real ones of the Python index, through a lock, and small ones."""

from __future__ import annotations

import json
import socket
import subprocess

import pytest

from tests.any_project.test_add import nixw as nixw_with_index
from tests.any_project.test_locked import FLAKE, Project, make_source, run
from tests.running import until

# What the index has: versions, and SHA-256 of the source distributions.
SOURCES = {
    "mysqlclient": ("2.3.2", "d8921cc2e8aa0e7f7c1c0b69b17e3a6f370dae235c7e7716938959dac84de4eb"),
    "psycopg2": ("2.9.13", "d36784fc2dae69523ba4b79c7d1d1b4d6e83e87836874f111262f4db940b16a6"),
    "pycurl": ("7.49.0", "d4327da9dea72768f942f831bbaa5a64adca4d7c89f3141da7a833d3c600ab90"),
    "uwsgi": ("2.0.31", "e8f8b350ccc106ff93a65247b9136f529c14bf96b936ac5b264c6ff9d0c76257"),
}
# Packages by their names, beside the image.
EACH = """packages.x86_64-linux = builtins.listToAttrs (map
      (package: { name = package.pname; value = package; }) self.image.environment.locked
    ) // { inherit (self) image; };
    image"""
# Each of the drivers answers itself that nobody listens.
APPLICATION = """
import MySQLdb, psycopg2, pycurl
def refusal(connect, **where):
    try:
        connect(host="127.0.0.1", **where)
    except Exception as error:
        return type(error).__module__
def application(environment, start_response):
    start_response("200 OK", [])
    return [repr([refusal(psycopg2.connect, port=9), refusal(MySQLdb.connect, port=9)]).encode()]
"""
FETCH = "import pycurl, sys; c = pycurl.Curl(); c.setopt(c.URL, sys.argv[1]); c.perform()"
SETUP = """
from setuptools import Extension, setup
setup(name="native", version="1", ext_modules=[Extension("native", ["native.c"], libraries=%s)])
"""
MODULE = """
#include <Python.h>
%s
static PyMethodDef methods[] = {{"answer", %s, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", "", -1, methods};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""
ANSWER = "static PyObject *answer(PyObject *s, PyObject *a) { return PyLong_FromLong(42); }"
# In Cython, with what a project adds to the set: a library and a build system. Like matplotlib's, its destructor takes for
# granted that the module was not just loaded, but imported.
MAGIC_SETUP = """
from Cython.Build import cythonize
from setuptools import Extension, setup
modules = cythonize([Extension("magical", ["magical.pyx"], libraries=["magic"])])
setup(name="magical", version="1", ext_modules=modules)
"""
MAGIC = """
cdef extern from *:
    '''
    static int imported;
    __attribute__((destructor)) static void leave(void) { if (!imported) PyThreadState_Get(); }
    '''
    int imported
imported = 1
cdef extern from "magic.h":
    int magic_version()
def version():
    return magic_version()
"""


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def native(project: Project, text: str = ANSWER, libraries: str = "[]", setup: str = "") -> None:
    """Lock a source distribution with a module in C."""
    files = {"setup.py": setup or SETUP % libraries, "native.c": MODULE % (text, "answer")}
    source = make_source(project.wheels, "native", "1", "", more=files)
    project.lock_source("native", "1", source)


def seeds(project: Project) -> list[dict[str, str]]:
    evaluated = project.nixw("eval", "--json", ".#image.seeds")
    assert evaluated.returncode == 0, evaluated.stderr
    return list(json.loads(evaluated.stdout))


def test_what_the_index_has_as_source_is_compiled_works_and_comes_out_the_same_again(project):
    """psycopg2, mysqlclient, pycurl and uWSGI: the last serves a page that needs the first two, the third fetches it."""
    project.write({"flake.nix": (FLAKE % "").replace("packages.x86_64-linux.image", EACH)})
    for name, (version, sha256) in SOURCES.items():
        file = f"{name}-{version}.tar.gz"
        project.lock_entry(
            f'name = "{name}"\nversion = "{version}"\n'
            f'sdist = {{ name = "{file}", hashes = {{ sha256 = "{sha256}" }} }}\n'
        )
    for attributes in (["image.environment"], ["image.sbom"]):
        link = project.folder / f"result-{attributes[0]}"
        built = nixw_with_index(
            project.folder, "build", f".#{attributes[0]}", "--print-build-logs", "--out-link", str(link)
        )
        assert built.returncode == 0, built.stderr[-10_000:]
    environment = (project.folder / "result-image.environment").resolve()

    (project.folder / "page.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    command = [
        environment / "bin/uwsgi",
        "--home",
        environment,
        "--http-socket",
        address,
        "--wsgi-file",
        "page.py",
    ]
    with subprocess.Popen(command, cwd=project.folder, env={}, stderr=subprocess.PIPE, text=True) as server:
        try:
            until(lambda: server.poll() is not None or listens(address), "uWSGI")
            fetched = run(environment / "bin/python3", "-c", FETCH, f"http://{address}/")
        finally:
            server.kill()
            log = server.communicate()[1]
    assert fetched == "['psycopg2', 'MySQLdb']", log

    # Of the compiler nothing is left, and the libraries are the set's, and on the bill.
    paths = run("/usr/bin/nix-store", "--query", "--requisites", environment).split()
    assert not [path for path in paths if path.endswith("-compiler")]
    components = json.loads((project.folder / "result-image.sbom").read_text())["components"]
    assert {"libcurl4t64", "libmariadb3", "libpq5"} <= {one["name"] for one in components}
    files = {one["externalReferences"][0]["url"] for one in components if "hashes" in one}
    assert files == {f"{name}-{version}.tar.gz" for name, (version, _) in SOURCES.items()}

    again = nixw_with_index(
        project.folder, "build", *(f".#{name}" for name in SOURCES), "--no-link", "--rebuild"
    )
    assert again.returncode == 0, again.stderr[-10_000:]


def listens(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_the_compiler_is_fetched_for_source_distributions_and_folders_with_c_alone(project):
    project.lock_new("greeting", "1.5", __init__="")
    build = '[project]\nname = "beside"\nversion = "3"\n'
    project.write({"packages/beside/pyproject.toml": build, "packages/beside/beside/__init__.py": ""})
    project.lock_entry('name = "beside"\ndirectory = { path = "packages/beside" }\n')
    assert {"set": "compiler"} not in seeds(project)
    project.write({"packages/beside/beside/native.c": ""})
    assert {"set": "compiler"} in seeds(project)
    project.packages.clear()
    native(project)
    assert {"set": "compiler"} in seeds(project)


def test_what_a_project_adds_to_compile_with_is_for_that_alone(project):
    """A build system, Cython, and a library's headers. The library comes along by itself, and nothing else is in the image."""
    source = make_source(
        project.wheels, "magical", "1", "", more={"setup.py": MAGIC_SETUP, "magical.pyx": MAGIC}
    )
    project.lock_source("magical", "1", source)
    project.write(
        {
            "debian/packages.toml": '[wheels]\nroots = ["cython"]\n',
            "flake.nix": FLAKE % "buildSystems = packages: [ packages.cython ];",
        }
    )
    added = nixw_with_index(project.folder, "add", "--debian", "libmagic-dev")
    assert added.returncode == 0, added.stderr
    lock = json.loads((project.folder / "debian/lock.json").read_text())
    assert lock["added"] == []
    assert {"gcc-14", "libmagic-dev", "libmagic1t64"} <= set(lock["compiler"])

    link = project.folder / "result"
    built = nixw_with_index(
        project.folder,
        *("build", ".#image.environment", "--out-link", str(link)),
        PIP_FIND_LINKS=str(project.wheels),
    )
    assert built.returncode == 0, built.stderr[-10_000:]
    environment = link.resolve()
    assert int(run(environment / "bin/python3", "-c", "import magical; print(magical.version())")) > 500
    paths = run("/usr/bin/nix-store", "--query", "--requisites", environment).split()
    assert [path for path in paths if "-libmagic1t64-" in path]
    assert not [
        path for path in paths if path.endswith("-compiler") or "-libmagic-dev-" in path or "cython" in path
    ]


@pytest.mark.parametrize(
    ("text", "libraries", "sentence"),
    [
        (
            f"#include <magic.h>\n{ANSWER}",
            "[]",
            "native could not be compiled, for it wants the header magic.h: `nixw add --debian libmagic-dev` adds it.",
        ),
        (
            f"#include <no/such/thing.h>\n{ANSWER}",
            "[]",
            "wants the header no/such/thing.h, which no package at hand has: `apt-file search no/such/thing.h` tells",
        ),
        (
            ANSWER,
            '["yaml"]',
            "native could not be compiled, for it wants the library yaml: `nixw add --debian libyaml-dev` adds it.",
        ),
        (
            "static PyObject *answer(void) { return nothing; }",
            "[]",
            "native could not be built: 'nothing' undeclared (first use in this function)",
        ),
    ],
    ids=["header", "unknown header", "library", "mistake"],
)
def test_what_cannot_be_compiled_says_what_it_wants(project, text, libraries, sentence):
    native(project, text, libraries)
    refused = project.nixw("build", ".#image.environment", "--no-link", "--print-build-logs")
    assert refused.returncode == 1
    assert sentence in refused.stderr.replace("‘", "'").replace("’", "'")
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        (
            "import subprocess; subprocess.check_call('pkg-config --exists --print-errors no-such', shell=True)",
            "wants the module of pkg-config no-such, which no package at hand has: `apt-file search no-such.pc`",
        ),
        (
            "import subprocess; subprocess.check_output(['gdal-config', '--version'])",
            "native could not be compiled, for it wants the program gdal-config: `nixw add --debian libgdal-dev`",
        ),
        (
            "import Cython",
            "native could not be built (No module named 'Cython'): name the package that has it in [tool.uv.extra-build",
        ),
    ],
    ids=["pkg-config", "program", "build system"],
)
def test_what_a_set_up_script_misses_is_said(project, setup, sentence):
    native(project, setup=setup)
    refused = project.nixw("build", ".#image.environment", "--no-link", "--print-build-logs")
    assert refused.returncode == 1
    assert sentence in refused.stderr
