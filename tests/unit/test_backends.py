from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms import ConfigError, MemoryBroker, MemoryPresence, MemoryStore
from sanic_chatrooms.backends import make_broker, make_presence, make_store, resolve


class OwnStore(MemoryStore):
    pass


OWN = OwnStore()


@pytest.mark.parametrize("value", ["memory:", "memory", None])
def test_nothing_named_is_memory(value: Any) -> None:
    assert isinstance(make_store(value), MemoryStore)
    assert isinstance(make_broker(value), MemoryBroker)
    assert isinstance(make_presence(value), MemoryPresence)


def test_each_instance_has_a_memory_of_its_own() -> None:
    assert make_store("memory:") is not make_store("memory:")


def test_an_object_is_taken_as_it_is() -> None:
    assert make_store(OWN) is OWN


def test_a_class_is_named_and_made() -> None:
    assert isinstance(make_store("tests.unit.test_backends:OwnStore"), MemoryStore)


def test_an_object_may_be_named_too() -> None:
    assert type(make_store("tests.unit.test_backends:OWN")).__name__ == "OwnStore"


@pytest.mark.parametrize("value", [MemoryBroker(), object(), "builtins:object"])
def test_what_keeps_another_contract_is_refused(value: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"CHATROOMS_STORE: .* is no Store; derive from sanic_chatrooms.stores.base"
    ):
        make_store(value)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_module:Thing", "cannot be loaded"),
        ("sanic_chatrooms.stores.memory:Missing", "cannot be loaded"),
        ("unheard", "nor an entry point of sanic_chatrooms.broker"),
    ],
)
def test_a_name_that_leads_nowhere_names_the_setting(name: str, why: str) -> None:
    with pytest.raises(ConfigError, match="CHATROOMS_BROKER") as error:
        make_broker(name)

    assert why in str(error.value)


def test_an_entry_point_is_found_by_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        @staticmethod
        def load() -> object:
            return OWN

    def entry_points(*, group: str, name: str) -> list[type[Point]]:
        return [Point] if (group, name) == ("sanic_chatrooms.store", "own") else []

    monkeypatch.setattr("sanic_chatrooms.backends.metadata.entry_points", entry_points)

    assert make_store("own") is OWN
    with pytest.raises(ConfigError):
        resolve("AUTH", "own", "sanic_chatrooms.auth")
