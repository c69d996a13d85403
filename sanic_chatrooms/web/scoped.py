"""A JavaScript module and all that it imports as one file, each part in a scope of its own: parts may use the same names inside.

`bundle` joins the client's parts into one scope, which reads better. The page's modules have too many for that. Style sheets can
be imported, too: a part gets the text of one.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

from sanic_chatrooms.web.compact import compact_style

__all__ = ["ScopedFile", "scoped_bundle"]

_MODULE = re.compile(r'^import \{ ((?:\w+, )*\w+) \} from "(\.{1,2}/[\w./-]+\.js)";\n', re.MULTILINE)
_SHEET = re.compile(r'^import (\w+) from "(\.{1,2}/[\w./-]+\.css)" with \{ type: "text" \};\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function\*?|const) (\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def scoped_bundle(entry: Path, outside: Mapping[Path, str]) -> str:
    """The text of one module that exports what `entry` exports. For the rest see `ScopedFile`."""
    return ScopedFile(entry, outside).text()


class ScopedFile:
    """A module and all that it imports. Each is in a scope of its own there, and sees what the others export.

    `outside`: modules that stay files of their own, and from where to import them. Raises `ValueError` where it takes more than
    putting parts one after another: modules that import each other or export the same name, other forms of `import` and `export`.
    """

    def __init__(
        self, entry: Path, outside: Mapping[Path, str], read: Callable[[Path], str] = Path.read_text
    ) -> None:
        self.exports: dict[Path, list[str]] = {}
        """What the entry and each module in the file export."""
        self._entry = entry.resolve()
        self._outside = {path.resolve(): place for path, place in outside.items()}
        self._read = read
        self._bodies: dict[Path, str] = {}
        self._imported: dict[str, set[str]] = {}
        self._open: list[Path] = []
        self._add(self._entry)
        if twice := [name for name, times in Counter(chain(*self.exports.values())).items() if times > 1]:
            raise ValueError(
                f"two parts export {', '.join(twice)}, and all that is exported shares one scope"
            )

    def text(self, *, shared: bool = False) -> str:
        """`shared`: it exports what any module in it exports."""
        lines = [
            f'import {{ {", ".join(sorted(names))} }} from "{place}";\n'
            for place, names in self._imported.items()
        ]
        parts = [self._scope(path, shared=shared or path == self._entry) for path in self._bodies]
        return "\n".join(["".join(lines), *parts])

    def _scope(self, path: Path, *, shared: bool) -> str:
        names, body = ", ".join(self.exports[path]), self._bodies[path]
        start = "export const" if shared and names else "const"
        return f"{start} {{ {names} }} = (() => {{\n{body}return {{ {names} }};\n}})();\n"

    def _add(self, path: Path) -> None:
        """Add what a module imports, and then the module."""
        if path in self._open:
            raise ValueError(
                f"{path.name} and {self._open[-1].name} import each other, and neither can be the first"
            )
        self._open.append(path)
        text = _MODULE.sub(
            lambda found: self._take(found[1], (path.parent / found[2]).resolve()), self._read(path)
        )
        text = _SHEET.sub(lambda found: f"const {found[1]} = {_sheet(path.parent / found[2])};\n", text)
        body = _EXPORT.sub("", text)
        for line in _OTHER.findall(body):
            raise ValueError(
                f"{line!r} in {path.name} cannot be joined: name what a part has, in one line, without `as`"
            )
        self._open.pop()
        self.exports[path], self._bodies[path] = _EXPORT.findall(text), body.lstrip("\n")

    def _take(self, names: str, path: Path) -> str:
        if place := self._outside.get(path):
            self._imported.setdefault(place, set()).update(names.split(", "))
        elif path not in self.exports:
            self._add(path)
        return ""


def _sheet(path: Path) -> str:
    return json.dumps(compact_style(path.read_text("utf-8")), ensure_ascii=False)
