"""The text of a project's flake.nix: the template's, with this project's arguments."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from project import Project


def text(template: Path, project: Project) -> str:
    """The template's flake.nix for this project."""
    lines = "".join(f"          {line}\n" for line in arguments(project))
    made = re.sub(
        r" *src = \./\.;\n *settingsModule = \"[^\"]*\";\n", lambda _: lines, template.read_text(), count=1
    )
    if address := origin(template):
        made = re.sub(
            r'(django-image\.url = )"[^"]*"', lambda found: f"{found[1]}{nix(address)}", made, count=1
        )
    return made


def arguments(project: Project) -> list[str]:
    """The lines of mkDjangoImage's arguments."""
    lines = [f"src = ./{project.source or '.'};"]
    if project.described != project.source:
        lines.append(f"pyproject = ./{project.described + '/' if project.described else ''}pyproject.toml;")
    if project.name:
        lines.append(f"name = {nix(project.name)};")
    lines.append(f"settingsModule = {nix(project.settings)};")
    if project.application:
        lines.append(f"wsgiApplication = {nix(project.application)};")
    if project.asgi:
        lines.append(f"asgiApplication = {nix(project.asgi)};")
    if project.writable:
        lines += ["writable = [", *(f"  {nix(folder)}" for folder in project.writable), "];"]
    lines += [f"env.{name} = {nix(value)};" for name, value in project.environment.items()]
    return lines


def nix(value: str) -> str:
    """The text as a string of Nix."""
    return json.dumps(value, ensure_ascii=False).replace("${", "\\${")


def origin(template: Path) -> str | None:
    """Where this repository was cloned from, as an address for a flake, without a login; None if that is not known."""
    command = ["git", "-C", str(template.parent), "config", "--get", "remote.origin.url"]
    try:
        address = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return None
    if found := re.fullmatch(r"(https|ssh)://(?:([^/@]*)@)?(.+)", address):
        user = f"{found[2]}@" if found[1] == "ssh" and found[2] else ""
        return f"git+{found[1]}://{user}{found[3]}"
    if found := re.fullmatch(r"([\w.-]+@[\w.-]+):([^/].*)", address):
        return f"git+ssh://{found[1]}/{found[2]}"
    return f"git+file://{address}" if address.startswith("/") else None
