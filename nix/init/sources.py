"""What a project's settings say, as far as it can be read without running them: texts and paths."""

from __future__ import annotations

import ast
import os
from pathlib import Path

# Functions that give their argument back, as far as the place of a file goes.
SAME = {
    "str",
    "Path",
    "PurePath",
    "PosixPath",
    "abspath",
    "realpath",
    "normpath",
    "resolve",
    "absolute",
    "fspath",
}


def name_of(call: ast.Call) -> str:
    """The last part of a function's name, under which it may be imported as `_name`."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return str(name).lstrip("_")


def parse(file: Path) -> ast.Module | None:
    """The file's syntax tree; None if it cannot be read, or is not Python 3."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def module_file(roots: list[Path], module: str) -> Path | None:
    """The file of a module that lies in one of the folders."""
    for root in roots:
        base = root.joinpath(*module.split("."))
        for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
            if file.is_file():
                return file
    return None


class Settings:
    """The texts that a module assigns to names, at any of its branches; modules of the project that it imports, too."""

    def __init__(self, roots: list[Path], file: Path) -> None:
        self.found: dict[str, list[str]] = {}
        # Files that it logs to, and folders that it adds to sys.path.
        self.logs: list[str] = []
        self.path: list[str] = []
        self._roots, self._file = roots, file
        self._read: set[Path] = set()
        self._run(file)

    def values(self, name: str) -> list[str]:
        """Each text that the name may have, the last assigned first."""
        return list(dict.fromkeys(reversed(self.found.get(name, []))))

    def _run(self, file: Path) -> None:
        if file in self._read:
            return
        self._read.add(file)
        before, self._file = self._file, file
        if tree := parse(file):
            self._statements(tree.body)
        self._file = before

    def _statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            match statement:
                case ast.ImportFrom():
                    self._import(statement)
                case ast.Assign(targets=targets, value=value):
                    self._assign([each for each in targets if isinstance(each, ast.Name)], value)
                case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                    self._assign([target], value)
                case (
                    ast.ClassDef(body=inner) | ast.With(body=inner) | ast.FunctionDef(name="main", body=inner)
                ):
                    self._statements(inner)
                case ast.FunctionDef(name=name, body=[*_, ast.Return(value=ast.expr() as returned)]):
                    # def path(*parts): return os.path.join(ROOT, *parts), or str(ROOT.joinpath(*parts))
                    if (root := self._root(returned)) is not None:
                        self.found.setdefault(name, []).append(root)
                case ast.Expr(
                    value=ast.Call(
                        func=ast.Attribute(
                            value=ast.Attribute(value=ast.Name(id="sys"), attr="path"),
                            attr="append" | "insert",
                        ),
                        args=[*_, added],
                    )
                ):
                    self.path += [folder] if (folder := self.text(added)) else []
                case ast.If(body=inner, orelse=others):
                    self._statements([*inner, *others])
                case ast.Try(body=inner, handlers=handlers, orelse=others, finalbody=last):
                    for part in (inner, *(handler.body for handler in handlers), others, last):
                        self._statements(part)

    def _root(self, node: ast.expr) -> str | None:
        """What a function's arguments are joined to, as its last line does it; None if it does something else."""
        match node:
            case ast.Call(args=[inner]) if name_of(node) in SAME:
                return self._root(inner)
            case ast.Call(func=ast.Attribute(value=on, attr="joinpath"), args=[*first, ast.Starred()]):
                return self._joined([on, *first])
            case ast.Call(args=[*first, ast.Starred()]) if name_of(node).endswith("join"):
                return self._joined(first)
        return None

    def _import(self, statement: ast.ImportFrom) -> None:
        module = statement.module or ""
        if statement.level:
            folder = self._file.parents[statement.level - 1]
            names = [module] if module else [alias.name for alias in statement.names]
            files = [module_file([folder], name) for name in names]
        else:
            files = [module_file(self._roots, module)]
        for file in files:
            if file:
                self._run(file)

    def _assign(self, targets: list[ast.Name], value: ast.expr) -> None:
        for entry in ast.walk(value):
            if isinstance(entry, ast.Dict):
                for key, content in zip(entry.keys, entry.values, strict=True):
                    if (
                        isinstance(key, ast.Constant)
                        and key.value == "filename"
                        and (path := self.text(content))
                    ):
                        self.logs.append(path)
        text = self.text(value)
        for target in targets:
            if text is not None:
                self.found.setdefault(target.id, []).append(text)

    def text(self, node: ast.expr) -> str | None:
        """What an expression is: a text, or a path as a text. None: that cannot be read."""
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.Name(id="__file__"):
                return str(self._file)
            case ast.Name(id=name):
                return next(iter(self.values(name)), None)
            case ast.Attribute(value=inner, attr="parent"):
                return self._above(inner, 1)
            case ast.Attribute(value=ast.Name(id="settings" | "base" | "self" | "cls"), attr=name):
                return next(iter(self.values(name)), None)
            case ast.Subscript(
                value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(number))
            ):
                return self._above(inner, number + 1)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._joined([left, right])
            case ast.BinOp(left=left, op=ast.Sub(), right=ast.Constant(value=int(number))):
                # environ.Path(__file__) - 3
                return self._above(left, number)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._added([left, right])
            case ast.JoinedStr(values=values):
                return self._added(
                    [each.value if isinstance(each, ast.FormattedValue) else each for each in values]
                )
            case ast.Call():
                return self._call(node)
        return None

    def _call(self, node: ast.Call) -> str | None:
        function = node.func
        name = name_of(node)
        # What a method is called on; modules have no text.
        on = [function.value] if isinstance(function, ast.Attribute) and self.text(function.value) else []
        arguments = [*node.args]
        if on and isinstance(on[0], ast.Constant):
            return None  # "".join, "".format
        if name == "dirname":
            return self._above(arguments[0], 1) if arguments else None
        if name in ("join", "joinpath") or (on and name == "path"):
            return self._joined(on + arguments)
        if name in SAME:
            return self._joined(on or arguments) if on or arguments else None
        if not isinstance(function, ast.Attribute) and self.text(function):
            return self._joined([function, *arguments])  # root("static")
        return self._default(node, name)

    def _default(self, node: ast.Call, name: str) -> str | None:
        """What a reader of environment variables gives where there is none: env("A", default=...), values.Value(...)."""
        for keyword in node.keywords:
            if keyword.arg == "default":
                return self.text(keyword.value)
        if name in ("Value", "PathValue") and node.args:
            return self.text(node.args[0])
        return self.text(node.args[1]) if len(node.args) > 1 else None

    def _above(self, node: ast.expr, levels: int) -> str | None:
        text = self.text(node)
        for _ in range(levels):
            text = text and os.path.dirname(text)
        return text

    def _joined(self, nodes: list[ast.expr]) -> str | None:
        texts = [self.text(node) for node in nodes]
        known = [text for text in texts if text is not None]
        return os.path.normpath(os.path.join(*known)) if known and len(known) == len(texts) else None

    def _added(self, nodes: list[ast.expr]) -> str | None:
        texts = [self.text(node) for node in nodes]
        known = [text for text in texts if text is not None]
        return "".join(known) if len(known) == len(texts) else None


def environment_default(tree: ast.Module, variable: str) -> str | None:
    """The text that a program gives to an environment variable: os.environ.setdefault("A", ...), os.environ["A"] = ..."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value=name), ast.Constant(value=str(value))],
            ) if name == variable:
                return value
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=name))], value=value) if (
                name == variable
            ):
                for part in [value, *getattr(value, "args", [])][::-1]:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        return part.value
    return None
