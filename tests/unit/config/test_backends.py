from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sanic_chatrooms
from sanic_chatrooms import ConfigError, MemoryBroker, MemoryPresence, MemoryStore, Unavailable
from sanic_chatrooms.brokers.postgres import PostgresBroker
from sanic_chatrooms.config.backends import (
    Backends,
    make_broker,
    make_presence,
    make_store,
    resolve,
    server_of,
    unusable,
)
from sanic_chatrooms.config.checks import require_scope
from sanic_chatrooms.config.load import load
from sanic_chatrooms.config.settings import Settings
from sanic_chatrooms.models import Scope
from sanic_chatrooms.stores.sql.store import SQLStore


def backends_of(**settings: Any) -> Backends:
    code = {"guests": True, **settings}
    return Backends.of(load("default", {}, {}, code, debug=False, instances=()))


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
    assert isinstance(make_store("tests.unit.config.test_backends:OwnStore"), MemoryStore)


def test_an_object_may_be_named_too() -> None:
    assert type(make_store("tests.unit.config.test_backends:OWN")).__name__ == "OwnStore"


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
        ("sanic_chatrooms.stores.memory.store:Missing", "cannot be loaded"),
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

    monkeypatch.setattr("sanic_chatrooms.config.backends.metadata.entry_points", entry_points)

    assert make_store("own") is OWN
    with pytest.raises(ConfigError):
        resolve("AUTH", "own", "sanic_chatrooms.auth")


# SQL


def test_a_url_is_a_sql_store(tmp_path: Path) -> None:
    store = make_store(f"sqlite:///{tmp_path}/chat.db")

    assert isinstance(store, SQLStore)
    assert store.scope is Scope.MACHINE


def test_the_package_has_its_sql_store() -> None:
    assert sanic_chatrooms.SQLStore is SQLStore
    assert not hasattr(sanic_chatrooms, "NoSuchStore")


WITHOUT_DRIVERS = """
import sys
sys.modules["sqlalchemy"] = sys.modules["redis"] = sys.modules["nats"] = None  # as if they were not installed
import sanic_chatrooms
from sanic_chatrooms.config.backends import make_broker, make_store
for attempt in (lambda: make_store("sqlite:///chat.db"), lambda: make_store("postgresql://db/chat"),
                lambda: sanic_chatrooms.SQLStore, lambda: make_store("redis://cache"),
                lambda: make_broker("rediss://cache"), lambda: sanic_chatrooms.RedisPresence,
                lambda: make_broker("nats://bus"), lambda: sanic_chatrooms.PostgresBroker):
    try:
        attempt()
    except (ImportError, sanic_chatrooms.ConfigError) as problem:
        print(problem)
"""


def test_without_the_extras_all_else_works_and_a_backend_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_DRIVERS], capture_output=True, text=True, check=True)

    extras = [line.partition("pip install ")[2] for line in done.stdout.splitlines()]
    assert extras == [
        '"sanic-chatrooms[sql]"',
        '"sanic-chatrooms[postgres]"',
        '"sanic-chatrooms[sql]"',
        '"sanic-chatrooms[redis]"',
        '"sanic-chatrooms[redis]"',
        '"sanic-chatrooms[redis]"',
        '"sanic-chatrooms[nats]"',
        '"sanic-chatrooms[postgres]"',
    ]


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"store": "postgresql://db/chat"}, ["SQLStore", "PostgresBroker", "SQLPresence"]),
        (
            {"store": "postgresql://db/chat", "broker": "nats://bus"},
            ["SQLStore", "NATSBroker", "SQLPresence"],
        ),
        (
            {"store": "postgresql://db/chat", "broker": "redis://bus"},
            ["SQLStore", "RedisBroker", "RedisPresence"],
        ),
        (
            {"store": "redis://db", "broker": "postgresql://bus/x"},
            ["RedisStore", "PostgresBroker", "SQLPresence"],
        ),
        ({"store": "redis://db", "broker": "tls://bus"}, ["RedisStore", "NATSBroker", "RedisPresence"]),
        ({"store": "sqlite:///chat.db"}, ["SQLStore", "MemoryBroker", "MemoryPresence"]),
        ({"store": "sqlite:///chat.db", "broker": "nats://bus"}, ["SQLStore", "NATSBroker", "SQLPresence"]),
        ({"presence": "sqlite:///chat.db"}, ["MemoryStore", "MemoryBroker", "SQLPresence"]),
    ],
)
def test_what_is_not_named_goes_with_what_is(settings: dict[str, str], kinds: list[str]) -> None:
    backends = backends_of(**settings)

    made = (backends.store, backends.broker, backends.presence)
    assert [type(backend).__name__ for backend in made] == kinds
    assert backends.store.publishes_as is None


