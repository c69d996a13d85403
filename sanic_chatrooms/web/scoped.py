"""A JavaScript module and all that it imports as one file, each part in a scope of its own: parts may use the same names.

`bundle` joins the client's parts into one scope, which reads better. The page's modules have too many for that. Style sheets can
be imported, too: a part gets the text of one.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from sanic_chatrooms.web.compact import compact_style

__all__ = ["scoped_bundle"]

_MODULE = re.compile(r'^import \{ ((?:\w+, )*\w+) \} from "(\.{1,2}/[\w./-]+\.js)";\n', re.MULTILINE)
_SHEET = re.compile(r'^import (\w+) from "(\.{1,2}/[\w./-]+\.css)" with \{ type: "text" \};\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function\*?|const) (\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def scoped_bundle(entry: Path, outside: Mapping[Path, str]) -> str:
    """The text of one module that exports what `entry` exports.

    `outside`: modules that stay files of their own, and from where to import them. Raises `ValueError` where it takes more than
    putting parts one after another: modules that import each other, other forms of `import` and `export`.
    """
    parts = _Parts(outside)
    text = parts.text(entry.resolve())
    lines = [
        f'import {{ {", ".join(sorted(names))} }} from "{place}";\n'
        for place, names in parts.imported.items()
    ]
    return "\n".join(["".join(lines), *parts.scopes, text])


class _Parts:
    def __init__(self, outside: Mapping[Path, str]) -> None:
        self.scopes: list[str] = []
        self.imported: dict[str, set[str]] = {}
        self._outside = {path.resolve(): place for path, place in outside.items()}
        self._names: dict[Path, str] = {}
        self._open: list[Path] = []

    def text(self, path: Path) -> str:
        """The module with what it imports at hand. The scopes of those are there then."""
        if path in self._open:
            raise ValueError(
                f"{path.name} and {self._open[-1].name} import each other, and neither can be the first"
            )
        self._open.append(path)
        text = _MODULE.sub(
            lambda found: self._given(found[1], path.parent / found[2]), path.read_text("utf-8")
        )
        text = _SHEET.sub(lambda found: f"const {found[1]} = {_sheet(path.parent / found[2])};\n", text)
        for line in _OTHER.findall(_EXPORT.sub("", text)):
            raise ValueError(
                f"{line!r} in {path.name} cannot be joined: name what a part has, in one line, without `as`"
            )
        self._open.pop()
        return text

    def _given(self, names: str, path: Path) -> str:
        path = path.resolve()
        if place := self._outside.get(path):
            self.imported.setdefault(place, set()).update(names.split(", "))
            return ""
        return f"const {{ {names} }} = {self._scope(path)};\n"

    def _scope(self, path: Path) -> str:
        if path not in self._names:
            text = self.text(path)
            names, body = ", ".join(_EXPORT.findall(text)), _EXPORT.sub("", text)
            self._names[path] = name = f"{_camel(path.stem)}$"
            self.scopes.append(f"const {name} = (() => {{\n{body}return {{ {names} }};\n}})();\n")
        return self._names[path]


def _camel(stem: str) -> str:
    return re.sub(r"-(\w)", lambda found: found[1].upper(), stem)


def _sheet(path: Path) -> str:
    return json.dumps(compact_style(path.read_text("utf-8")), ensure_ascii=False)
