"""Every name of Sanic and `websockets` that the package uses and they do not document.

A release of either may rename any of them, so nothing of this is imported with the package. `probe` looks for the names
when an app starts, and its answer says what works here. Without a name the chat works all the same; what is slower or
missing then stands in `Lack.instead`, and in the log.
"""

import asyncio
import importlib
import importlib.util
import logging
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from inspect import isfunction
from typing import Any, NamedTuple

import msgspec

from ..websocket.reader import Unmask, apply_mask

__all__ = [
    "INSTEAD", "NEEDS", "Capabilities", "DoorParts", "FastParts", "Lack", "door_parts", "fast_parts", "log_start", "probe",
]  # fmt: skip

logger = logging.getLogger("sanic_chatrooms.web")

_CONNECTION = "sanic.server.protocols.websocket_protocol:WebSocketProtocol"
_WEBSOCKET = "sanic.server.websockets.impl:WebsocketImplProtocol"
_SANIC = "sanic:Sanic"
_HTTP = "sanic.http.http1:Http"
_REQUEST = "sanic.request:Request"
_HEADERS = "sanic.compat:Header"
_CONN_INFO = "sanic.models.server_types:ConnInfo"
_STATE = "websockets.protocol:State"
_SERVER = "websockets.server:ServerProtocol"
_PROCESS = "sanic.worker.process:WorkerProcess"
_ROUTE = "sanic_routing.route:Route"
_RUNNERS = "sanic.server.runners"
_MASKS = ("websockets.speedups", "websockets.utils")

NEEDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "fast_edge": {
        "connection": (
            "data_received",
            "eof_received",
            "recv_buffer",
            "transport",
            "websocket_max_size",
            "websocket_ping_interval",
            "websocket_timeout",
            "_can_write",
        ),
        "websocket": ("ws_proto", "io_proto", "connection_lost_waiter", "data_received", "eof_received"),
        "state": ("OPEN", "CLOSING"),
        "protocol": ("state",),
    },
    "fast_mask": {"speedups": ("apply_mask",)},
    "small_connections": {
        "connection": ("_callback_check_timeouts", "_data_received"),
        "websocket": ("assembler",),
    },
    "letting_go": {"connection": ("connections",), "websocket": ("end_connection",)},
    "door": {
        "connection": ("connection_made", "conn_info"),
        "request": ("_current", "_match_info"),
        "route": ("extra",),
        "runners": ("server",),
    },
    "calm_handshake": {
        "connection": ("websocket",),
        "http": ("upgrade_websocket", "request_body", "keep_alive"),
        "requests": ("is_websocket",),
        "route": ("extra",),
    },
    "calm_end": {"websocket": ("end_connection", "close_timeout", "process_events", "async_data_received")},
    "watchdog": {
        "manager": ("transient_processes", "monitor_publisher"),
        "process": ("name", "pid", "state", "exitcode"),
    },
    "early_end": {
        "manager": ("_all_workers_ack", "_shutting_down", "processes"),
        "process": ("is_alive", "terminate"),
    },
    "calm_signals": {"manager": ("shutdown_signal",)},
    "hangup": {"manager": ("worker_state", "processes"), "worker": ("_state", "_name")},
    "stop_accepting": {"runners": ("http_server",)},
    "signals": {"app": ("signal_router",), "router": ("routes",)},
    "injection": {"sanic": ("_ext",)},
}
"""By capability and by what has them: the names. `Capabilities` has the capabilities' meaning."""

_WHO_HAS = {
    "connection": "Sanic's connections have",
    "websocket": "Sanic's WebSockets have",
    "state": "the State of websockets has",
    "protocol": "the ServerProtocol of websockets has",
    "speedups": "websockets.speedups has",
    "http": "Sanic's Http has",
    "request": "Sanic's requests have",
    "requests": "Sanic.handle_request has",
    "route": "Sanic's routes have",
    "manager": "Sanic's worker manager has",
    "process": "Sanic's worker processes have",
    "worker": "the state of Sanic's workers has",
    "runners": "sanic.server.runners has",
    "app": "the app has",
    "router": "the app's signal_router has",
    "sanic": "the class Sanic has",
}
INSTEAD = {
    "fast_edge": "the plain WebSocket edge is used, which is slower: it takes several times the CPU for each message",
    "fast_mask": "incoming frames are unmasked in Python, which is slower for large messages",
    "small_connections": "a connection takes up to 5 KiB more memory, and keeps 25 KiB for half a minute after its end",
    "letting_go": "an idle connection takes twice the memory",
    "door": "a new connection takes twice the processor time",
    "calm_handshake": "Sanic may log an error for a WebSocket that ended well, or end a slow handshake itself",
    "calm_end": "the plain WebSocket edge closes more slowly, and leaves bad UTF-8 and floods of pings to Sanic",
    "watchdog": "workers that die or hang are not replaced",
    "early_end": "an app that is told to end while its workers start may wait for them in vain",
    "calm_signals": "a main process that is told to end may fail with a traceback of Sanic's, one time in some hundred",
    "hangup": "an app whose terminal is closed may end with a traceback of Sanic's",
    "stop_accepting": "a worker that stops answers newcomers 503, and does not leave them to the other workers",
    "signals": "events are not passed on as signals of Sanic's",
    "injection": "sanic-ext gives handlers no parameter of type ChatRooms",
}
"""By capability: what happens without it."""


