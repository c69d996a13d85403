from __future__ import annotations

from pathlib import Path

import pytest

from sanic_chatrooms.web.assets import Assets
from sanic_chatrooms.web.joined import joined_modules

MODULES = {
    "chat-app.js": 'import { Chat } from "../client.js";\nimport { el } from "./dom.js";\nexport const start = () => [Chat, el];\n',
    "dom.js": "export const el = 1;\nexport const fill = 2;\n",
    "app.js": 'import { el } from "./dom.js";\nimport { row } from "./row.js";\nexport const App = [el, row];\n',
    "row.js": 'import { fill } from "./dom.js";\nexport const row = fill;\n',
    "later.js": 'import { el } from "./dom.js";\nimport { other } from "./other.js";\nimport { row } from "./row.js";\nimport { fill } from "./dom.js";\nexport const all = [el, fill, row, other];\n',
    "other.js": "export const other = 3;\n",
    "client.js": "export const Chat = 4;\n",
    "admin/admin.js": 'import { el } from "../dom.js";\nexport const desk = el;\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "admin").mkdir()
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_every_page_needs_is_two_files(folder: Path) -> None:
    joined = joined_modules(folder, ["client.js"])

    assert joined["chat-app.js"] == (
        'import { Chat } from "../client.js";\n'
        "\nexport const el = 1;\nexport const fill = 2;\n"
        "\nexport const start = () => [Chat, el];\n"
    )
    assert joined["app.js"] == (
        'import { el, fill } from "./chat-app.js";\n'
        "\nexport const row = fill;\n"
        "\nexport const App = [el, row];\n"
    )


def test_each_module_keeps_its_address(folder: Path) -> None:
    joined = joined_modules(folder, ["client.js"])

    assert joined.keys() == MODULES.keys() - {"client.js"}
    assert joined["dom.js"] == 'export { el, fill } from "./chat-app.js";\n'
    assert joined["row.js"] == 'export { row } from "./app.js";\n'


def test_what_is_loaded_later_takes_what_it_needs_from_those_files(folder: Path) -> None:
    assert joined_modules(folder, ["client.js"])["later.js"] == (
        'import { el, fill } from "./chat-app.js";\nimport { other } from "./other.js";\nimport { row } from "./app.js";\n'
        "export const all = [el, fill, row, other];\n"
    )


def test_the_page_of_operators_is_one_file(folder: Path) -> None:
    assert "import" not in joined_modules(folder, ["client.js"])["admin/admin.js"]


def test_the_files_are_those_of_the_start_also_after_an_update(folder: Path) -> None:
    assets = Assets(folder)
    (folder / "dom.js").write_text("export const el = 'new';\n")

    assert "new" not in assets._joined["chat-app.js"]
