"""What a folder has of a Django project, as mkDjangoImage is told it."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

from modules import PRODUCTION, InitError, asgi_application, files, settings_module, wsgi_application
from sources import Settings, module_file, parse

# The folders that mkDjangoImage lets the application write to by default.
USUAL = {"staticfiles", "media", "logs"}
# Where requirements lie that are for serving people, the likeliest first.
REQUIREMENTS = [f"requirements/{name}.txt" for name in (*PRODUCTION, "base", "common", "requirements")]
# Where the project is in the image.
IMAGE = Path("/app")


@dataclasses.dataclass
class Project:
    """Arguments of mkDjangoImage, None where they are its defaults; and what a person should know."""

    # The folders of manage.py and of pyproject.toml, relative to the top ("" is the top).
    source: str
    described: str
    settings: str
    name: str | None = None
    application: str | None = None
    asgi: str | None = None
    writable: list[str] | None = None
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    # Each with what it is about.
    findings: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def read(top: Path, folder: str | None) -> Project:
    """The project in the folder, or else the only one at or below the top. Raises InitError."""
    source = given(top, folder) if folder is not None else only_project(top)
    manage = Settings([source], source / "manage.py")
    path = [place for each in manage.path if (place := inside(each, source))]
    roots = [source, *(source / each for each in path)]
    settings, why = settings_module(source, roots)
    described = next((each for each in (source, top) if (each / "pyproject.toml").is_file()), source)
    project = Project(relative(source, top), relative(described, top), settings)
    project.findings += [
        ("manage.py", f"in {project.source or 'this folder'}"),
        ("settings", f"{settings}, {why}"),
    ]
    file = module_file(roots, settings)
    if file is None:
        raise InitError(f"{settings} is not in this project.")
    said = Settings(roots, file)
    project.asgi, finding = asgi_application(source, roots, said)
    if project.asgi is None:
        project.application, finding = wsgi_application(source, roots, settings, said)
    project.findings.append(finding)
    read_folders(project, source, said)
    if path:
        project.environment["PYTHONPATH"] = ":".join(f"/app/{each}" for each in path)
        project.findings.append(("PYTHONPATH", f"{', '.join(path)}, as manage.py says"))
    read_configuration(project, file)
    project.name = image_name(described, source)
    project.findings.append(("packages", packages(described, source, top)))
    return project


def given(top: Path, folder: str) -> Path:
    """The folder that is asked for."""
    source = (top / folder).resolve()
    if not source.is_relative_to(top):
        raise InitError(f"{folder} is not below this folder: run `nixw init` in the project's own.")
    if not (source / "manage.py").is_file():
        raise InitError(f"{folder} has no manage.py: name the folder of a Django project that has it.")
    return source


def only_project(top: Path) -> Path:
    """The folder of the manage.py that is nearest, if it is the only one."""
    found = [
        file.parent
        for file in files(top, "manage.py")
        if re.search(r"DJANGO_SETTINGS_MODULE|execute_from_command_line", file.read_text(errors="replace"))
    ]
    if not found:
        raise InitError("there is no manage.py here, nor in a folder below: run this in a Django project.")
    if top not in found and len(found) > 1:
        names = ", ".join(relative(folder, top) for folder in found)
        raise InitError(f"there are several projects, in {names}: name one with `nixw init FOLDER`.")
    return top if top in found else found[0]


def relative(path: Path, top: Path) -> str:
    return "" if path == top else path.relative_to(top).as_posix()


def inside(path: str, source: Path) -> str | None:
    """The path as a folder of the project, here or in the image; None if it is another place, or the project itself."""
    place = source / path
    if place.is_relative_to(IMAGE) and not place.is_relative_to(source):
        place = source / place.relative_to(IMAGE)
    return place.relative_to(source).as_posix() if place.is_relative_to(source) and place != source else None


def read_folders(project: Project, source: Path, said: Settings) -> None:
    """Set the folders that the application writes to, as far as the settings say so."""
    found = set()
    for name in ("STATIC_ROOT", "MEDIA_ROOT"):
        values = [value for value in said.values(name) if value]
        places = [place for value in values if (place := inside(value, source))]
        found |= set(places)
        if places:
            project.findings.append((name, ", ".join(places)))
        elif any(source / value == source for value in values):
            project.findings.append(
                (name, "the project's own folder; not sure: write the folders below it into `writable`")
            )
        elif values:
            project.findings.append(
                (name, f"{values[0]}; not sure: it is outside the project, so mount a volume there")
            )
        else:
            project.findings.append(
                (name, "not found; not sure: if there is one, write its folder into `writable`")
            )
    logs = {place for value in said.logs if (place := inside(str(Path(value).parent), source))}
    if logs:
        project.findings.append(("log files", f"in {', '.join(sorted(logs))}"))
    if not found | logs <= USUAL:
        project.writable = sorted(found | logs)


def read_configuration(project: Project, settings: Path) -> None:
    """Set the class of settings, where django-configurations reads them."""
    tree = parse(settings)
    if tree is None or "configurations" not in settings.read_text(errors="replace"):
        return
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if "Production" in classes:
        project.environment["DJANGO_CONFIGURATION"] = "Production"
        others = [name for name in classes if name != "Production"]
        doubt = f"; not sure: there are {', '.join(others)} too" if others else ""
        project.findings.append(("DJANGO_CONFIGURATION", f"Production{doubt}"))


def image_name(described: Path, source: Path) -> str | None:
    """The image's name, None where pyproject.toml says it."""
    content = pyproject(described)
    if content.get("project", {}).get("name"):
        return None
    name = content.get("tool", {}).get("poetry", {}).get("name") or source.name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "django"


def pyproject(folder: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads((folder / "pyproject.toml").read_text())
        for table in (
            content.setdefault("project", {}),
            content.get("tool", {}),
            content.get("tool", {}).get("poetry", {}),
        ):
            table.keys()
        return content
    except FileNotFoundError:
        return {}
    except AttributeError:
        raise InitError("pyproject.toml has a `project` or a `tool` that is no table: correct it.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InitError(f"pyproject.toml cannot be read: {' '.join(str(error).split())}.") from None


def packages(described: Path, source: Path, top: Path) -> str:
    """Where the image's Python packages come from, or the command to run before."""
    folders = list(dict.fromkeys([described, source, top]))
    for lock in ("uv.lock", "pylock.toml"):
        if any((folder / lock).is_file() for folder in (described, source)):
            return f"exactly what {lock} says"
    for lock in ("poetry.lock", "requirements.txt", *REQUIREMENTS):
        for folder in folders:
            if (folder / lock).is_file():
                file = relative(folder / lock, top)
                return f"first run `nixw lock --from {file}`, which makes a pylock.toml of it"
    if pyproject(described).get("project", {}).get("dependencies"):
        return "no lock: the package set's versions of what pyproject.toml asks for"
    return "not found; not sure: begin with `nixw add Django`, or with `nixw lock --from FILE`"
