"""Layers and archives of container images, in the format that `docker save` writes and `docker load` reads.

Specification: "Docker Image Specification v1.2" (moby/docker-image-spec): manifest.json, a configuration, and one tar
archive a layer. Everything here depends on its arguments alone, not on clock, user, inode or directory order.

usage: image.py link PACKAGE ROOT
       image.py top ROOT NAMES OWNERS OUT MTIME
       image.py layers GRAPH ROOTS PIPELINE OUT MTIME UID GID UNAME GNAME
       image.py plan BASE GRAPH CUSTOM CONFIG OUT NAME TAG ARCHITECTURE CREATED MTIME UID GID UNAME GNAME STORE_PATHS
       image.py stream PLAN [rest]
       image.py pack PLAN gz|none OUT
"""

from __future__ import annotations

import concurrent.futures
import datetime
import hashlib
import io
import json
import os
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

BLOCK = 512
# Compresses three times as fast as 9, for one part in a hundred of the size.
LEVEL = 6
# The top layer is cut at folders of the application, those with so many bytes in an archive, and so many of them at most. A
# node takes as long for one more layer as for a megabyte in another.
APPLICATION, LARGE, MOST = "app", 1 << 20, 4


def link(package: str, root: str) -> None:
    """Link each file of a package at its place below `root`; directories become real ones."""
    for folder, folders, files in os.walk(package):
        target = Path(root) / Path(folder).relative_to(package)
        target.mkdir(exist_ok=True)
        for name in files + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            place = target / name
            if not place.is_symlink():
                place.symlink_to(os.path.join(folder, name))


def top(root: str, names: str, owners: str, out: str, mtime: str) -> None:
    """Archive a directory tree as several layers: $out/layers.json tells which.

    Large folders get layers of their own, so that a change in one of them leaves the others as they are. Owners and modes
    are those of the files that are given: what `find -print0` wrote in the tree, and for each name a line "UID GID MODE".
    """
    facts = {
        Path(root, os.fsdecode(name)): line.split()
        for name, line in zip(
            Path(names).read_bytes().split(b"\0"), Path(owners).read_text().splitlines(), strict=False
        )
    }
    groups: dict[str, list[Path]] = {}
    tree = [path for path in walk(Path(root)) if path != Path(root)]
    for path in tree:
        top_folder, *below = path.relative_to(root).parts
        if top_folder == APPLICATION and below:
            groups.setdefault(below[0], []).append(path)
    large = sorted(
        (name for name, paths in groups.items() if total(paths) >= LARGE and len(paths) > 1),
        key=lambda name: (-total(groups[name]), name),
    )[:MOST]
    rest = [path for path in tree if not any(path in groups[name] for name in large)]
    plan = []
    for number, paths in enumerate([rest, *(groups[name] for name in sorted(large))]):
        layer = Path(out, f"{number}.tar")
        # A folder that a layer does not name gets an engine's own idea of owner and mode.
        parents = {
            parent for parent in paths[0].parents if parent.is_relative_to(root) and parent != Path(root)
        }
        with layer.open("wb") as file, tar(file) as archive:
            for path in sorted(parents) + paths:
                uid, gid, mode = facts[path]
                name = path.relative_to(root).as_posix()
                add(archive, path, name, seconds(mtime), int(mode, 8), (int(uid), int(gid), "", ""))
        digest = hashlib.sha256(layer.read_bytes()).hexdigest()
        plan.append({"diff_id": digest, "size": layer.stat().st_size, "tar": str(layer)})
    Path(out, "layers.json").write_text(json.dumps(plan))


