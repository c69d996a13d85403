"""Spans of a message over two workers: command → journal → store → broker → delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sanic import Sanic

from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores.memory.store import MemoryStore
from tests.support.fixtures import Connect, Live, SubprocessServer
from tests.support.server import LiveServer, new_app
from tests.support.two_workers import on_both
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
WITHIN = 40.0
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


@pytest.fixture
def other() -> Iterator[App]:
    app = new_app()
    yield app
    Sanic.unregister_app(app)


async def side_by_side(live: Live, apps: Mapping[App, bool]) -> list[LiveServer]:
    """Servers with one store and one broker; True: with tracing."""
    bus, board, store = MemoryBus(), MemoryBoard(), MemoryStore()
    for app, tracing in apps.items():
        shared = {"store": store, "broker": MemoryBroker(bus), "presence": MemoryPresence(board)}
        mount(app, guests=False, jwt_secret=SECRET, auto_create=True, tracing=tracing, **shared)
    return [await live(app) for app in apps]


async def spans_of(
    exporter: InMemorySpanExporter, trace_id: str, *names: str
) -> dict[str, list[ReadableSpan]]:
    """The spans of a trace by name, as soon as these are there."""
    async with asyncio.timeout(WITHIN):
        while True:
            found: dict[str, list[ReadableSpan]] = {}
            for span in exporter.get_finished_spans():
                context: Any = span.get_span_context()
                if format(context.trace_id, "032x") == trace_id:
                    found.setdefault(span.name, []).append(span)
            if set(names) <= found.keys():
                return found
            await asyncio.sleep(0.02)


def parent(span: ReadableSpan) -> str:
    assert span.parent is not None
    return format(span.parent.span_id, "016x")


def id_of(span: Any) -> str:
    return format(span.get_span_context().span_id, "016x")


async def test_a_message_is_one_trace_from_the_handshake_to_its_delivery(
    app: App, other: App, live: Live, connect: Connect, exporter: InMemorySpanExporter
) -> None:
    servers = await side_by_side(live, {app: True, other: True})
    ada = await connect(server=servers[0], token=token("ada"), headers={"traceparent": TRACEPARENT})
    bob = await connect(server=servers[1], token=token("bob"))
    for client in (ada, bob):
        await client.ack("join", room="general")
    await bob.settle()
    exporter.clear()

    await ada.ack("message", room="general", payload={"text": "hi"})
    await bob.expect("message")

    names = [
        f"chatrooms.{name}" for name in ("command", "journal", "append", "store.append", "publish", "deliver")
    ]
    found = await spans_of(exporter, TRACE, *names)
    command, journal, append, stored, publish = (found[name][0] for name in names[:-1])
    assert parent(command) == PARENT
    assert parent(journal) == id_of(command)
    assert parent(append) == id_of(journal)
    assert parent(stored) == id_of(append)
    assert parent(publish) == id_of(journal)
    deliveries = found["chatrooms.deliver"]
    assert [parent(delivery) for delivery in deliveries] == [id_of(journal)] * 2, "one on each worker"
    assert journal.attributes is not None
    assert journal.attributes["chatrooms.type"] == "message"
    told = [frame["type"] for frame in (*ada.frames, *bob.frames)]
    assert "message.trace" not in told


async def test_a_refusal_and_a_question_are_spans_with_their_result(
    app: App, connect: Connect, exporter: InMemorySpanExporter
) -> None:
    mount(app, guests=True, auto_create=True, tracing=True)
    ada = await connect(headers={"traceparent": TRACEPARENT})
    await ada.expect("welcome")

    await ada.error("dance")
    await ada.error("join", room="general", payload={"history": -1})

    async with asyncio.timeout(WITHIN):
        while True:
            found = await spans_of(exporter, TRACE, "chatrooms.command")
            results = {
                span.attributes["chatrooms.type"]: span.attributes.get("chatrooms.result")
                for span in found["chatrooms.command"]
                if span.attributes
            }
            if {"dance", "join"} <= results.keys():
                break
    assert results["dance"] == "unknown_command"
    assert results["join"] == "invalid_field"


async def test_what_the_app_says_belongs_to_its_own_span(
    app: App, live: Live, exporter: InMemorySpanExporter
) -> None:
    chat = mount(app, guests=True, tracing=True)
    await live()
    await chat.create_room("orders")

    with trace.get_tracer("shop").start_as_current_span("order") as order:
        await chat.publish("orders", "ORDERED", {})

    its = format(order.get_span_context().trace_id, "032x")
    found = await spans_of(exporter, its, "chatrooms.journal", "chatrooms.store.append")
    assert parent(found["chatrooms.journal"][0]) == id_of(order)


async def test_a_trace_that_is_not_sampled_is_carried_nowhere(
    app: App, live: Live, connect: Connect, exporter: InMemorySpanExporter
) -> None:
    bus = MemoryBus()
    told: list[str] = []
    listener = MemoryBroker(bus)
    mount(app, guests=True, auto_create=True, tracing=True, store=MemoryStore(), broker=MemoryBroker(bus))
    ada = await connect(headers={"traceparent": TRACEPARENT.removesuffix("1") + "0"})
    await listener.start("test~default", lambda envelope: told.append(envelope.type), lambda: None)
    await ada.ack("join", room="general")
    for space in ("default", "test~default"):
        bus.subscribe(space, "general", listener, lambda envelope: told.append(envelope.type))

    await ada.ack("message", room="general", payload={"text": "hi"})
    await ada.settle()

    assert "message" in told
    assert "message.trace" not in told
    assert exporter.get_finished_spans() == ()


TWO_WORKERS = f"""
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sanic import Sanic
from sanic_chatrooms import ChatRooms

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
app = Sanic("traced")
chat = ChatRooms(jwt_secret={SECRET!r}, auto_create=True, tracing=True, store=os.environ["CHAT_STORE"])

