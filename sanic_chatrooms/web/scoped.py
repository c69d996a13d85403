"""A JavaScript module and all that it imports as one file. Parts may use the same names inside: those that do have a scope of their own.

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
_DECLARED = re.compile(
    r"^(?:export )?(?:(?:async )?(?:class|function\*?)|const|let) (\{[^}]*\}|\[[^\]]*\]|[\w$]+)", re.MULTILINE
)
_WORD = re.compile(r"[\w$]+")
# A word that may be a name. After a dot it is a field.
_NAME = re.compile(r"(?:(?<![.#\w$])|(?<=\.\.\.))[\w$]+")
_COMMENT = re.compile(r"(?:^|(?<=\s))// [^\n]*|/\*\*.*?\*/", re.DOTALL)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def scoped_bundle(entry: Path, outside: Mapping[Path, str]) -> str:
    """The text of one module that exports what `entry` exports. For the rest see `ScopedFile`."""
    return ScopedFile(entry, outside).text()


class ScopedFile:
    """A module and all that it imports. Each sees what the others export, and of the names inside the others nothing.

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
        self._words: dict[Path, set[str]] = {}
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
        times = Counter(chain(*self._words.values()))
        parts = [self._part(path, times, shared=shared or path == self._entry) for path in self._bodies]
        return "\n".join(["".join(lines), *parts])

    def _part(self, path: Path, times: Mapping[str, int], *, shared: bool) -> str:
        """`times`: in how many parts each word is. A part needs no scope if nothing else could mean one of the names inside it."""
        names, body = ", ".join(self.exports[path]), self._bodies[path]
        declared = chain(*(_WORD.findall(found) for found in _DECLARED.findall(body)))
        if all(times[name] == 1 for name in declared if name not in self.exports[path]):
            return body if shared else _EXPORT.sub("", body)
        body = _EXPORT.sub("", body)
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
        self._words[path] = {*_NAME.findall(_COMMENT.sub("", text))}
        text = _SHEET.sub(lambda found: f"const {found[1]} = {_sheet(path.parent / found[2])};\n", text)
        for line in _OTHER.findall(_EXPORT.sub("", text)):
            raise ValueError(
                f"{line!r} in {path.name} cannot be joined: name what a part has, in one line, without `as`"
            )
        self._open.pop()
        self.exports[path], self._bodies[path] = _EXPORT.findall(text), text.lstrip("\n")

    def _take(self, names: str, path: Path) -> str:
        if place := self._outside.get(path):
            self._imported.setdefault(place, set()).update(names.split(", "))
        elif path not in self.exports:
            self._add(path)
        return ""


def _sheet(path: Path) -> str:
    return json.dumps(compact_style(path.read_text("utf-8")), ensure_ascii=False)
