"""The glossary has every noun of the code, and no noun that the code has no longer."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import sanic_chatrooms
from sanic_chatrooms.errors import ChatroomsError

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "glossary.md"
TEXT = PAGE.read_text()
WORDS = re.sub(r"[^a-z]", "", TEXT.lower())
WITHOUT = (".testing", ".__main__", ".wire.events")
PAGES = ("Page", "List", "Line")


def classes() -> Iterator[type]:
    """The public classes of the package, without those that are named after what the protocol calls them."""
    for info in pkgutil.walk_packages(sanic_chatrooms.__path__, "sanic_chatrooms."):
        if not any(part in info.name for part in WITHOUT):
            for thing in vars(importlib.import_module(info.name)).values():
                if isinstance(thing, type) and thing.__module__ == info.name:
                    yield thing


def is_of_the_protocol(thing: type) -> bool:
    in_verbs = thing.__module__.startswith("sanic_chatrooms.verbs.")
    return (
        issubclass(thing, ChatroomsError)
        or thing.__name__.endswith(PAGES)
        or (in_verbs and issubclass(thing, msgspec.Struct))
    )


CLASSES = {thing.__name__: thing for thing in classes() if not thing.__name__.startswith("_")}
NOUNS = [name for name, thing in CLASSES.items() if not is_of_the_protocol(thing)]


@pytest.mark.parametrize("name", NOUNS)
def test_the_glossary_has_every_noun_of_the_code(name: str) -> None:
    assert name.lower().removesuffix("s") in WORDS, f"say in docs/explanation/glossary.md what {name} is"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][a-z]+[A-Z]\w*)[`.]", TEXT))))
def test_the_code_has_every_class_of_the_glossary(name: str) -> None:
    assert name in CLASSES or name in vars(importlib.import_module("sanic_chatrooms.testing"))
