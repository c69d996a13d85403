"""Build the npm package, of the files that the server sends: python -m scripts.npm_package build/npm

It needs neither Node nor a network. `npm/` has what is only in the package; the version is the one of pyproject.toml.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

from sanic_chatrooms.web.assets import CLIENTS, COMPONENT, FOLDER, WORDS, component
from sanic_chatrooms.web.bundle import bundle

ROOT = Path(__file__).parents[1]
OWN = ROOT / "npm"
PYTHON_VERSION = re.compile(r"(\d+\.\d+\.\d+)(?:\.?(a|b|rc|dev)(\d+))?")
STAGES = {"a": "alpha", "b": "beta", "rc": "rc", "dev": "dev"}


def npm_version(version: str) -> str:
    """A version as npm writes it: "1.0.0rc2" → "1.0.0-rc.2". Raises `ValueError` for one that npm has no form for."""
    found = PYTHON_VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"npm has no form for the version {version!r}")
    return f"{found[1]}-{STAGES[found[2]]}.{found[3]}" if found[2] else found[1]


def build(folder: Path) -> None:
    """The package in this folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    about = json.loads((OWN / "package.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about["version"] = npm_version(project["version"])
    (folder / "package.json").write_text(json.dumps(about, indent=2) + "\n")
    for name in CLIENTS:
        (folder / name).write_text(bundle(FOLDER / name))
    (folder / COMPONENT).write_text(component())
    for path in (FOLDER / "client.d.ts", FOLDER / "chat-room.d.ts", OWN / "README.md", ROOT / "LICENSE"):
        shutil.copy(path, folder)
    shutil.copytree(FOLDER / WORDS, folder / WORDS)


def main() -> None:
    folder = Path(sys.argv[1])
    build(folder)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        print(f"{path.stat().st_size:8,}  {path}")
    print(f"Publish it with: npm publish {folder}")


if __name__ == "__main__":
    main()
