"""Where Sanic or websockets are not what this was made for, a chat works all the same, and the log says what is slower."""

from __future__ import annotations

import asyncio
import importlib
import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sanic.server.runners
import websockets.speedups
from sanic import Request, Sanic
from sanic.http.http1 import Http
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from sanic.server.websockets.impl import WebsocketImplProtocol
from sanic.signals import SignalRouter
from sanic.worker.manager import WorkerManager
from sanic.worker.process import WorkerProcess
from sanic.worker.state import WorkerState
from sanic_routing.route import Route
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol

from sanic_chatrooms.web import sanic_contract
from sanic_chatrooms.web.sanic_contract import INSTEAD, NEEDS, probe
from sanic_chatrooms.web.socket.plain import PlainConnection
from tests.support.embedded import embedded_directory
from tests.support.fixtures import Connect, Live, SubprocessServer
from tests.support.renamed import rename
from tests.support.wire import mount

App = Sanic[Any, Any]
Patch = pytest.MonkeyPatch

OWNERS: dict[str, Any] = {
    "connection": WebSocketProtocol,
    "websocket": WebsocketImplProtocol,
    "protocol": ServerProtocol,
    "speedups": websockets.speedups,
    "http": Http,
    "request": Request,
    "route": Route,
    "app": Sanic,
    "router": SignalRouter,
    "sanic": Sanic,
}
OF_SEVERAL_PROCESSES = {"manager": WorkerManager, "process": WorkerProcess, "worker": WorkerState}
RENAMED = [
    (capability, owner, name)
    for capability, needs in NEEDS.items()
    for owner, names in needs.items()
    for name in names
    if owner in OWNERS and capability != "calm_end"  # what only the plain edge uses
]
MODULES = [
    ("sanic.server.protocols.websocket_protocol", "WebSocketProtocol"),
    ("sanic.server.websockets.impl", "WebsocketImplProtocol"),
    ("sanic.http.http1", "Http"),
    ("websockets.protocol", "State"),
    ("websockets.server", "ServerProtocol"),
]


def without_state(patch: Patch) -> None:
    """A websockets whose connection's state is not ours to set."""

    def keep_the_first(protocol: Any, value: State) -> None:
        protocol.__dict__.setdefault("first_state", value)

    patch.setattr(Protocol, "state", property(lambda protocol: protocol.first_state, keep_the_first))


def reading_by_itself(patch: Patch) -> None:
    """A Sanic that reads WebSockets in another way than by `data_received` of its WebSocket object."""
    hear: Any = WebsocketImplProtocol.data_received
    unshaken: Any = HttpProtocol.data_received

    def data_received(self: WebSocketProtocol, data: bytes) -> None:
        if self.websocket is None:
            unshaken(self, data)
        else:
            hear(self.websocket, data)

    patch.setattr(WebSocketProtocol, "data_received", data_received)


def failing(patch: Patch) -> None:
    def fail(self: WebSocketProtocol) -> None:
        raise LookupError("no such thing any more")

    patch.setattr(WebSocketProtocol, "eof_received", fail)


def without_server_variable(patch: Patch) -> None:
    code = sanic.server.runners._serve_http_1.__code__
    others = tuple("listening" if name == "http_server" else name for name in code.co_cellvars)
    patch.setattr(sanic.server.runners._serve_http_1, "__code__", code.replace(co_cellvars=others))


def without_factory_variable(patch: Patch) -> None:
    for runner in (sanic.server.runners._serve_http_1, sanic.server.runners._serve_http_3):
        code = runner.__code__
        others = tuple("factory" if name == "server" else name for name in code.co_varnames)
        patch.setattr(runner, "__code__", code.replace(co_varnames=others))


def of_another_style(patch: Patch) -> None:
    """A Sanic that does not ask a handler for `is_websocket`."""
    handle: Any = Sanic.handle_request

    async def handle_request(self: App, request: Any) -> None:
        await handle(self, request)

    patch.setattr(Sanic, "handle_request", handle_request)


async def say_hi(connect: Connect) -> None:
    ada, bob = await connect(), await connect()
    for client in (ada, bob):
        await client.ack("join", room="general")

    await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await bob.expect("message"))["payload"] == {"text": "hi"}


async def chat_without(
    app: App, live: Live, connect: Connect, patch: Patch, caplog: pytest.LogCaptureFixture
) -> list[str]:
    """Two users talk on a server that starts now; -> what it warned of at its start."""
    patch.setattr(sanic_contract, "_logged", set())
    mount(app)
    with caplog.at_level(logging.WARNING, "sanic_chatrooms"):
        await live()
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("sanic_chatrooms")]
    await say_hi(connect)
    await live.stop()
    assert not [
        r for r in caplog.records if r.levelno >= logging.ERROR and r.name.startswith("sanic_chatrooms")
    ]
    return lines


def test_the_installed_sanic_has_all_that_is_needed(app: App) -> None:
    capabilities = probe(app)

    assert capabilities.lacks == ()
    assert str(capabilities) == "fast WebSocket edge"


