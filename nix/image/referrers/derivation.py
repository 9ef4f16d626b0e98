"""Nix's derivations: what a build is made of, down to what comes from outside.

A .drv file is ATerm's text, which is Python's too once its name is taken off: Derive([outputs], [derivations], [sources],
system, builder, [arguments], [environment]) (Nix's manual, "Derivations").
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fixed:
    """An output whose content is known beforehand: "sha256", or "r:sha256" for the hash of a NAR; and the hash in hex."""

    path: str
    algorithm: str
    number: str

    @property
    def is_archive(self) -> bool:
        """Whether the hash is that of a NAR."""
        return self.algorithm.startswith("r:")


@dataclass(frozen=True)
class Derivation:
    """Paths are those of the store.

    Attributes:
        derivations: what is built for it.
        sources: what it uses as it is.
    """

    name: str
    fixed: Fixed | None
    derivations: list[str]
    sources: list[str]
    environment: dict[str, str]


def read(text: str) -> Derivation:
    """Raises ValueError if that is no derivation.

    >>> read('Derive([("out","/nix/store/x-a","sha256","00")],[],[],"s","b",[],[("name","a")])').fixed
    Fixed(path='/nix/store/x-a', algorithm='sha256', number='00')
    """
    if not text.startswith("Derive("):
        raise ValueError("not a derivation")
    outputs, derivations, sources, _, _, _, environment = ast.literal_eval(text.removeprefix("Derive"))
    variables = dict(environment)
    fixed = [Fixed(path, algorithm, number) for _, path, algorithm, number in outputs if number]
    return Derivation(
        name=variables.get("name", ""),
        fixed=fixed[0] if fixed else None,
        derivations=[path for path, _ in derivations],
        sources=list(sources),
        environment=variables,
    )


def graph(root: Path) -> list[Derivation]:
    """The derivation in a file, and all that it is built of, each once."""
    found: dict[str, Derivation] = {}
    todo = [str(root)]
    while todo:
        path = todo.pop()
        if path not in found:
            found[path] = read(Path(path).read_text())
            todo += found[path].derivations
    return [found[path] for path in sorted(found)]
