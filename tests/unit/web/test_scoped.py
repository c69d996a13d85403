from __future__ import annotations

import re
from pathlib import Path

import pytest

from sanic_chatrooms.web.assets import FOLDER, component
from sanic_chatrooms.web.compact import compact_script
from sanic_chatrooms.web.scoped import scoped_bundle


def written(folder: Path, **modules: str) -> Path:
    """Modules by name, the first of which imports the others; -> the first."""
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder / f"{next(iter(modules))}.js"


def test_parts_that_use_one_name_for_two_things_are_joined(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        a='import { one } from "./b.js";\n\nconst LIMIT = 2;\nexport const both = [one, LIMIT];\n',
        b="const LIMIT = 1;\nexport const one = LIMIT;\n",
    )

    assert scoped_bundle(entry, {}) == (
        "\nconst { one } = (() => {\nconst LIMIT = 1;\nconst one = LIMIT;\nreturn { one };\n})();\n"
        "\nexport const { both } = (() => {\nconst LIMIT = 2;\nconst both = [one, LIMIT];\nreturn { both };\n})();\n"
    )


def test_a_part_needs_no_scope_if_the_names_inside_it_are_words_of_no_other_part(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        a='import { one } from "./b.js";\nimport { two } from "./c.js";\n\nexport const both = [one, two, history];\n',
        b="const LIMIT = 1;\nexport const one = LIMIT;\n",
        c="const { history } = window;\nexport const two = history;\n",
    )

    assert scoped_bundle(entry, {}) == (
        "\nconst LIMIT = 1;\nconst one = LIMIT;\n"
        "\nconst { two } = (() => {\nconst { history } = window;\nconst two = history;\nreturn { two };\n})();\n"
        "\nexport const both = [one, two, history];\n"
    )


@pytest.mark.parametrize(
    ("use", "is_name"),
    [
        ("box.LIMIT", False),
        ("box.#LIMIT", False),
        ("1; // LIMIT", False),
        ("1;\n/** LIMIT\n * LIMIT */", False),
        ("[...LIMIT]", True),
        ("box?.[LIMIT]", True),
        ('"https://" + LIMIT', True),
        ("{ LIMIT }", True),
    ],
)
def test_what_another_part_calls_a_field_or_has_in_a_comment_is_no_name(
    tmp_path: Path, use: str, is_name: bool
) -> None:
    entry = written(
        tmp_path,
        a=f'import {{ one }} from "./b.js";\n\nexport const two = {use};\n',
        b="const LIMIT = 1;\nexport const one = LIMIT;\n",
    )

    assert ("const { one } = (() => {" in scoped_bundle(entry, {})) is is_name


def test_a_part_comes_once_and_before_those_that_import_it(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        a='import { B } from "./b.js";\nimport { C } from "./c-d.js";\n',
        b='import { C } from "./c-d.js";\nexport class B extends C {}\n',
        **{"c-d": "export class C {}\n"},
    )

    assert re.findall(r"^class (\w) ", scoped_bundle(entry, {}), re.MULTILINE) == ["C", "B"]


def test_what_stays_outside_is_imported_once(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        a='import { Chat } from "../client.js";\nimport { b } from "./b.js";\n',
        b='import { Chat, fold } from "../client.js";\nexport const b = fold;\n',
    )

    joined = scoped_bundle(entry, {tmp_path.parent / "client.js": "./client.js"})

    assert re.findall(r"^import .*", joined, re.MULTILINE) == ['import { Chat, fold } from "./client.js";']


def test_a_style_sheet_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "s.css").write_text('/* why */\na::before { content: "\\201C"; }\n')
    entry = written(tmp_path, a='import s from "./s.css" with { type: "text" };\nexport const sheet = s;\n')

    assert 'const s = "a::before{content:\\"\\\\201C\\"}";\nexport const sheet = s;\n' in scoped_bundle(
        entry, {}
    )


def test_modules_that_import_each_other_are_refused(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        a='import { b } from "./b.js";\nexport const a = () => b;\n',
        b='import { a } from "./a.js";\nexport const b = () => a;\n',
    )

    with pytest.raises(ValueError, match=r"a\.js and b\.js import each other"):
        scoped_bundle(entry, {})


def test_one_name_for_two_things_that_are_exported_is_refused(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        a='import { one } from "./b.js";\nimport { two } from "./c.js";\n',
        b="export const one = 1;\nexport const draw = 1;\n",
        c="export const two = 2;\nexport const draw = 2;\n",
    )

    with pytest.raises(ValueError, match="two parts export draw,"):
        scoped_bundle(entry, {})


@pytest.mark.parametrize(
    "line",
    [
        'import b from "./b.js";',
        'import { b as c } from "./b.js";',
        'import "./b.js";',
        'import { b } from "elsewhere";',
        'export * from "./b.js";',
        'export { b } from "./b.js";',
        "export let b = 1;",
        "export default class {}",
    ],
)
def test_other_forms_are_refused(tmp_path: Path, line: str) -> None:
    entry = written(tmp_path, a=f"{line}\n", b="export const b = 1;\n")

    with pytest.raises(ValueError, match=re.escape(repr(line))):
        scoped_bundle(entry, {})


def test_the_component_imports_the_client_and_nothing_else() -> None:
    assert re.findall(r"^import .*", component(FOLDER), re.MULTILINE) == [
        'import { ChatRooms, fold } from "./client.js";'
    ]
    assert len(compact_script(component(FOLDER))) < 155 * 1024