class FastParts(NamedTuple):
    """What the fast edge takes from `websockets`: two states of a connection, and the function that unmasks frames."""

    open: Any
    closing: Any
    mask: Unmask


class Lack(msgspec.Struct, frozen=True):
    """A capability that is not there: the names that are missing, in words, and what happens instead."""

    capability: str
    missing: str
    instead: str

    def __str__(self) -> str:
        return f"{self.instead}: {self.missing}"


class DoorParts(NamedTuple):
    """What the door takes from Sanic: the classes of a connection, of a request's headers, and of both ends' addresses."""

    connection: Any
    headers: Any
    conn_info: Any


class Capabilities(msgspec.Struct, frozen=True):
    """What the installed Sanic and `websockets` let the package do in this process."""

    fast: FastParts | None
    """What the fast WebSocket edge needs; None: the plain edge is used."""
    door: DoorParts | None = None
    """What the door needs; None: Sanic does every handshake."""
    lacks: tuple[Lack, ...] = ()

    def has(self, capability: str) -> bool:
        """Is this one of `NEEDS` there?"""
        return all(lack.capability != capability for lack in self.lacks)

    def __str__(self) -> str:
        edge = "plain" if self.fast is None else "fast"
        without = ", ".join(lack.capability for lack in self.lacks if lack.capability != "fast_edge")
        return f"{edge} WebSocket edge" + (f", without {without}" if without else "")


def probe(app: Any, manager: Any = None) -> Capabilities:
    """Look for everything that this process may use. `manager`: Sanic's, where this process manages the workers of `app`."""
    lacks = list(_lacks(_owners(app, manager)))
    by_name = {lack.capability for lack in lacks}
    fast = None
    if "fast_edge" not in by_name:
        try:
            wrong = _state_is_fixed() or _reads_past_us()
            fast = None if wrong else fast_parts()
        except Exception as exc:  # noqa: BLE001 - the plain edge works whatever is different there
            wrong = f"{type(exc).__name__}: {exc}"
        if wrong:
            lacks.insert(0, _lack("fast_edge", wrong))
    if fast is not None and "letting_go" not in by_name and (wrong := _holds_on()):
        lacks.append(_lack("letting_go", wrong))
    door = None
    if fast is not None and "door" not in by_name:
        try:
            door = _tried(door_parts())
        except Exception as exc:  # noqa: BLE001 - then Sanic does every handshake
            lacks.append(_lack("door", f"{type(exc).__name__}: {exc}"))
    # The fast edge does the last itself, the plain one never the others.
    needless = ("letting_go", "door") if fast is None else ("calm_end",)
    return Capabilities(fast, door, tuple(lack for lack in lacks if lack.capability not in needless))


_logged: set[str] = set()


def log_start(capabilities: Capabilities) -> None:
    """Say what is missing and what happens instead: once in this process, however many instances the app has."""
    for line in map(str, capabilities.lacks):
        if line not in _logged:
            _logged.add(line)
            logger.warning(line)


def fast_parts() -> FastParts:
    """What the fast edge takes from `websockets`. Raises `ImportError` or `AttributeError` where it is not there."""
    state = _load(_STATE)
    return FastParts(state.OPEN, state.CLOSING, _mask())


def door_parts() -> DoorParts:
    """What the door takes from Sanic. Raises `ImportError` or `AttributeError` where it is not there."""
    return DoorParts(_load(_CONNECTION), _load(_HEADERS), _load(_CONN_INFO))


def _mask() -> Unmask:
    for module in _MASKS:
        try:
            mask: Unmask = importlib.import_module(module).apply_mask
        except (ImportError, AttributeError):
            continue
        return mask
    return apply_mask


# ---- looking for names ----