@chat.command("test.where")
async def where(ctx, payload):
    return {{"pid": os.getpid()}}

@chat.command("test.spans")
async def spans(ctx, payload):
    return {{"spans": [
        [span.name, format(span.context.trace_id, "032x"), span.attributes.get("chatrooms.type")]
        for span in exporter.get_finished_spans()
    ]}}

app.blueprint(chat.bp)
"""


@pytest.mark.asyncio(loop_factories=["asyncio"])  # the servers choose their own
async def test_a_trace_goes_on_in_another_process(
    subprocess_server: SubprocessServer, connect: Connect, tmp_path: Path, valkey_url: str
) -> None:
    file = tmp_path / "app.py"
    file.write_text(TWO_WORKERS)
    # Not forked: a process takes one tracer provider, and that of the main process would be the workers'.
    server = await subprocess_server(file, workers=2, env={"CHAT_STORE": valkey_url}, spawns=True)
    clients, _ = await on_both(connect, server, "ada", "bob")
    for client in clients.values():
        await client.ack("join", room="general")

    await clients["ada"].ack("message", room="general", payload={"text": "hi"})
    await clients["bob"].expect("message")

    ours = (await clients["ada"].ack("test.spans"))["spans"]
    theirs = (await clients["bob"].ack("test.spans"))["spans"]
    [trace_id] = {its for name, its, type in ours if (name, type) == ("chatrooms.command", "message")}
    assert {name for name, its, _ in ours if its == trace_id} >= {
        f"chatrooms.{name}" for name in ("command", "journal", "append", "store.append", "publish", "deliver")
    }
    assert [name for name, its, _ in theirs if its == trace_id] == ["chatrooms.deliver"]


async def test_clients_of_a_worker_without_tracing_hear_nothing_of_it(
    app: App, other: App, live: Live, connect: Connect, exporter: InMemorySpanExporter
) -> None:
    servers = await side_by_side(live, {app: True, other: False})
    ada = await connect(server=servers[0], token=token("ada"))
    bob = await connect(server=servers[1], token=token("bob"))
    for client in (ada, bob):
        await client.ack("join", room="general")

    await ada.ack("message", room="general", payload={"text": "hi"})
    await bob.expect("message")
    await bob.settle()

    assert "message.trace" not in [frame["type"] for frame in bob.frames]


async def test_a_request_of_rest_goes_on_with_its_trace_and_the_next_one_does_not(
    app: App, live: Live, exporter: InMemorySpanExporter
) -> None:
    mount(app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, tracing=True)
    server = await live()
    headers = {"Authorization": f"Bearer {token('ada')}", "Content-Type": "application/json"}

    sent = await server.request(
        "POST", "/chat/api/rooms/general/messages", {**headers, "traceparent": TRACEPARENT}, b'{"text": "hi"}'
    )

    assert sent.status == 201
    found = await spans_of(exporter, TRACE, "chatrooms.command", "chatrooms.journal", "chatrooms.deliver")
    assert PARENT in [parent(span) for span in found["chatrooms.command"]]
    exporter.clear()
    await server.request("GET", "/chat/api/rooms", headers)
    traces: set[Any] = {span.context.trace_id for span in exporter.get_finished_spans() if span.context}
    assert int(TRACE, 16) not in traces
