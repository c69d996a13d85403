"""What a message in a quiet room, an arrival, and a stored message cost, beside the servers that come nearest.

One server at a time, each with the same cases, all of them once per round.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import jwt
import msgspec
from msgspec.structs import replace

from tests.support.valkey import running as running_valkey

from .capacity import JOIN_BUSY, ROOM_OF, SAY_BUSY
from .load import Dialect, load
from .load import Measured as Run
from .peers import ACK, BUN, CENTRIFUGO, GIN, GIN_EXPERT, ID, OURS, TEXT, Peer
from .server import Running
from .tools import Missing

__all__ = ["BESIDE", "CASES", "Beside", "Case", "Figure", "beside", "quiet_room"]

SECRET = "a secret of the benchmark, which signs nothing else"
QUIET = {"quiet": (2, 50), "small": (100, 20)}
"""Members of a room, and the messages a second that all of them say together."""
LEAST = 100
"""Messages of a quiet room that are counted at least."""
ARRIVE = 5_000
SETTLES = 2.0
"""Seconds in which goes what arrivals leave behind."""
PATIENCE = 400
_COME = "Authorization: Bearer %J"
_PUBLISH = f'{{"id":%N,"publish":{{"channel":"busy%R","data":{{"text":"{TEXT}","more":"{ID}"}}}}}}'
_SUBSCRIBE = (
    '{"id":1000000000,"connect":{"token":"%J"}}\x1e{"id":1000000001,"subscribe":{"channel":"busy%R"}}'
)
_ROOMS = Dialect("/chat/ws", SAY_BUSY, JOIN_BUSY, 1, ACK)
_IN_ROOMS = {
    OURS: _ROOMS,
    BUN: replace(_ROOMS, path="/"),
    GIN_EXPERT: replace(_ROOMS, path="/"),
    GIN: replace(GIN.dialect, path="/chat/ws/busy%R"),
    CENTRIFUGO: replace(CENTRIFUGO.dialect, message=_PUBLISH, init=_SUBSCRIBE),
}
"""How a client with a token comes into a room of ten."""
BESIDE = tuple(_IN_ROOMS)
_SIGNED = {
    OURS: "SANIC_CHATROOMS_JWT_SECRET",
    CENTRIFUGO: "CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY",
}
_STORED: dict[Peer, Callable[[str], dict[str, str]]] = {
    OURS: lambda url: {"SANIC_CHATROOMS_STORE": url},
    CENTRIFUGO: lambda url: {"CENTRIFUGO_ENGINE_TYPE": "redis", "CENTRIFUGO_ENGINE_REDIS_ADDRESS": url},
}
"""What has a server keep messages in Valkey."""


class Case(msgspec.Struct, frozen=True):
    """One thing that is measured. `less`: of which less is better."""

    name: str
    unit: str
    less: bool


CASES = {
    "quiet": Case("a quiet room of two, 50 messages a second", "µs of CPU a message", True),
    "small": Case("a room of 100, 20 messages a second", "µs of CPU a delivery", True),
    "arrive": Case(f"{ARRIVE:,} connect with a JWT and join rooms of {ROOM_OF}", "per s of CPU", False),
    "memory": Case("one of them, idle", "KiB", True),
    "stored": Case("one sender waits for each ack, Valkey keeps the messages", "acked/s", False),
}


class Figure(msgspec.Struct):
    """One server in one case: the figures of the rounds; or why there are none."""

    peer: str
    case: str
    rounds: list[float] = []
    missing: str = ""

    @property
    def median(self) -> float:
        """Of the rounds."""
        return median(self.rounds)


class Beside(msgspec.Struct):
    """What came out, in the order of the cases."""

    figures: list[Figure]

    def of(self, peer: str, case: str) -> Figure | None:
        """This server in this case; None: it was not measured."""
        found = (one for one in self.figures if (one.peer, one.case) == (peer, case) and one.rounds)
        return next(found, None)

    def ratio(self, peer: str, case: str) -> float | None:
        """How many times as well as this server ours does; None: that was not measured."""
        ours, its = self.of(OURS.name, case), self.of(peer, case)
        if ours is None or its is None or not ours.median or not its.median:
            return None
        return its.median / ours.median if CASES[case].less else ours.median / its.median


Measured = Iterator[tuple[str, float]]


def beside(
    say: Callable[[str], None],
    *,
    rounds: int,
    seconds: float,
    arrive: int = ARRIVE,
    peers: Sequence[Peer] = BESIDE,
) -> Beside:
    """All servers one after the other, and that `rounds` times."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    missing: dict[str, str] = {}
    for turn in range(rounds):
        for peer in peers:
            if peer.name in missing:
                continue
            try:
                for case, figure in _measured(peer, seconds, arrive):
                    found[peer.name, case].append(figure)
                    what = CASES[case]
                    say(f"round {turn + 1}/{rounds}  {what.name}  {peer.name:28} {figure:,.1f} {what.unit}")
            except (Missing, RuntimeError, TimeoutError) as problem:
                missing[peer.name] = str(problem)
                say(f"{peer.name}: left out: {problem}")
    return Beside(
        [
            Figure(peer.name, case, found[peer.name, case], missing.get(peer.name, ""))
            for case in CASES
            for peer in peers
        ]
    )


