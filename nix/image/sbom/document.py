"""The components as a CycloneDX 1.6 document (ECMA-424)."""

from __future__ import annotations

import json
import uuid
from typing import Any

from component import Component


def document(image: Component, application: Component, os: Component | None, parts: list[Component]) -> str:
    """The document as JSON. The same components give the same bytes: it has no time, and its number comes from them."""
    components = merged([application, *([os] if os else []), *parts])
    content = {
        "metadata": {"lifecycles": [{"phase": "build"}], "component": described(image)},
        "components": [described(component) for component in components],
        "dependencies": dependencies(image, components),
    }
    number = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))
    head = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
    }
    return json.dumps(head | content, indent=1, ensure_ascii=False) + "\n"


def merged(components: list[Component]) -> list[Component]:
    """One component where several store paths hold parts of the same, in the order of references."""
    found: dict[str, Component] = {}
    for component in components:
        first = found.setdefault(component.ref, component)
        if first is not component:
            first.locations += component.locations
            first.requires |= component.requires
    return [found[ref] for ref in sorted(found)]


def described(component: Component) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": component.type,
        "bom-ref": component.ref,
        "name": component.name,
        "version": component.version,
        "description": component.description,
        "licenses": component.licences,
        "hashes": hashes(component),
        "cpe": component.cpe,
        "purl": component.purl,
        "evidence": {"occurrences": [{"location": path} for path in component.locations]},
        "externalReferences": [{"type": "distribution", "url": component.file, "hashes": hashes(component)}],
        "properties": [{"name": name, "value": value} for name, value in component.properties.items()],
    }
    if not component.locations:
        del entry["evidence"]
    if not component.file:
        del entry["externalReferences"]
    return {key: value for key, value in entry.items() if value}


def hashes(component: Component) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": component.sha256}] if component.sha256 else []


def dependencies(image: Component, components: list[Component]) -> list[dict[str, Any]]:
    """Who needs whom, among what is in the image. What nobody needs, the image itself does."""
    refs: dict[str, list[str]] = {}
    for component in components:
        refs.setdefault(component.key, []).append(component.ref)
    needs = {
        component.ref: sorted(
            ref for key in component.requires - {component.key} for ref in refs.get(key, [])
        )
        for component in components
    }
    needed = {ref for others in needs.values() for ref in others}
    needs[image.ref] = sorted({component.ref for component in components} - needed)
    return [
        {"ref": ref, "dependsOn": others} if others else {"ref": ref} for ref, others in sorted(needs.items())
    ]
