"""`embedded:` in a running app: a single process, several instances, workers that are loaded anew."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic
from sanic import __version__ as sanic_version

from sanic_chatrooms import ChatRooms, ConfigError
from sanic_chatrooms import connect as connect_to
from sanic_chatrooms.client import ChatClient
from tests.support.embedded import embedded_directory, server_of
from tests.support.fixtures import Connect, Live
from tests.support.process import ServerProcess, free_port, start_command
from tests.support.server import http_request
from tests.support.thorough import only_thorough

SAYS_READY = "Worker ready" if [*map(int, sanic_version.split(".")[:2])] >= [25, 12] else "Starting worker"
RELOADED = """
import os, time
from sanic import Sanic, text
from sanic_chatrooms import ChatRooms

app = Sanic("reloaded")
app.blueprint(ChatRooms(guests=True, store="embedded:", watchdog_silence=1.0).bp)

@app.after_server_start
def slow(_):
    time.sleep(1.8)

@app.get("/pid")
async def pid(_):
    return text(str(os.getpid()))
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with embedded_directory() as directory:
        yield directory


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def mount(app: Sanic[Any, Any], directory: Path, *names: str) -> None:
    for name in names:
        app.blueprint(ChatRooms(name, guests=True, store="embedded:", embedded_dir=str(directory)).bp)


async def test_a_single_process_brings_its_server_along_and_takes_it_with_it(
    app: Sanic[Any, Any], directory: Path, live: Live
) -> None:
    mount(app, directory, "default")
    server = await live()
    async with ChatClient(f"{server.ws_url}/chat/ws", proxy=None, backoff=(0.05, 0.5)) as ada:
        joined = await ada.join("general")
        await ada.send("general", "hi")
        valkey = server_of(directory)
        assert runs(valkey)

        await server.stop()
        assert not runs(valkey)
        await live(port=server.port)

        await ada.send("general", "again")
        async with aclosing(ada.follow("general", since=(joined["epoch"], 0))) as events:
            heard = [await anext(events), await anext(events)]
    assert [event["payload"] for event in heard] == [{"text": "hi"}, {"text": "again"}]


async def test_instances_of_an_app_share_a_server_that_stays_for_the_last(
    app: Sanic[Any, Any], directory: Path, live: Live, connect: Connect
) -> None:
    mount(app, directory, "default", "support")
    server = await live()
    ada = await connect()
    await ada.ack("join", room="general")
    bob = await connect("/support/ws")
    await bob.ack("join", room="general")

    await ada.ack("message", room="general", payload={"text": "hi"})
    await ada.expect("message")
    await bob.settle()
    assert bob.unread("message") == []
    valkey = server_of(directory)
    await server.stop()

    assert not runs(valkey)


async def test_a_process_without_sockets_reaches_it_if_told_where(
    app: Sanic[Any, Any], directory: Path, live: Live, connect: Connect
) -> None:
    mount(app, directory, "default")
    await live()
    ada = await connect()
    await ada.ack("join", room="general")

    async with connect_to(store="embedded:", embedded_dir=str(directory)) as chat:
        await chat.publish("general", "notice", {"title": "Hi", "content": "there"})

    assert (await ada.expect("notice"))["payload"]["title"] == "Hi"
    with pytest.raises(ConfigError, match="CHATROOMS_EMBEDDED_DIR"):
        async with connect_to(store="embedded:"):
            pass


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_the_example_runs_on_several_workers_as_on_one(directory: Path, connect: Connect) -> None:
    port = free_port()
    env = {"PORT": str(port), "WORKERS": "2", "SANIC_CHATROOMS_EMBEDDED_DIR": str(directory)}
    server = await asyncio.to_thread(start_command, [sys.executable, "-m", "example_app"], port, env=env)
    try:
        await asyncio.to_thread(server.wait_for, lambda output: output.count(SAYS_READY) == 2, "two workers")
        people = [await connect(server=server) for _ in range(8)]  # on both workers, but for one run in 128
        for person in people:
            assert (await person.ack("join", room="general"))["title"] == "General"
        await people[0].ack("message", room="general", payload={"text": "hi"})
        for person in people:
            assert (await person.expect("message"))["payload"] == {"text": "hi"}
            welcome = (await person.expect("welcome"))["payload"]
            headers = {"X-Chat-User": welcome["user"]["id"], "X-Chat-Session": welcome["sessionId"]}
            assert (await http_request("127.0.0.1", port, "POST", "/push/notice", headers)).status == 204
            assert (await person.expect("notice"))["payload"]["title"] == "Lunch is here"
        assert (await http_request("127.0.0.1", port, "POST", "/push/notice")).status == 404
    finally:
        await asyncio.to_thread(server.stop)


