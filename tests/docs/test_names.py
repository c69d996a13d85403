"""A message's way: what the page names, the code has."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import sanic_chatrooms
from sanic_chatrooms.config.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "a-messages-way.md"
NOT_OURS = {"transport.write"}  # asyncio's


def modules() -> dict[str, ModuleType]:
    """The package's modules by their names; those of `testing` are not on a message's way."""
    found = {}
    for info in pkgutil.walk_packages(sanic_chatrooms.__path__, "sanic_chatrooms."):
        if ".testing" not in info.name:
            found[info.name] = importlib.import_module(info.name)
    return found


ALL = modules()
MODULES = {name.rpartition(".")[2]: module for name, module in ALL.items()}
CLASSES = {
    name: thing
    for module in ALL.values()
    for name, thing in vars(module).items()
    if isinstance(thing, type) and thing.__module__.startswith("sanic_chatrooms.")
}


def owners(name: str) -> list[Any]:
    """Whom `name` may mean: a class, or a module and the classes that are at home there."""
    if name in CLASSES:
        return [CLASSES[name]]
    module = MODULES.get(name)
    if module is None:
        return []
    return [module, *(thing for thing in CLASSES.values() if thing.__module__ == module.__name__)]


def has(owner: Any, attribute: str) -> bool:
    """Attributes that only instances have are found where they are slots, fields, or set in `__init__`."""
    if hasattr(owner, attribute):
        return True
    annotations = getattr(owner, "__annotations__", {})
    init = getattr(getattr(owner, "__init__", None), "__code__", None)
    return attribute in annotations or (init is not None and attribute in init.co_names)


TEXT = re.sub(r"```.*?```", "", PAGE.read_text(), flags=re.DOTALL)
SPANS = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))
DRAWN = sorted(set(re.findall(r"\b[A-Z][a-z]+[A-Za-z]*\.[a-z_]+\b", PAGE.read_text())))
WIRE = ("message.", "reaction.", "member.", "user.", "report.")  # commands and events
DOTTED = [
    s for s in SPANS if re.fullmatch(r"\w+\.\w+", s) and not s.endswith(".py") and not s.startswith(WIRE)
]
FILES = [span for span in SPANS if re.fullmatch(r"[\w/]+\.py|\w+/", span) and span != "sanic_chatrooms/"]
NAMES = [span for span in SPANS if re.fullmatch(r"[A-Z][a-z]+[A-Za-z]*", span) and span != "Class"]


def test_the_page_names_something() -> None:
    assert len(DOTTED) > 40
    assert len(DRAWN) > 10
    assert len(FILES) > 10


@pytest.mark.parametrize("name", sorted({*DOTTED, *DRAWN} - NOT_OURS - {"Class.method"}))
def test_every_function_it_names_exists(name: str) -> None:
    owner, _, attribute = name.partition(".")

    assert any(has(one, attribute) for one in owners(owner)), f"{name}: look for what it is called now"


@pytest.mark.parametrize("name", NAMES)
def test_every_class_it_names_exists(name: str) -> None:
    assert name in CLASSES


@pytest.mark.parametrize("name", FILES)
def test_every_file_it_names_exists(name: str) -> None:
    assert (ROOT / "sanic_chatrooms" / name).exists()


@pytest.mark.parametrize("line", [line for line in TEXT.splitlines() if re.search(r"`\w+/\w+\.py`", line)])
def test_a_function_is_in_the_file_that_is_named_with_it(line: str) -> None:
    for name, file in re.findall(r"`(\w+)\.\w+` in `([\w/]+\.py)`", line):
        homes = {getattr(owner, "__module__", getattr(owner, "__name__", "")) for owner in owners(name)}

        assert "sanic_chatrooms." + file.removesuffix(".py").replace("/", ".") in homes


ROWS = re.findall(r"^\| [^|]+ \| (.+) \|$", TEXT.partition("## ")[0], re.MULTILINE)[1:]


@pytest.mark.parametrize("row", ROWS)
def test_the_first_screen_names_modules_behind_their_folder(row: str) -> None:
    root = folder = ROOT / "sanic_chatrooms"
    for span in re.findall(r"`([^`]+)`", row):
        if span.isupper():
            assert span.lower() in Settings.__struct_fields__, f"no setting: {span}"
        elif span.endswith("/"):
            folder = root / span
            assert folder.is_dir(), span
        else:
            place = (root if "/" in span else folder) / span
            assert place.is_file() or place.with_suffix(".py").is_file(), f"{folder.name}/{span}"


def test_the_first_screen_names_every_setting() -> None:
    named = {span.lower() for span in re.findall(r"`([A-Z_]+)`", TEXT.partition("## ")[0])}

    assert named == set(Settings.__struct_fields__) - {"instance", "debug"}  # these two come from the app
