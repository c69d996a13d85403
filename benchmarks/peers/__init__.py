"""The servers that are compared, and how a client speaks to each."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from ..load import Dialect
from ..server import Running, running
from ..tools import HERE, bun, compiled, socketio

__all__ = ["ACK", "BUN", "EPOLL", "ID", "NAIVE", "OURS", "PEERS", "SOCKETIO", "TEXT", "Peer"]

FOLDER = Path(__file__).parent
TEXT = "T=%T;I=%I;%P"
ID = "00000000-0000-4000-bench-%I-%N"
ACK = '"type":"ack"'
JOIN = '{"type":"join","msgId":"00000000-0000-4000-join-%I-%N","room":"bench","payload":{"history":0}}'
MESSAGE = f'{{"type":"message","msgId":"{ID}","room":"bench","payload":{{"text":"{TEXT}"}}}}'


class Peer(msgspec.Struct, frozen=True):
    """One server. `command` may install what it needs and raises `Missing` where that cannot be done."""

    name: str
    does: str
    """Its work per message, for the table."""
    dialect: Dialect
    command: Callable[[], list[str]]
    environment: Callable[[], dict[str, str]] = dict
    pad: int = 100
    """Bytes of padding with which its event has about 350 bytes."""

    def start(self) -> AbstractContextManager[Running]:
        """Run it."""
        return running(self.command(), self.environment())


def _python(name: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, str(FOLDER / name)]


def _with(*folders: Callable[[], Path]) -> Callable[[], dict[str, str]]:
    return lambda: {"PYTHONPATH": ":".join(str(folder()) for folder in folders)}


OURS = Peer(
    "sanic_chatrooms",
    "the whole protocol: join, ack, seq, history, repetition by msgId, limits, listeners",
    Dialect("/chat/ws", MESSAGE, JOIN, 1, ACK),
    _python("ours.py"),
    _with(lambda: HERE.parent),
)
NAIVE = Peer(
    "naive Sanic",
    "copies: `for ws in room: await ws.send(text)`",
    Dialect("/chat/ws/bench", TEXT),
    _python("naive.py"),
    pad=325,
)
SOCKETIO = Peer(
    "python-socketio on Sanic",
    "its rooms, emit and ack",
    Dialect(
        "/socket.io/?EIO=4&transport=websocket",
        f'421["message",{{"room":"bench","payload":{{"text":"{TEXT}"}}}}]',
        '40\x1e420["join","bench"]',
        1,
        '["ok"]',
    ),
    _python("socketio_on_sanic.py"),
    _with(socketio),
    pad=240,
)
BUN = Peer(
    "Bun (uWebSockets)",
    "the same: parse, validate, number, history, repetition, ack",
    Dialect("/", MESSAGE, JOIN, 1, ACK),
    lambda: [str(bun()), str(FOLDER / "bun_uws.js")],
)
EPOLL = Peer(
    "C, epoll: the limit",
    "copies: one `send` per connection and turn",
    Dialect("/", TEXT),
    lambda: [str(compiled(FOLDER / "epoll.c"))],
    pad=325,
)
PEERS = (OURS, NAIVE, SOCKETIO, BUN, EPOLL)