def _measured(peer: Peer, seconds: float, arrive: int) -> Measured:
    with peer.start() as server:
        yield from _quiet(peer, server, seconds)
    with _asking_for_tokens(peer).start() as server:
        yield from _arrivals(peer, server, arrive)
    if peer in _STORED:
        with running_valkey() as valkey:
            kept = _asking_for_tokens(peer, **_STORED[peer](valkey.url))
            with kept.start() as server:
                yield "stored", _acked(peer, server, seconds)


def _asking_for_tokens(peer: Peer, **more: str) -> Peer:
    signed = {_SIGNED.get(peer, "JWT_SECRET"): SECRET}
    return replace(peer, environment=lambda: {**peer.environment(), **signed, **more})


def _quiet(peer: Peer, server: Running, seconds: float) -> Measured:
    for case, (members, rate) in QUIET.items():
        run = quiet_room(server, peer, members, rate, seconds)
        yield case, run.cpu_us / (run.sent if case == "quiet" else run.deliveries)


def quiet_room(server: Running, peer: Peer, members: int, rate: int, seconds: float) -> Run:
    """All `members` of a room say `rate` messages a second together, no more."""
    return load(
        server,
        peer.dialect,
        connections=members,
        senders=members,
        pace=members * 1_000_000 // rate,
        seconds=max(seconds, LEAST / rate),
        pad=peer.pad,
    )


def _arrivals(peer: Peer, server: Running, count: int) -> Measured:
    before, cpu = server.memory(), server.cpu()
    after: list[float] = []

    def look() -> None:
        after.append(server.cpu() - cpu)
        time.sleep(SETTLES)
        after.append((server.memory() - before) / 1024 / count)

    with _tokens(count) as tokens:
        load(
            server,
            _IN_ROOMS[peer],
            look,
            connections=count,
            seconds=SETTLES + 1,
            warmup=0,
            room_size=ROOM_OF,
            patience=PATIENCE,
            tokens=tokens,
            header=_COME,
        )
    yield "arrive", count / after[0]
    yield "memory", after[1]


def _acked(peer: Peer, server: Running, seconds: float) -> float:
    with _tokens(ROOM_OF) as tokens:
        run = load(
            server,
            _IN_ROOMS[peer],
            connections=ROOM_OF,
            senders=1,
            room_size=ROOM_OF,
            seconds=seconds,
            pad=peer.pad,
            wait="ack",
            ackmark='"publish":' if peer is CENTRIFUGO else ACK,
            tokens=tokens,
            header=_COME,
        )
    return run.sent / run.seconds


@contextmanager
def _tokens(count: int) -> Iterator[str]:
    """A file of tokens, one a line, each of another user."""
    with tempfile.NamedTemporaryFile("w") as file:
        until = int(time.time()) + 3_600
        for number in range(count):
            claims = {"sub": f"u{number}", "name": f"User {number}", "exp": until}
            file.write(jwt.encode(claims, SECRET, "HS256") + "\n")
        file.flush()
        yield file.name
