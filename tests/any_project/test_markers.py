"""Nix judges versions and environment markers as `packaging` does. Needs `nix-instantiate`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from packaging.markers import InvalidMarker, Marker, UndefinedComparison
from packaging.specifiers import InvalidSpecifier, Specifier
from packaging.version import InvalidVersion

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = f"lib = import {ROOT}/nix/debian/lib.nix;"
ENVIRONMENT = {
    "implementation_name": "cpython",
    "implementation_version": "3.13.5",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.13.5",
    "python_version": "3.13",
    "sys_platform": "linux",
}

# Without shrinking: each example is a batch, of which the failing cases are shown.
few = settings(
    max_examples=20, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)

releases = some.lists(some.integers(0, 3).map(str), min_size=1, max_size=4).map(".".join)
versions = some.builds(
    "".join,
    some.tuples(
        some.sampled_from(["", "", "", "1!", "v", "0!"]),
        releases | some.sampled_from(["3.13", "3.13.5", "3", "3.9", "3.14", "2024.01.05"]),
        some.sampled_from(["", "", "", "a1", "b0", "rc1", ".rc2", "-alpha.1", "c1"]),
        some.sampled_from(["", "", "", ".post1", "-2", ".r3"]),
        some.sampled_from(["", "", "", ".dev1", "dev"]),
        some.sampled_from(["", "", "", "+local", "+1.01", "+1-1", "+LOCAL"]),
    ),
)
operators = some.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~=", "==="])

variables = some.sampled_from([*ENVIRONMENT, "os.name", "platform.machine", "python_implementation"])
literals = some.sampled_from(
    ["linux", "Linux", "win32", "posix", "x86_64", "aarch64", "arm64", "", "cpython", "pypy", "CPython"]
    + ["3.8", "3.13", "3.13.0", "3.13.5", "3.14", "3", "3.*", "3.13.*", "3.9 3.13", "2.7, 3.13", "3.13rc1"]
)
comparisons = some.one_of(
    some.tuples(variables, operators | some.sampled_from(["in", "not in", "not   in"]), literals).map(
        lambda parts: f'{parts[0]} {parts[1]} "{parts[2]}"'
    ),
    some.tuples(literals, operators | some.sampled_from(["in", "not in"]), variables).map(
        lambda parts: f"'{parts[0]}'{' ' * (parts[1][0] in 'in')}{parts[1]} {parts[2]}"
    ),
    some.sampled_from(["extra == 's3'", "extra != 'S_3'", "'s3' == extra", "'s-3'!=extra", 'extra=="Other"']),
)
markers = some.recursive(
    comparisons,
    lambda inner: some.one_of(
        some.tuples(inner, some.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("( {} )".format),
    ),
    max_leaves=6,
)
# What is no marker is refused by both.
damaged = some.tuples(
    markers, some.integers(0, 30), some.sampled_from(["", "(", ")", '"', "and", "x", "="])
).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :])


def evaluate(folder: Path, expression: str, cases: object) -> list[str]:
    """What Nix makes of the cases, each "true", "false" or "refused"."""
    file = folder / "cases.json"
    file.write_text(json.dumps(cases))
    program = (
        f"let {LIBRARY} cases = lib.importJSON {file}; {expression}"
        "say = case: let tried = builtins.tryEval (judge case); in"
        ' if !tried.success then "refused" else if tried.value then "true" else "false";'
        " in map say cases"
    )
    result = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr", program],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def differing(cases: list, ours: list[str], theirs: list[str]) -> list[tuple]:
    return [row for row in zip(cases, ours, theirs, strict=True) if row[1] != row[2]]


@few
@given(some.lists(some.tuples(versions, operators, versions, some.sampled_from(["", "", ".*"])), min_size=60))
def test_versions(tmp_path_factory, drawn):
    cases = [[version, f"{operator}{wanted}{star}"] for version, operator, wanted, star in drawn]

    def packaging(version: str, text: str) -> str:
        try:
            return str(Specifier(text).contains(version, prereleases=True)).lower()
        except InvalidSpecifier:
            return "refused"
        except InvalidVersion:
            return "false"

    ours = evaluate(
        tmp_path_factory.mktemp("nix"),
        f"specifier = import {ROOT}/nix/python/specifier.nix {{ inherit lib; }};"
        "judge = case: let clauses = specifier.read (builtins.elemAt case 1); in"
        ' if clauses == null then throw "no" else specifier.contains clauses (builtins.head case);',
        cases,
    )
    wrong = differing(cases, ours, [packaging(*case) for case in cases])
    assert wrong == []


def theirs(text: str, extra: str) -> str:
    try:
        return str(Marker(text).evaluate(ENVIRONMENT | {"extra": extra})).lower()
    except (InvalidMarker, UndefinedComparison):
        return "refused"
    except InvalidVersion:
        return "false"


@few
@given(
    some.lists(some.tuples(markers | markers | damaged, some.sampled_from(["", "s3", "s-3"])), min_size=60)
)
def test_markers(tmp_path_factory, drawn):
    cases = [list(case) for case in drawn]
    ours = evaluate(
        tmp_path_factory.mktemp("nix"),
        f"marker = import {ROOT}/nix/python/marker.nix"
        ' { inherit lib; pythonFullVersion = "3.13.5"; machine = "aarch64"; };'
        "judge = case: let extra = builtins.elemAt case 1; in marker"
        ' { origin = "x"; extras = if extra == "" then [ ] else [ extra ]; } (builtins.head case);',
        cases,
    )
    # `packaging` compares before it knows that the comparison makes no difference.
    wrong = [
        row
        for row in differing(cases, ours, [theirs(*case) for case in cases])
        if not (row[2] == "refused" and is_marker(row[0][0]))
    ]
    assert wrong == []


def is_marker(text: str) -> bool:
    try:
        Marker(text)
    except InvalidMarker:
        return False
    return True
