"""What is in deploy/, read: the compose file, the manifests, the image's command, the unit."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "DEPLOY",
    "ROOT",
    "compose",
    "container",
    "copied",
    "environment",
    "exec_start",
    "image_command",
    "manifest",
    "manifests",
    "pod",
    "units",
]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def compose() -> dict[str, Any]:
    return _one(DEPLOY / "compose.yaml")


def manifests() -> list[dict[str, Any]]:
    """Every object that `kubectl apply --kustomize` makes."""
    folder = DEPLOY / "kubernetes"
    files = _one(folder / "kustomization.yaml")["resources"]
    return [thing for file in files for thing in yaml.safe_load_all((folder / file).read_text())]


def manifest(kind: str, name: str = "chat") -> dict[str, Any]:
    found = [m for m in manifests() if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} objects {kind} {name}"
    return found[0]


def pod(name: str = "chat") -> dict[str, Any]:
    template: dict[str, Any] = manifest("Deployment", name)["spec"]["template"]
    return template


def container(name: str = "chat") -> dict[str, Any]:
    one: dict[str, Any] = pod(name)["spec"]["containers"][0]
    return one


def environment() -> dict[str, str]:
    """What a pod of the chat gets, besides the secret `chat-backends`; what comes from other secrets is `secret`."""
    environ: dict[str, str] = dict(manifest("ConfigMap")["data"])
    for variable in container()["env"]:
        value = variable.get("value", "secret")
        environ[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: environ[found[1]], value)
    return environ


def image_command() -> list[str]:
    """The CMD of the image."""
    command: list[str] = json.loads(_dockerfile(r"^CMD (\[.+\])$")[0])
    return command


def copied() -> Iterator[str]:
    """What the image is made of, relative to the repository."""
    for line in _dockerfile(r"^COPY (?!--from)(.+)$"):
        yield from line.split()[:-1]


def units() -> dict[str, str]:
    """systemd's units, by their names."""
    return {path.name: path.read_text() for path in sorted((DEPLOY / "systemd").iterdir())}


def exec_start(name: str) -> list[str]:
    """The command of a unit; of a template, for port 8001."""
    line: str = re.findall(r"^ExecStart=(.+)$", units()[name], re.MULTILINE)[0]
    return shlex.split(line.replace("%i", "8001"))


def _dockerfile(pattern: str) -> list[str]:
    return re.findall(pattern, (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)


def _one(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text())
    return read