def test_every_name_is_taken_away_by_a_test() -> None:
    elsewhere = {*OF_SEVERAL_PROCESSES, "runners", "requests", "state"}

    assert {owner for needs in NEEDS.values() for owner in needs} == {*OWNERS, *elsewhere}
    assert NEEDS.keys() == INSTEAD.keys()


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize(("capability", "owner", "name"), RENAMED)
async def test_a_chat_works_without_a_name(
    app: App, live: Live, connect: Connect, monkeypatch: Patch, caplog: pytest.LogCaptureFixture,
    capability: str, owner: str, name: str,
) -> None:  # fmt: skip
    rename(monkeypatch, OWNERS[owner], name)

    lines = await chat_without(app, live, connect, monkeypatch, caplog)

    assert [line for line in lines if INSTEAD[capability] in line and name in line]


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("name", NEEDS["calm_end"]["websocket"])
async def test_the_plain_edge_works_without_a_name(
    app: App, live: Live, connect: Connect, monkeypatch: Patch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    rename(monkeypatch, WebsocketImplProtocol, name)
    rename(monkeypatch, WebSocketProtocol, "_can_write")

    lines = await chat_without(app, live, connect, monkeypatch, caplog)

    assert [line for line in lines if INSTEAD["calm_end"] in line and name in line]


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize(("module", "name"), MODULES)
async def test_a_chat_works_without_a_class(
    app: App, live: Live, connect: Connect, monkeypatch: Patch, caplog: pytest.LogCaptureFixture,
    module: str, name: str,
) -> None:  # fmt: skip
    monkeypatch.delattr(importlib.import_module(module), name)

    lines = await chat_without(app, live, connect, monkeypatch, caplog)

    assert [line for line in lines if name in line]


@pytest.mark.parametrize(
    ("cripple", "says"),
    [
        (reading_by_itself, "does not pass what it reads"),
        (without_state, "cannot be set"),
        (failing, "no such thing any more"),
    ],
)
async def test_the_plain_edge_serves_where_sanic_behaves_otherwise(
    app: App, live: Live, connect: Connect, monkeypatch: Patch, caplog: pytest.LogCaptureFixture,
    cripple: Callable[[Patch], None], says: str,
) -> None:  # fmt: skip
    cripple(monkeypatch)
    found = str(probe(app).lacks[0])
    assert says in found
    if cripple is not reading_by_itself:
        return  # Sanic itself does not work so

    (line,) = await chat_without(app, live, connect, monkeypatch, caplog)

    assert line == found


@pytest.mark.parametrize(
    ("cripple", "capability"),
    [
        (without_server_variable, "stop_accepting"),
        (without_factory_variable, "door"),
        (of_another_style, "calm_handshake"),
    ],
)
async def test_what_is_not_an_attribute_is_missed_too(
    app: App, live: Live, connect: Connect, monkeypatch: Patch, caplog: pytest.LogCaptureFixture,
    cripple: Callable[[Patch], None], capability: str,
) -> None:  # fmt: skip
    cripple(monkeypatch)

    (line,) = await chat_without(app, live, connect, monkeypatch, caplog)

    assert INSTEAD[capability] in line


async def test_the_plain_edge_is_what_a_session_has(
    app: App, live: Live, connect: Connect, monkeypatch: Patch
) -> None:
    rename(monkeypatch, WebSocketProtocol, "recv_buffer")
    chat = mount(app)
    await live()

    await say_hi(connect)

    assert all(isinstance(s.connection, PlainConnection) for s in chat.running().sessions)


# ---- several processes ----


@pytest.fixture
def manager(app: App) -> Iterator[WorkerManager]:
    """What the main process of an app has before it starts its workers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    context = multiprocessing.get_context("spawn")
    app._manager = WorkerManager(1, print, {}, context, context.Pipe(), {})
    yield app._manager
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize(
    ("capability", "owner", "name"),
    [
        (capability, owner, name)
        for capability, needs in NEEDS.items()
        for owner in ("manager", "process")
        for name in needs.get(owner, ())
    ],
)
async def test_a_main_process_starts_without_a_name(
    app: App, manager: WorkerManager, monkeypatch: Patch, caplog: pytest.LogCaptureFixture,
    capability: str, owner: str, name: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(sanic_contract, "_logged", set())
    rename(monkeypatch, OF_SEVERAL_PROCESSES[owner], name)
    chat = mount(app, store="embedded:")

    with caplog.at_level(logging.WARNING, "sanic_chatrooms"):
        await chat.bp._watch(app)

    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if INSTEAD[capability] in line and name in line]


ALL_RENAMED = """
import pytest
from sanic import Sanic
from sanic_chatrooms import ChatRooms
from tests.integration.test_capability import NEEDS, OF_SEVERAL_PROCESSES
from tests.support.renamed import rename

patch = pytest.MonkeyPatch()
for owner, kind in OF_SEVERAL_PROCESSES.items():
    for name in {name for needs in NEEDS.values() for name in needs.get(owner, ())}:
        rename(patch, kind, name)
app = Sanic("renamed")
app.config.AUTO_EXTEND = False
app.blueprint(ChatRooms(guests=True, store="embedded:", drain_seconds=1.0).bp)
"""


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.usefixtures("hangups_end")
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
async def test_an_app_of_several_processes_works_and_ends_without_all_of_their_names(
    subprocess_server: SubprocessServer, connect: Connect, tmp_path: Path, told: signal.Signals
) -> None:
    file = tmp_path / "app.py"
    file.write_text(ALL_RENAMED)
    with embedded_directory() as directory:
        env = {"SANIC_CHATROOMS_EMBEDDED_DIR": str(directory / "data")}
        server = await subprocess_server(file, workers=2, env=env)
        ada = await connect(server=server)
        await ada.ack("join", room="general")
        await ada.ack("message", room="general", payload={"text": "hi"})

        server.process.send_signal(told)

        assert await asyncio.to_thread(server.process.wait, 60.0) == 0
    assert all(server.output.count(INSTEAD[what]) == 1 for what in ("watchdog", "early_end"))
    assert server.output.count(INSTEAD["hangup"]) == 3, "main process and workers"
