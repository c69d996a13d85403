"""The page's modules as two files: what the first view needs, and the rest that every page needs. And those of the operators' page as one.

A browser asks for two files instead of ninety. Each module keeps its address: one that is in these files exports from them, so an app's
own modules, and those that are loaded later, meet the same objects.
"""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sanic_chatrooms.web.scoped import ScopedFile

__all__ = ["FIRST", "joined_modules"]

FIRST, REST = "chat-app.js", "app.js"
OPERATORS = "admin/admin.js"
_FROM = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";\n', re.MULTILINE)


def joined_modules(
    folder: Path, beside: Collection[str], read: Callable[[Path], str] = Path.read_text
) -> dict[str, str]:
    """The texts of the modules in `folder`, by name. `beside`: the client, and others that are served beside that folder."""
    folder = folder.resolve()
    outside = {folder.parent / name: f"../{name}" for name in beside}
    first = ScopedFile(folder / FIRST, outside, read)
    places = dict.fromkeys(first.exports, f"./{FIRST}")
    rest = ScopedFile(folder / REST, outside | places, read)
    places |= dict.fromkeys(rest.exports, f"./{REST}")
    texts = {
        path.name: f'export {{ {", ".join(names)} }} from "{places[path]}";\n'
        for path, names in {**first.exports, **rest.exports}.items()
    }
    texts |= {FIRST: first.text(shared=True), REST: rest.text(shared=True)}
    for path in folder.glob("*.js"):
        if path.name not in (*texts, *beside):
            texts[path.name] = _redirected(read(path), {path.name: place for path, place in places.items()})
    return texts | {OPERATORS: ScopedFile(folder / OPERATORS, {}, read).text()}


def _redirected(text: str, places: Mapping[str, str]) -> str:
    """A module that takes each name from the place of the module that has it."""
    names: dict[str, list[str]] = {}

    def note(line: re.Match[str]) -> str:
        names.setdefault(places.get(line[2], f"./{line[2]}"), []).append(line[1])
        return ""

    rest = _FROM.sub(note, text)
    return "".join(f'import {{ {", ".join(its)} }} from "{place}";\n' for place, its in names.items()) + rest