def example(port: int, home: Path, **env: str) -> dict[str, str]:
    return {"PORT": str(port), "WORKERS": "1", "XDG_DATA_HOME": str(home), "HOME": str(home), **env}


@only_thorough
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_second_copy_of_the_example_serves_beside_the_first(directory: Path) -> None:
    ports = [free_port(), free_port()]
    servers = []
    try:
        for port in ports:
            command = [sys.executable, "-m", "example_app"]
            servers.append(
                await asyncio.to_thread(start_command, command, port, env=example(port, directory))
            )
        assert len(await asyncio.to_thread(lambda: list(directory.rglob("app.lock")))) == 2
    finally:
        for server in servers:
            await asyncio.to_thread(server.stop)


@only_thorough
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_copy_that_finds_its_place_taken_says_what_helps_and_no_more(directory: Path) -> None:
    port = free_port()
    env = example(port, directory, SANIC_CHATROOMS_EMBEDDED_DIR=str(directory / "d"))
    command = [sys.executable, "-m", "example_app"]
    server = await asyncio.to_thread(start_command, command, port, env=env)
    try:
        run = partial(subprocess.run, capture_output=True, text=True, timeout=30, env={**os.environ, **env})
        second = await asyncio.to_thread(run, command)
    finally:
        await asyncio.to_thread(server.stop)

    assert second.returncode == 1
    assert f"is used by another app, process {server.process.pid}" in second.stderr
    assert f"PORT={port + 1} serves this one beside it" in second.stderr
    assert "SANIC_CHATROOMS_EMBEDDED_DIR" in second.stderr
    assert "Traceback" not in second.stderr + second.stdout


@only_thorough
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_reloads_and_slow_starts_keep_the_server_and_shoot_nobody(
    tmp_path: Path, directory: Path
) -> None:
    file = tmp_path / "reloaded.py"
    file.write_text(RELOADED)
    port = free_port()
    command = [sys.executable, "-m", "sanic", "reloaded:app", f"--port={port}", "--reload", "--no-motd"]
    env = {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}", "SANIC_CHATROOMS_EMBEDDED_DIR": str(directory)}
    server = await asyncio.to_thread(start_command, command, port, path="/pid", env=env)
    try:
        first, valkey = await pid_of_worker(server), server_of(directory)

        os.utime(file, (time.time() + 10, time.time() + 10))
        async with asyncio.timeout(30.0):
            while await pid_of_worker(server) in ("", first):  # noqa: ASYNC110 - the reloader tells nobody
                await asyncio.sleep(0.1)

        assert server_of(directory) == valkey
        assert runs(valkey)
        assert "replaced" not in server.output
        assert "killed" not in server.output
    finally:
        await asyncio.to_thread(server.stop)
    assert not runs(valkey)


async def pid_of_worker(server: ServerProcess) -> str:
    """Empty while nobody answers."""
    try:
        text = (await http_request("127.0.0.1", server.port, "GET", "/pid")).text
        return text if text.isdecimal() else ""  # a worker that ends says so
    except (OSError, TimeoutError, ValueError):
        return ""
