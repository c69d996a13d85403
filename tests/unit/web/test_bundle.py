from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sanic_chatrooms.web.assets import FOLDER
from sanic_chatrooms.web.bundle import bundle

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes modules by name, the first of which imports the others; -> the first."""

    def write(**modules: str) -> Path:
        paths = [tmp_path / f"{name}.js" for name in modules]
        for path, text in zip(paths, modules.values(), strict=True):
            path.write_text(text)
        return paths[0]

    return write


def test_a_part_comes_before_those_that_import_it_and_comes_once(write: Write) -> None:
    entry = write(
        a='import { B } from "./b.js";\nimport { C } from "./c.js";\n\nexport class A extends B {}\n',
        b='import { C } from "./c.js";\n\nexport class B extends C {}\n',
        c="export class C {}\n",
    )

    assert bundle(entry) == "class C {}\n\nclass B extends C {}\n\nexport class A extends B {}\n"


def test_only_what_the_entry_exports_is_exported(write: Write) -> None:
    entry = write(
        a='export { one } from "./b.js";\n\nconst three = 3;\nexport default three;\n',
        b="export const one = 1;\nexport const two = 2;\n",
    )

    assert (
        bundle(entry)
        == "const one = 1;\nconst two = 2;\n\nexport { one };\n\nconst three = 3;\nexport default three;\n"
    )


def test_modules_that_import_each_other_are_joined_all_the_same(write: Write) -> None:
    entry = write(
        a='import { b } from "./b.js";\nexport const a = () => b;\n',
        b='import { a } from "./a.js";\nexport const b = () => a;\n',
    )

    assert bundle(entry).splitlines() == ["const b = () => a;", "", "export const a = () => b;"]


def test_two_parts_that_declare_one_name_are_refused(write: Write) -> None:
    entry = write(
        a='import { b } from "./b.js";\nconst LIMIT = 1;\n', b="const LIMIT = 2;\nexport function b() {}\n"
    )

    with pytest.raises(ValueError, match="two parts declare LIMIT"):
        bundle(entry)


@pytest.mark.parametrize(
    "line",
    [
        'import b from "./b.js";',
        'import { b as c } from "./b.js";',
        'import * as c from "./b.js";',
        'import "./b.js";',
        'import { b } from "elsewhere";',
        "import {",
        'export * from "./b.js";',
        "export let b = 1;",
        "export async function c() {}",
        "export default class {}",
    ],
)
def test_what_cannot_be_joined_line_by_line_is_refused(write: Write, line: str) -> None:
    entry = write(a=f"{line}\n", b="export const b = 1;\n")

    with pytest.raises(ValueError, match=re.escape(repr(line))):
        bundle(entry)


def test_the_client_is_one_file_without_imports_and_short_parts() -> None:
    client = bundle(FOLDER / "client.js")
    parts = [FOLDER / "client.js", *(FOLDER / "client").glob("*.js")]

    assert "import " not in re.sub(r"//.*|/\*.*?\*/", "", client)
    assert len(parts) > 5
    assert max(len(part.read_text().splitlines()) for part in parts) < 400