def total(paths: list[Path]) -> int:
    """Bytes that the paths take in an archive: a block each, and those of files."""
    files = (path.lstat().st_size for path in paths if path.is_file() and not path.is_symlink())
    return BLOCK * (len(paths) + sum(-(-size // BLOCK) for size in files))


def layers(graph: str, roots: str, pipeline: str, out: str, mtime: str, *owner: str) -> None:
    """Layers of the store paths that the roots need: $out/layers.json about them, and each compressed."""
    references = read_graph(graph)
    paths = [path for path in by_name(references) if path != roots]
    groups = divide(paths, references, json.loads(Path(pipeline).read_text()))
    target = Path(out)
    target.mkdir()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        plan = list(pool.map(lambda group: describe_layer(group, mtime, owner, target), groups))
    (target / "layers.json").write_text(json.dumps(plan, indent=1))


def divide(paths: list[str], references: dict[str, list[str]], pipeline: list[Any]) -> list[list[str]]:
    """The store paths of each layer, lowest first, as steps of nixpkgs' `layeringPipeline` say.

    Known are `["subcomponent_out", PATHS]`, which takes these and all they need from the rest into a layer, and
    `["over", "rest", ["pipe", PIPELINE]]`, which goes on with that rest.
    """
    divided = [paths]
    for step in pipeline:
        match step:
            case ["subcomponent_out", taken]:
                needed = closure(taken, references)
                divided = [
                    [path for path in paths if (path in needed) is is_taken] for is_taken in (True, False)
                ]
            case ["over", "rest", ["pipe", further]]:
                divided = [*divided[:-1], *divide(divided[-1], references, further)]
            case _:
                raise SystemExit(f"image: layeringPipeline has a step that is not known here: {step!r:.100}")
    return [layer for layer in divided if layer]


def closure(paths: list[str], references: dict[str, list[str]]) -> set[str]:
    """The store paths and all that they need, as far as they are among the references."""
    found: set[str] = set()
    todo = list(paths)
    while todo:
        path = todo.pop()
        if path in references and path not in found:
            found.add(path)
            todo += references[path]
    return found


def describe_layer(
    paths: list[str], mtime: str, owner: tuple[str, ...], target: Path | None
) -> dict[str, Any]:
    """A layer's store paths, digest and size; with `target` it is kept there, compressed, by its digest."""
    content = store_layer(paths, mtime, owner)
    digest = hashlib.sha256(content).hexdigest()
    entry: dict[str, Any] = {"paths": paths, "diff_id": digest, "size": len(content)}
    if target is not None:
        part = target / f"{digest}.gz"
        part.write_bytes(gzip_member(content))
        entry["gz"] = str(part)
    return entry


def plan(base: str, graph: str, custom: str, config: str, out: str, name: str, tag: str, *rest: str) -> None:
    """All that `stream` and `pack` need to know, as one file."""
    architecture, created, mtime, *owner, store_paths = rest
    known = json.loads(Path(base, "layers.json").read_text()) if store_paths == "yes" else []
    have = {path for layer in known for path in layer["paths"]} | {custom}
    more = [path for path in by_name(read_graph(graph)) if path not in have] if store_paths == "yes" else []
    extra = [describe_layer([path], mtime, tuple(owner), None) for path in more]
    everything = [*known, *extra, *json.loads(Path(custom, "layers.json").read_text())]
    configuration = {
        "architecture": architecture,
        "config": json.loads(Path(config).read_text()),
        "created": created,
        "history": [{"created": created, "created_by": history(layer)} for layer in everything],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer['diff_id']}" for layer in everything]},
    }
    text = json.dumps(configuration, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    manifest = [
        {
            "Config": f"{digest}.json",
            "Layers": [f"{layer['diff_id']}/layer.tar" for layer in everything],
            "RepoTags": [f"{name}:{digest[:32] if tag == '-' else tag}"],
        }
    ]
    described = {
        "name": name,
        "layers": everything,
        "files": {f"{digest}.json": text, "manifest.json": json.dumps(manifest)},
        "mtime": mtime,
        "owner": owner,
    }
    Path(out).write_text(json.dumps(described, indent=1))


def history(layer: dict[str, Any]) -> str:
    """What `docker history` shows of a layer."""
    if "paths" not in layer:
        return "the application, its directories, /etc"
    names = [os.path.basename(path)[33:] for path in layer["paths"]]
    return names[0] if len(names) == 1 else f"{len(names)} store paths: {' '.join(names)}"[:200]


def stream(plan: str, part: str = "") -> None:
    """Write the image to standard output; its `rest` is without the layers that are there already, compressed."""
    described = json.loads(Path(plan).read_text())
    try:
        for content in members(rest_of(described) if part else described):
            sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the reader went away, and says why itself


def pack(plan: str, compressor: str, out: str) -> None:
    """Write the image to a file. Compressed, it is the gzip members of its parts, one after the other (RFC 1952, 2.2).

    Those of the layers that seldom change are there already.
    """
    described = json.loads(Path(plan).read_text())
    with open(out, "wb") as file:
        if compressor == "none":
            file.writelines(members(described))
            return
        for layer in described["layers"]:
            if "gz" in layer:
                head, tail = around(f"{layer['diff_id']}/layer.tar", layer["size"])
                file.writelines((gzip_member(head), Path(layer["gz"]).read_bytes(), gzip_member(tail)))
        file.writelines(gzip_member(content) for content in members(rest_of(described)))


def rest_of(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan without the layers that seldom change."""
    return plan | {"layers": [layer for layer in plan["layers"] if "gz" not in layer]}


def members(plan: dict[str, Any]) -> Iterator[bytes]:
    """The archive, part by part: the layers, what describes them, and the two empty blocks that end it."""
    for layer in plan["layers"]:
        content = (
            Path(layer["tar"]).read_bytes()
            if "tar" in layer
            else store_layer(layer["paths"], plan["mtime"], tuple(plan["owner"]))
        )
        if hashlib.sha256(content).hexdigest() != layer["diff_id"]:
            raise SystemExit(
                f"image: the contents of {layer.get('paths', layer.get('tar'))} are not what they were."
            )
        yield member(f"{layer['diff_id']}/layer.tar", content)
    for name, text in plan["files"].items():
        yield member(name, text.encode())
    yield bytes(2 * BLOCK)


def store_layer(paths: list[str], mtime: str, owner: tuple[str, ...]) -> bytes:
    """The archive of store paths, owned by `owner` (uid, gid and their names), read-only as the store is."""
    uid, gid, uname, gname = owner
    names = (int(uid), int(gid), uname, gname)
    buffer = io.BytesIO()
    with tar(buffer) as archive:
        for parent in ("nix", "nix/store"):
            add(archive, Path("/"), parent, seconds(mtime), 0o755, names)
        for root in sorted(paths):
            for path in walk(Path(root)):
                mode = 0o555 if os.lstat(path).st_mode & 0o111 else 0o444
                add(archive, path, path.as_posix()[1:], seconds(mtime), mode, names)
    return buffer.getvalue()


def walk(root: Path) -> Iterator[Path]:
    """The path and everything below it, in the order of names."""
    yield root
    if root.is_dir() and not root.is_symlink():
        for child in sorted(root.iterdir()):
            yield from walk(child)


def tar(file: BinaryIO) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)


def add(
    archive: tarfile.TarFile, path: Path, name: str, mtime: int, mode: int, owner: tuple[int, int, str, str]
) -> None:
    """Add a file, link or directory. Hard links become files, for a store may make them at any time."""
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode = mtime, mode
    entry.uid, entry.gid, entry.uname, entry.gname = owner
    if path.is_symlink():
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
        archive.addfile(entry)
    elif path.is_dir():
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        content = path.read_bytes()
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def member(name: str, content: bytes) -> bytes:
    """A file as part of a tar archive."""
    head, tail = around(name, len(content))
    return head + content + tail


def around(name: str, size: int) -> tuple[bytes, bytes]:
    """What a tar archive has before a file, its header, and after it: up to the next block nothing."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o644, 1
    return entry.tobuf(tarfile.GNU_FORMAT), bytes(-size % BLOCK)


def gzip_member(content: bytes) -> bytes:
    """Compressed, with a header that says nothing of time or system."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(content) + compressor.flush()


def read_graph(path: str) -> dict[str, list[str]]:
    """{store path: paths it refers to}, from what Nix's exportReferencesGraph writes."""
    lines = iter(Path(path).read_text().splitlines())
    graph = {}
    for name in lines:
        next(lines)  # its derivation
        graph[name] = [next(lines) for _ in range(int(next(lines)))]
    return graph


def by_name(paths: Iterable[str]) -> list[str]:
    """Store paths in the order of what follows their hashes."""
    return sorted(paths, key=lambda path: (os.path.basename(path)[33:], path))


def seconds(time: str) -> int:
    return int(datetime.datetime.fromisoformat(time).timestamp())


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {
        "link": link,
        "top": top,
        "layers": layers,
        "plan": plan,
        "stream": stream,
        "pack": pack,
    }
    commands[sys.argv[1]](*sys.argv[2:])
