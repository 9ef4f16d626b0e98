"""An OCI image layout from an image as `docker save` writes it, which comes on standard input.

Specifications: OCI image-spec 1.0, "Image Layout" and "Image Manifest"; "Docker Image Specification v1.2" for what is
read. The configuration stays as it is, byte for byte: the image keeps its number, which is the configuration's digest,
and its health check, which OCI's own words lack and so converters drop. The result depends on the image alone.

usage: oci.py OUT [LAYERS], a folder with layers that are compressed already, each as its digest and `.gz`: the image on
standard input may lack these
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

MEDIA_TYPE = "application/vnd.oci.image"
# Compresses three times as fast as 9, for one part in a hundred of the size.
LEVEL = 6
CHUNK = 1 << 20


def main() -> None:
    out, *compressed = map(Path, sys.argv[1:])
    blobs = out / "blobs/sha256"
    blobs.mkdir(parents=True)
    documents, layers = read_image(sys.stdin.buffer, blobs)
    (image,) = json.loads(documents["manifest.json"])
    config = documents[image["Config"]]
    digests = json.loads(config)["rootfs"]["diff_ids"]
    for name, digest in zip(image["Layers"], digests, strict=False):
        if name not in layers and compressed:
            layers[name] = digest, add_compressed(digest, blobs, *compressed)
    check(json.loads(config), [layers[name][0] for name in image["Layers"]])
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA_TYPE}.manifest.v1+json",
        "config": add_document(blobs, "config.v1+json", config),
        "layers": [layers[name][1] for name in image["Layers"]],
    }
    index = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA_TYPE}.index.v1+json",
        "manifests": [
            {
                **add_document(blobs, "manifest.v1+json", encode(manifest)),
                "platform": {key: json.loads(config)[key] for key in ("architecture", "os")},
                "annotations": {"org.opencontainers.image.ref.name": image["RepoTags"][0].rpartition(":")[2]},
            }
        ],
    }
    (out / "index.json").write_bytes(encode(index))
    (out / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))


def read_image(
    archive: BinaryIO, blobs: Path
) -> tuple[dict[str, bytes], dict[str, tuple[str, dict[str, Any]]]]:
    """The JSON documents of the archive, and of each layer its digest and the descriptor of its blob, all by name."""
    documents: dict[str, bytes] = {}
    layers = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        tarfile.open(fileobj=archive, mode="r|") as members,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for number, member in enumerate(members):
            # Others are directories, and further names of layers.
            content = members.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            if member.name.endswith(".json"):
                documents[member.name] = content.read()
                continue
            file = Path(scratch, str(number))
            with file.open("wb") as copy:
                shutil.copyfileobj(content, copy, CHUNK)
            layers[member.name] = pool.submit(add_layer, file, blobs)
        return documents, {name: layer.result() for name, layer in layers.items()}


def add_layer(file: Path, blobs: Path) -> tuple[str, dict[str, Any]]:
    """Move a layer, compressed, to the blobs. Its digest as it was, and the descriptor of the blob."""
    blob = file.with_suffix(".gz")
    compress(file, blob)
    plain = digest_of(file)
    file.unlink()
    packed, size = digest_of(blob), blob.stat().st_size
    shutil.move(blob, blobs / packed)
    return f"sha256:{plain}", descriptor("layer.v1.tar+gzip", packed, size)


def add_compressed(digest: str, blobs: Path, compressed: Path) -> dict[str, Any]:
    """Copy a layer to the blobs that is compressed already."""
    source = compressed / f"{digest.removeprefix('sha256:')}.gz"
    packed = digest_of(source)
    shutil.copyfile(source, blobs / packed)
    return descriptor("layer.v1.tar+gzip", packed, source.stat().st_size)


def digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def compress(file: Path, target: Path) -> None:
    """By gzip, with a header that says nothing of time or system."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
    with file.open("rb") as source, target.open("wb") as blob:
        while chunk := source.read(CHUNK):
            blob.write(compressor.compress(chunk))
        blob.write(compressor.flush())


def add_document(blobs: Path, kind: str, content: bytes) -> dict[str, Any]:
    """Write a JSON document to the blobs; its descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return descriptor(kind, digest, len(content))


def descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{MEDIA_TYPE}.{kind}", "digest": f"sha256:{digest}", "size": size}


def encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def check(config: dict[str, Any], digests: list[str]) -> None:
    """Refuse an image whose layers are not those that its configuration names."""
    if config["rootfs"]["diff_ids"] != digests:
        raise SystemExit("oci: the image's layers are not those that its configuration names.")


if __name__ == "__main__":
    main()
