"""One look at a chat from outside: what was asked for, and what is known by now."""

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from ...client import ChatClient
from ..source import addresses

__all__ = ["Visit", "Wrong"]

PORTS = {"ws": 80, "wss": 443}


class Wrong(Exception):
    """What a step has found wrong: `detail` says what, `advice` what to do."""

    def __init__(self, detail: str, advice: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.advice = advice


class Visit(msgspec.Struct, kw_only=True):
    """A look at the chat at `url`. Times are in seconds."""

    url: str
    token: str | None = None
    room: str | None = None
    timeout: float = 10.0
    """How long each answer may take."""
    tries: int = 8
    """Connections that are opened side by side, to meet all workers."""
    watch: float | None = None
    """How long a quiet connection is watched; None: somewhat longer than the heartbeat's interval."""
    waiting: Callable[[str], None] = lambda what: None
    """Is told of what takes long."""

    # ---- what is known by now ----

    found: list[tuple[str, int]] = []
    """Addresses of the machine, with the port."""
    socket: str = ""
    """The address of the WebSocket."""
    guests: bool = False
    """The chat lets in whoever has no token."""
    offset: float | None = None
    """By how much the server's clock is ahead of ours."""
    interval: float = 30.0
    """The heartbeat's."""
    client: ChatClient | None = None
    joined: dict[str, Any] | None = None
    """The `ack` of the room in which we may write."""
    why_not: str = ""
    """Why there is no such room."""
    ending: AsyncExitStack = msgspec.field(default_factory=AsyncExitStack)
    """Takes away what the visit leaves behind."""

    def __post_init__(self) -> None:
        self.socket = addresses(self.url)[0]

    @property
    def parts(self) -> SplitResult:
        """The socket's address, taken apart."""
        return urlsplit(self.socket)

    @property
    def secure(self) -> bool:
        """Whether the address begins with https or wss."""
        return self.parts.scheme == "wss"

    @property
    def host(self) -> str:
        """The machine's name."""
        return self.parts.hostname or ""

    @property
    def port(self) -> int:
        """The port, also where the address does not name it."""
        return self.parts.port or PORTS[self.parts.scheme]

    @property
    def authority(self) -> str:
        """What stands in `Host`."""
        return self.parts.netloc.rpartition("@")[2]

    @property
    def origin(self) -> str:
        """The origin of pages of this server."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    @property
    def prefix(self) -> str:
        """The path of the instance: the socket is below it."""
        path = self.parts.path
        return path.rpartition("/ws")[0] if "/ws" in path else path.rpartition("/")[0]

    def tls(self) -> ssl.SSLContext | None:
        """How certificates are verified. `SSL_CERT_FILE` adds those of one's own."""
        return ssl.create_default_context() if self.secure else None

    def options(self, *, origin: bool = True) -> dict[str, Any]:
        """Keywords of `websockets.connect`: no proxy of the environment, and the origin of the server's own pages."""
        given: dict[str, Any] = {"proxy": None, "close_timeout": 1.0}
        if origin:
            given["additional_headers"] = {"Origin": self.origin}
        if self.secure:
            given["ssl"] = self.tls()
        return given
