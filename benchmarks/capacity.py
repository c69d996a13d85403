"""What a connection costs while it is idle, what it costs to come in, and what rooms and connections cost the others."""

import time
from collections.abc import Callable, Iterable

import msgspec
from msgspec.structs import replace

from .load import Dialect, load
from .peers import ACK, ID, OURS, TEXT, Peer
from .peers import NAIVE as BARE

__all__ = ["Cost", "Idle", "Joining", "by_connections", "by_rooms", "idle", "joining"]

JOIN = '{"type":"join","msgId":"00000000-0000-4000-join-%I-%N","room":"r%K","payload":{"history":0}}'
JOIN_BUSY = '{"type":"join","msgId":"00000000-0000-4000-busy-%I-%N","room":"busy%R","payload":{"history":0}}'
SAY_BUSY = f'{{"type":"message","msgId":"{ID}","room":"busy%R","payload":{{"text":"{TEXT}"}}}}'
SAY_ALL = f'{{"type":"message","msgId":"{ID}","room":"r%K","payload":{{"text":"{TEXT}"}}}}'
ROOM_OF = 10
"""Members of a room where nothing else is said."""
SPEAKERS = 10
MESSAGES = 1_000
"""Messages a second that are said, all speakers together."""
PATIENCE = 400
"""Seconds that it may take until everybody is in."""
Say = Callable[[str], None]


class Joining(msgspec.Struct):
    """One server that many connections come to, and stay idle. `joined`: authenticated and in a room, not only open."""

    peer: str
    connections: int
    joined: bool
    per_cpu_second: float
    """Connections that came in per second of the server's processor time."""
    per_second: float
    kib: float
    """Memory of the server for each."""


def joining(say: Say, connections: int = 2_000) -> list[Joining]:
    """Ours, with everybody in a room of ten, beside Sanic with nothing but an open WebSocket."""
    rooms = Dialect("/chat/ws", SAY_BUSY, JOIN_BUSY, 1, ACK)
    cases = [(OURS, rooms, True), (BARE, BARE.dialect, False)]
    return [_come_in(say, peer, dialect, joined, connections) for peer, dialect, joined in cases]


def _come_in(say: Say, peer: Peer, dialect: Dialect, joined: bool, connections: int) -> Joining:
    with peer.start() as server:
        before, cpu = server.memory(), server.cpu()
        after: list[float] = []

        def look() -> None:
            after.append(server.cpu() - cpu)
            time.sleep(2.0)  # what the arrivals left behind goes first
            after.append((server.memory() - before) / 1024 / connections)

        run = load(
            server,
            dialect,
            look,
            connections=connections,
            seconds=3,
            warmup=0,
            room_size=ROOM_OF,
            patience=PATIENCE,
        )
    found = Joining(
        peer.name, connections, joined, connections / after[0], connections / run.ready_seconds, after[1]
    )
    say(
        f"{connections:,} connections            {peer.name:25} {found.kib:.1f} KiB each, {found.per_cpu_second:,.0f}/s of CPU"
    )
    return found


class Cost(msgspec.Struct):
    """The server's processor time at one size."""

    size: int
    us_per_message: float
    """Microseconds per message said, its one delivery in ten rooms or ten in one, and its ack included."""


def by_rooms(
    say: Say, sizes: Iterable[int] = (1, 1_000, 10_000, 100_000), seconds: float = 3.0
) -> list[Cost]:
    """Up to 1,000 connections share `size` rooms among them, each room with one of them; ten speak, in all of theirs in turn."""
    costs = []
    for size in sizes:
        connections = min(size, 1_000)
        own = size // connections
        dialect = Dialect("/chat/ws", SAY_ALL, JOIN, own, ACK)
        costs.append(
            _cost(say, "rooms", size, dialect, connections=connections, own_rooms=own, seconds=seconds)
        )
    return costs


def by_connections(
    say: Say, sizes: Iterable[int] = (10, 100, 1_000, 10_000), seconds: float = 3.0
) -> list[Cost]:
    """`size` connections in rooms of ten; in one room all ten speak."""
    dialect = Dialect("/chat/ws", SAY_BUSY, JOIN_BUSY, 1, ACK)
    return [
        _cost(say, "connections", size, dialect, connections=size, room_size=ROOM_OF, seconds=seconds)
        for size in sizes
    ]


def _cost(
    say: Say, what: str, size: int, dialect: Dialect, *, connections: int, seconds: float, **rooms: int
) -> Cost:
    senders = min(SPEAKERS, connections)
    with OURS.start() as server:
        run = load(
            server,
            dialect,
            connections=connections,
            senders=senders,
            pace=senders * 1_000_000 // MESSAGES,
            seconds=seconds,
            warmup=1,
            patience=PATIENCE,
            **rooms,
        )
    cost = Cost(size, run.cpu_us / max(run.sent, 1))
    say(f"{size:,} {what}: {cost.us_per_message:.0f} µs of CPU per message")
    return cost


class Idle(msgspec.Struct):
    """Many idle connections for a while."""

    connections: int
    seconds: float
    dropped: int
    cpu: float
    """Share of a core while nobody says anything."""
    kib: float


def idle(say: Say, connections: int = 10_000, seconds: float = 120.0) -> Idle:
    """Joined to rooms of ten, and then nothing but heartbeats."""
    dialect = replace(OURS.dialect, init=JOIN_BUSY)
    settings = {
        "connections": connections,
        "room_size": ROOM_OF,
        "seconds": seconds,
        "warmup": 5,
        "patience": PATIENCE,
    }
    with OURS.start() as server:
        before = server.memory()
        say(f"{connections:,} connections come, and are idle for {seconds:.0f} s")
        memory: list[int] = []
        run = load(server, dialect, lambda: memory.append(server.memory()), **settings)
    kib = (memory[0] - before) / 1024 / connections
    found = Idle(connections, run.seconds, run.dropped, run.cpu_us / 1e6 / run.seconds, kib)
    say(f"{connections:,} idle for {run.seconds:.0f} s: {found.dropped} dropped, {found.cpu:.1%} of a core")
    return found
