from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sanic_chatrooms import Member, MemoryStore, Room
from sanic_chatrooms.command_line import source
from sanic_chatrooms.command_line.main import main
from sanic_chatrooms.models import Head
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/chat.db"


async def heads(url: str, instance: str = "default") -> dict[str, Head]:
    store = SQLStore(url)
    await store.start(instance, Bounds())
    try:
        for room in ("a", "b"):
            await store.create_room(Room(room, "", 0), facts=(members.member_fact(Member("u1", "Ada")),))
        return await store.heads(["a", "b"])
    finally:
        await store.stop()


Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`status, out, err = await run(url)`."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(main, ["new-epoch", *arguments])
        return status, *capsys.readouterr()

    return run


async def test_new_epoch_renews_all_rooms_of_one_instance(url: str, run: Run) -> None:
    before, other = await heads(url), await heads(url, "support")

    status, out, err = await run(url)

    after = await heads(url)
    assert (status, err) == (0, "")
    assert "2 rooms have a new epoch" in out
    assert {before["a"].epoch, before["b"].epoch}.isdisjoint({after["a"].epoch, after["b"].epoch})
    assert after["a"].epoch != after["b"].epoch
    assert await heads(url, "support") == other


async def test_new_epoch_renews_only_the_rooms_that_are_named_and_says_which_are_not_there(
    url: str, run: Run
) -> None:
    before = await heads(url)

    status, out, err = await run(url, "b", "nowhere", "--json")

    after = await heads(url)
    assert status == 1
    assert err.splitlines() == ["nowhere: there is no such room"]
    assert json.loads(out) == {"renewed": ["b"], "missing": ["nowhere"]}
    assert after["a"] == before["a"]
    assert after["b"].epoch != before["b"].epoch


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sqlite:///{}/chat.db", "--instance", "Two Words"), "the name of an instance"),
        (("sqlite:///{}/nowhere/chat.db",), "there is no directory"),
        (("sqlite:///{}/typo.db",), "there is no file"),
        (("sqlite:///{}/empty.db",), "the database has no chatrooms_default_"),
        (("memory:",), "this is no URL"),
        (("mysql://localhost/chat",), "there is no driver for mysql"),
    ],
)
def test_new_epoch_says_what_is_wrong(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.db").touch()

    status = main(["new-epoch", *(argument.format(tmp_path) for argument in arguments)])

    assert status == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "typo.db").exists()


@pytest.mark.parametrize("rooms", [[], ["a"]])
async def test_new_epoch_renews_rooms_of_a_store_without_tables(
    run: Run, monkeypatch: pytest.MonkeyPatch, rooms: list[str]
) -> None:
    store = MemoryStore()
    monkeypatch.setattr(source, "make_store", lambda url: store)
    await store.start("default", Bounds())
    await store.create_room(Room("a", "", 0))
    before = await store.heads(["a"])

    status, out, _ = await run("redis://db", *rooms, "--namespace", "none", "--json")

    assert (status, json.loads(out)) == (0, {"renewed": ["a"], "missing": []})
    assert await store.heads(["a"]) != before


async def test_migrate_makes_the_tables_and_changes_those_of_an_older_version(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Path(__file__).parents[2] / "data" / "version_1.sqlite.sql"
    with sqlite3.connect(tmp_path / "chat.db") as file:
        file.executescript(old.read_text())
    file.close()

    statuses = [
        await asyncio.to_thread(main, ["migrate", url, *more])
        for more in ([], [], ["--instance", "new", "--json"])
    ]

    assert statuses == [0, 0, 0]
    assert capsys.readouterr().out.splitlines() == ["The tables are of this version."] * 2 + ['{"ok":true}']
    store = SQLStore(url, create=False)
    await store.start("default", Bounds())
    assert (await store.facts("lobby", "member")).total == 41
    await store.stop()


def test_migrate_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", f"sqlite:///{tmp_path}/nowhere/chat.db"]) == 1
    assert "there is no directory" in capsys.readouterr().err