@pytest.mark.parametrize(
    "store", ["postgresql://u:p@db/chat?prefix=shop_", SQLStore("postgresql://u:p@db/chat", prefix="shop_")]
)
def test_who_goes_with_a_database_keeps_apps_apart_as_it_does(store: Any) -> None:
    backends = backends_of(store=store)

    prefixes = [vars(backend)["_prefix"] for backend in (backends.store, backends.broker, backends.presence)]
    assert prefixes == ["shop_"] * 3
    assert isinstance(backends.broker, PostgresBroker)
    assert (backends.broker._options["password"], "prefix" in backends.broker._options) == ("p", False)


def test_a_file_alone_is_refused_with_more_than_one_worker() -> None:
    backends = backends_of(store="sqlite:///chat.db")
    scopes = {"store": backends.store.scope, "broker": backends.broker.scope}

    with pytest.raises(
        ConfigError, match="2 workers, but CHATROOMS_BROKER reaches no further than one process"
    ):
        require_scope(2, scopes)


# Redis

URLS = (
    "redis://cache",
    "rediss://cache:6380/0",
    "valkey://cache",
    "redis+cluster://a,b",
    "redis+sentinel://a/chat",
)


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_a_redis_store_broker_or_presence(url: str) -> None:
    made = make_store(url), make_broker(url), make_presence(url)

    assert [type(backend).__name__ for backend in made] == ["RedisStore", "RedisBroker", "RedisPresence"]
    assert {backend.scope for backend in made} == {Scope.CLUSTER}


def test_a_store_and_a_broker_bring_along_what_the_app_does_not_name() -> None:
    one, two, memory = make_store("redis://one"), make_broker("redis://two"), make_broker("memory:")
    assert server_of("BROKER", one) == "redis://one"
    assert server_of("PRESENCE", two, one) == "redis://two"
    assert server_of("PRESENCE", memory, one) == "redis://one"
    assert server_of("PRESENCE", memory, make_store("memory:")) is None


@pytest.mark.parametrize(
    ("broker", "publishes"), [(None, True), ("redis://one", True), ("redis://two", False), ("memory:", False)]
)
def test_a_store_publishes_by_itself_where_the_broker_is_on_its_server(
    broker: str | None, publishes: bool
) -> None:
    backends = backends_of(store="redis://one", **({"broker": broker} if broker else {}))

    assert backends.store.publishes_as == (backends.broker.publisher if publishes else None)
    assert type(backends.presence).__name__ == "RedisPresence"


def test_the_package_has_its_redis_backends() -> None:
    made = (
        sanic_chatrooms.RedisStore(URLS[0]),
        sanic_chatrooms.RedisBroker(URLS[0]),
        sanic_chatrooms.RedisPresence(URLS[0]),
    )

    assert [type(backend).__name__ for backend in made] == ["RedisStore", "RedisBroker", "RedisPresence"]


# ---- what cannot start ----


@pytest.mark.parametrize(
    ("given", "backend", "label"),
    [
        ({"store": "redis://a"}, "store", "CHATROOMS_STORE = 'redis://a'"),
        ({"store": "redis://a"}, "broker", "CHATROOMS_STORE = 'redis://a'"),
        ({"store": "redis://a"}, "presence", "CHATROOMS_STORE = 'redis://a'"),
        ({"store": "sqlite:///a", "broker": "redis://b"}, "presence", "CHATROOMS_BROKER = 'redis://b'"),
        ({"store": "redis://a", "broker": "nats://b"}, "presence", "CHATROOMS_STORE = 'redis://a'"),
        ({"store": "redis://a", "presence": "redis://b"}, "presence", "CHATROOMS_PRESENCE = 'redis://b'"),
        ({"store": "redis://a", "presence": "redis://b"}, "broker", "CHATROOMS_STORE = 'redis://a'"),
    ],
)
def test_the_setting_that_says_where_a_backend_is_is_named(
    given: dict[str, Any], backend: str, label: str
) -> None:
    settings = Settings(instance="default", **given)

    assert str(unusable(settings, backend, Unavailable())).startswith(
        f"{label} cannot be used: it did not answer"
    )
    assert str(unusable(settings, backend, ConfigError("no"))) == f"{label}: no"
    named = ConfigError("CHATROOMS_EMBEDDED_DIR: no")
    assert unusable(settings, backend, named) is named


def test_the_cause_is_what_the_system_said_first() -> None:
    refused = Unavailable()
    refused.__cause__ = RuntimeError("the driver's own words\nand more")
    refused.__cause__.__context__ = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)")
    said = Unavailable()
    said.__cause__ = RuntimeError("the driver's own words\nand more")
    settings = Settings(instance="default", store="redis://a")

    assert "cannot be used: connection refused; start" in str(unusable(settings, "store", refused))
    assert "cannot be used: the driver's own words; start" in str(unusable(settings, "store", said))


@pytest.mark.parametrize(
    ("setting", "url"),
    [("STORE", "redis://h:99999"), ("BROKER", "redis://h?nonsense=1"), ("STORE", "sqlite:///")],
)
def test_a_url_that_cannot_be_read_is_refused_with_its_setting(setting: str, url: str) -> None:
    make = make_store if setting == "STORE" else make_broker

    with pytest.raises(ConfigError, match=f"^CHATROOMS_{setting}: "):
        make(url)
