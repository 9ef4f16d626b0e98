"""What is locked, from what uv says and wheels hold. Locking itself needs an index: tests/any_project."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from machines import AARCH64, MACHINES, X86_64, machine_of
from wheels import Graph, LockError, best_wheel, refusal, uv_variables


def graph(**packages: list[str]) -> Graph:
    needs = {name: [Requirement(text) for text in texts] for name, texts in packages.items()}
    return Graph(needs, {"psycopg2"}, "3.13")


def test_markers_are_those_of_the_sets_python():
    found = graph(
        a=["b; python_version < '3.9'", "c; sys_platform == 'linux'", "d; extra == 'x'"], b=[], c=[], d=[]
    )
    assert found.requires("a") == ["c"]
    assert found.requires("a", "x") == ["d"]


def test_extras_that_packages_ask_of_each_other_are_spelt_out():
    found = graph(
        jwt=["crypto; extra == 'all'", "jwt[all]; extra == 'everything'"],
        crypto=[],
        oauth=["jwt[everything]"],
    )
    assert found.requires("oauth") == ["crypto", "jwt"]
    assert found.reachable([Requirement("oauth")]) == ["crypto", "jwt", "oauth"]


def test_what_debian_gives_is_not_locked_as_a_wheel():
    found = graph(a=["psycopg2", "b"], b=["a"])
    assert found.requires("a") == ["b"]
    assert found.reachable([Requirement("a[unknown]")]) == ["a", "b"]


def package(*files: str) -> dict[str, object]:
    """As in a pylock.toml."""
    wheels = [
        {"url": f"https://example.org/{number}/{file}", "hashes": {"sha256": str(number)}}
        for number, file in enumerate(files)
    ]
    return {"name": "a", "version": "1+x", "wheels": wheels}


@pytest.mark.parametrize(
    "files",
    [
        ["a-1%2Bx-cp39-abi3-manylinux_2_28_x86_64.whl", "a-1%2Bx-cp313-cp313-manylinux_2_17_x86_64.whl"],
        ["a-1%2Bx-py3-none-any.whl", "a-1%2Bx-cp38-abi3-manylinux2014_x86_64.whl"],
        ["a-1%2Bx-cp311-abi3-manylinux_2_17_x86_64.whl", "a-1%2Bx-cp311-abi3-manylinux_2_34_x86_64.whl"],
    ],
)
def test_the_wheel_that_fits_best(files):
    for listed, best in ((files, "1"), (files[::-1], "0")):
        wheel = best_wheel(package(*listed), "3.13", X86_64)
        assert wheel == {"version": "1+x", "file": files[1].replace("%2B", "+"), "sha256": best}


def test_each_architecture_gets_its_own_wheel():
    """As projects publish them; the last one is for neither."""
    files = [
        "a-1%2Bx-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "a-1%2Bx-cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
        "a-1%2Bx-cp313-cp313-manylinux_2_31_armv7l.whl",
    ]
    assert [best_wheel(package(*files), "3.13", machine)["sha256"] for machine in MACHINES] == ["0", "1"]
    assert [machine_of(file) for file in files[:2]] == [X86_64, AARCH64]
    with pytest.raises(LockError, match="gives no wheel of a"):
        best_wheel(package(files[2], files[0]), "3.13", AARCH64)


def test_conditions_are_those_of_the_machine_that_is_locked_for():
    needs = {"a": [Requirement("b; platform_machine == 'aarch64'")], "b": []}
    assert Graph(needs, (), "3.13", AARCH64).requires("a") == ["b"]
    assert Graph(needs, (), "3.13", X86_64).requires("a") == []


def test_an_index_without_digests_is_said_in_a_sentence():
    without = package("a-1-py3-none-any.whl")
    without["wheels"][0]["hashes"] = {}
    with pytest.raises(LockError, match=r"gives no wheel of a 1\+x with a SHA-256"):
        best_wheel(without, "3.13")


def test_uv_asks_the_index_that_pip_is_configured_with():
    variables = uv_variables(
        {"index-url": "a", "extra-index-url": "b\nc", "find-links": " d e", "timeout": "9"}
    )
    del variables["UV_INDEX_STRATEGY"], variables["UV_SYSTEM_CERTS"]
    assert variables == {"UV_DEFAULT_INDEX": "a", "UV_INDEX": "b c", "UV_FIND_LINKS": "d,e"}


def test_a_password_in_an_address_is_not_in_the_sentence():
    errors = "error: Bad index\n  cause: HTTP status 500 for url (https://me:secret@example.org/simple/a/)\n"
    assert str(refusal(errors, "3.13")) == (
        "uv could not resolve the wheels: HTTP status 500 for url (https://example.org/simple/a/)."
    )