def _owners(app: Any, manager: Any) -> dict[str, Callable[[], Any]]:
    """By the words of `NEEDS`: where to look. What does not concern this process is not among them."""
    owners: dict[str, Callable[[], Any]] = {
        "connection": lambda: _load(_CONNECTION),
        "websocket": _websocket,
        "state": lambda: _load(_STATE),
        "protocol": lambda: _load(_SERVER)(state=_load(_STATE).OPEN),
        "speedups": lambda: importlib.import_module(_MASKS[0]),
        "http": lambda: _load(_HTTP),
        "route": lambda: _load(_ROUTE),
        "request": lambda: _load(_REQUEST),
        "requests": lambda: _Words(_load(_SANIC).handle_request),
        "runners": lambda: _Words(*filter(isfunction, vars(importlib.import_module(_RUNNERS)).values())),
        "app": lambda: app,
        "router": lambda: app.signal_router,
    }
    if importlib.util.find_spec("sanic_ext") is not None:
        owners["sanic"] = lambda: _load(_SANIC)
    if hasattr(app, "multiplexer"):
        owners["worker"] = lambda: app.multiplexer.state
    if manager is not None:
        owners["manager"] = lambda: manager
        owners["process"] = _process
    return owners


def _lacks(owners: Mapping[str, Callable[[], Any]]) -> Iterator[Lack]:
    for capability, needs in NEEDS.items():
        missing = [
            line
            for owner, names in needs.items()
            if owner in owners
            for line in _missing(owner, owners, names)
        ]
        if missing:
            yield _lack(capability, " and ".join(missing))


def _missing(owner: str, owners: Mapping[str, Callable[[], Any]], names: Iterable[str]) -> Iterator[str]:
    try:
        found = owners[owner]()
    except Exception as exc:  # noqa: BLE001 - whatever is different there, it is not what was looked for
        yield f"{_WHO_HAS[owner]} another name or place ({type(exc).__name__}: {exc})"
        return
    for name in names:
        if not hasattr(found, name):
            yield f"{_WHO_HAS[owner]} no {name}"


def _lack(capability: str, missing: str) -> Lack:
    return Lack(capability, missing, INSTEAD[capability])


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _websocket() -> Any:
    return _load(_WEBSOCKET)(_load(_SERVER)(state=_load(_STATE).OPEN))


def _process() -> Any:
    # There are none yet when the main process looks; this one is never started.
    return _load(_PROCESS)(multiprocessing.Process, "probe", "probe", None, {}, {})


class _Words:
    """As attributes: the local variables of functions, for Sanic keeps its server in one, and what they ask others for."""

    def __init__(self, *functions: Any) -> None:
        for code in (function.__code__ for function in functions):
            words = (*code.co_varnames, *code.co_cellvars, *code.co_consts)
            self.__dict__.update({word: None for word in words if isinstance(word, str)})


# ---- trying what names do not tell ----


def _state_is_fixed() -> str | None:
    # Sanic looks at it before it sends a close frame of its own.
    state = _load(_STATE)
    protocol = _load(_SERVER)(state=state.OPEN)
    protocol.state = state.CLOSING
    if protocol.state is not state.CLOSING:
        return "the state of a websockets connection cannot be set"
    return None


def _reads_past_us() -> str | None:
    heard: list[object] = []
    ws = _websocket()
    ws.data_received = heard.append
    ws.eof_received = lambda: heard.append("end")
    io: Any = object.__new__(_load(_CONNECTION))
    io.websocket = ws
    io.data_received(b"x")
    io.eof_received()
    if heard != [b"x", "end"]:
        return "Sanic does not pass what it reads to the connection's WebSocket object"
    return None


def _holds_on() -> str | None:
    # What the fast edge does, and what Sanic does then at the end of a handler.
    try:
        ws = _websocket()
        io: Any = object.__new__(_load(_CONNECTION))
        io.transport, io._callback_check_timeouts, ws.io_proto = None, None, io
        ws.ws_proto.state = _load(_STATE).CLOSING
        ws.end_connection(1001)
        io.websocket = None
        io.close()
        ws.close().send(None)
    except StopIteration:
        return None
    except Exception as exc:  # noqa: BLE001 - then it keeps the connection
        return f"{type(exc).__name__}: {exc}"
    return "Sanic waits for something at the end of a WebSocket"


def _tried(parts: DoorParts) -> DoorParts:
    # What the door does at the start of an app, and for each request.
    factory: Any = partial(int)
    factory.__setstate__((dict, (), {}, {}))
    nowhere: Any = asyncio.Transport(extra=factory())
    headers = parts.headers([("host", "a")])
    about = {"version": "1.1", "method": "GET", "transport": nowhere, "app": None}
    if _load(_REQUEST)(url_bytes=b"/a?b", headers=headers, head=b"", **about).path != "/a":
        raise ValueError("Sanic's requests have another path")
    parts.conn_info(nowhere, unix=None).ctx.verdict = None
    return parts
