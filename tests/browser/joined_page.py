"""The page's modules as one file: a page of a test loads twenty files instead of ninety, and takes a third less processor time.

What a page does is the same. A test that is about the files has them as the package serves them, and so has one of the example in a
process of its own, such as the whole story; with THOROUGH=1 all have.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
from pathlib import Path

from example_app.server import STATIC
from sanic_chatrooms.web.assets import CLIENT, COMPONENT, FOLDER, Assets, _Asset, _asset
from sanic_chatrooms.web.compact import compact_script
from sanic_chatrooms.web.scoped import scoped_bundle

__all__ = ["JOINED", "joined_assets", "static_folder"]

JOINED = "joined.js"
ENTRIES = "chat-app.js", "app.js"
PLACE = "/chat/static/"
IMPORT = re.compile(rf'^import \{{ ((?:\w+, )*\w+) \}} from "(\./|{PLACE})([\w-]+)\.js";\n', re.MULTILINE)
SCOPE = re.compile(r"^const ([\w$]+\$) = \(\(\) => \{$", re.MULTILINE)
EXPORTED = re.compile(r"^export (?:async )?(?:class|function\*?|const) (\w+)", re.MULTILINE)


@functools.cache
def joined_assets() -> Assets:
    """The modules that every page needs as one file, and the others, which take from it what they need."""
    assets = Assets()
    assets._files.update(_modules())
    assets._compact.update(_modules())
    return assets


@functools.cache
def static_folder() -> Path:
    """The example's own files, whose modules import from the one file."""
    folder = Path(_scratch().name)
    for path in STATIC.rglob("*.*"):
        copy = folder / path.relative_to(STATIC)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(
            _rewritten(path.read_text(), PLACE).encode() if path.suffix == ".js" else path.read_bytes()
        )
    return folder


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()  # removed when the interpreter ends


@functools.cache
def _modules() -> dict[str, _Asset]:
    text = {JOINED: _joined()}
    for path in FOLDER.glob("*.js"):
        if path.name in ENTRIES:
            names = ", ".join(EXPORTED.findall(path.read_text()))
            text[path.name] = (
                f'import {{ {_scopes()[path.stem]} as all }} from "./{JOINED}";\nexport const {{ {names} }} = all;\n'
            )
        elif path.stem not in _scopes() and path.name not in (COMPONENT, CLIENT):
            text[path.name] = compact_script(_rewritten(path.read_text(), "./"))
    return {name: _asset(name, body.encode()) for name, body in text.items()}


@functools.cache
def _joined() -> str:
    scopes = ", ".join(SCOPE.findall(_bundle()))
    return compact_script(f"{_bundle()}export {{ {scopes} }};\n")


@functools.cache
def _bundle() -> str:
    with tempfile.TemporaryDirectory() as folder:
        entry = Path(folder).resolve() / "entry.js"
        back = os.path.relpath(FOLDER, entry.parent)
        entry.write_text("".join(f'import {{ _ }} from "{back}/{name}";\n' for name in ENTRIES))
        text = scoped_bundle(entry, {FOLDER.parent / CLIENT: f"../{CLIENT}"})
    return re.sub(r"^const \{ _ \} = .*\n", "", text, flags=re.MULTILINE)


@functools.cache
def _scopes() -> dict[str, str]:
    """The scope of each module that is in the one file, by the name of the module."""
    known = set(SCOPE.findall(_bundle()))
    named = {path.stem: f"{_camel(path.stem)}$" for path in FOLDER.glob("*.js")}
    return {stem: scope for stem, scope in named.items() if scope in known}


def _camel(stem: str) -> str:
    return re.sub(r"-(\w)", lambda found: found[1].upper(), stem)


def _rewritten(text: str, place: str) -> str:
    """`place`: how these modules name the folder of the others."""

    def from_joined(line: re.Match[str]) -> str:
        names, folder, stem = line.groups()
        scope = _scopes().get(stem)
        if scope is None or folder != place:
            return line[0]
        return f'import {{ {scope} }} from "{place}{JOINED}";\nconst {{ {names} }} = {scope};\n'

    return IMPORT.sub(from_joined, text)
