"""One Redis or Valkey server: how a connection to it is opened, and made anew when it breaks.

Connections are opened when they are needed. If the server cannot be reached, the next attempt waits for a back-off; callers get
`Unavailable` at once meanwhile.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any, NamedTuple, TypeAlias

from redis.asyncio.connection import Connection
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from ...errors import Unavailable
from ...support.backoff import Backoff
from .address import RedisAddress
from .pipeline import Pipe

__all__ = ["Call", "Place", "RedisOpener", "RedisServer", "Script"]

logger = logging.getLogger("sanic_chatrooms.redis")

CONNECT_WITHIN = 1.5
"""Seconds to connect, sign in and load the scripts."""
FIRST_WAIT, LONGEST_WAIT = 0.05, 0.4
"""Seconds until a server that could not be reached is tried again."""
_REFUSED = (AuthenticationError, NoPermissionError)
_PLAIN: dict[str, Any] = {"protocol": 2, "socket_timeout": None, "socket_connect_timeout": CONNECT_WITHIN}
"""RESP 2, since pushes of RESP 3 would stand among the replies; time limits are ours."""

Place: TypeAlias = tuple[str, int]
"""Host and port."""


class Script:
    """Lua files of a package, one after the other, loaded once per connection and called by their hash.

    In every call ARGV[1] is `Pipe.run_id`; its own arguments follow.
    """

    def __init__(self, package: str, *names: str) -> None:
        files = resources.files(package)
        self.text = "".join(files.joinpath(name).read_text("utf-8") for name in names)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Call(NamedTuple):
    """A command, or a call of a script, for the server of `key`."""

    key: str
    parts: tuple[Any, ...]
    """The command; of a script, what follows ARGV[1]."""
    script: Script | None = None
    keys: tuple[str, ...] = ()
    """Those of the script, all in the slot of `key`."""

    def command(self, run_id: str) -> tuple[Any, ...]:
        """As it is sent."""
        if self.script is None:
            return self.parts
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, run_id, *self.parts)


class RedisServer:
    """One server, or the present master: a connection that is opened again when it breaks."""

    def __init__(self, locate: Callable[[], Awaitable[Place]], opener: "RedisOpener") -> None:
        self._locate = locate
        self._opener = opener
        self._pipe: Pipe | None = None
        self._connecting = asyncio.Lock()
        self._backoff = Backoff(FIRST_WAIT, LONGEST_WAIT, least=0.5)
        self._not_before = 0.0
        self.refusal: RedisError | None = None
        """The error with which the server refused the connection, if it did."""

    async def ask(self, calls: Sequence[Call], within: float) -> list[Any]:
        """A reply per call, in order; errors of single calls are values. Raises `Unavailable`."""
        pipe = self.pipe or await self._connected()
        replies = await pipe.ask([call.command(pipe.run_id) for call in calls], within)
        for reply in replies:
            if isinstance(reply, ResponseError):
                return await self._again(pipe, calls, replies, within)
        return replies  # as nearly always

    async def _again(self, pipe: Pipe, calls: Sequence[Call], replies: list[Any], within: float) -> list[Any]:
        """What can be mended of these replies, some of which are errors."""
        forgotten = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if forgotten:  # the server's scripts were flushed
            await pipe.ask([("SCRIPT", "LOAD", script.text) for script in self._opener.scripts], within)
            again = await pipe.ask([calls[n].command(pipe.run_id) for n in forgotten], within)
            for n, reply in zip(forgotten, again, strict=True):
                replies[n] = reply
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            self.close()  # no master any more: look for it again
        return replies

    @property
    def pipe(self) -> Pipe | None:
        """The connection, if it is open."""
        pipe = self._pipe
        return pipe if pipe is not None and pipe.alive else None

    async def connect(self) -> Connection:
        """A new connection for the caller alone, authenticated. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                return await self._opener.open(*await self._locate())
        except (TimeoutError, RedisError, OSError):
            raise Unavailable from None

    def close(self) -> None:
        """Close the connection; the next `ask` opens another."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()

    async def _connected(self) -> Pipe:
        async with self._connecting:  # one task connects, the others wait for it
            if self._pipe is None or not self._pipe.alive:
                self.close()
                self._pipe = await self._reconnect()
            return self._pipe

    async def _reconnect(self) -> Pipe:
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            raise Unavailable
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                pipe = await self._opener.open_pipe(*await self._locate())
        except (TimeoutError, RedisError, OSError, Unavailable) as why:
            self.refusal = why if isinstance(why, _REFUSED) else None
            if not self._backoff.failures:
                logger.warning("Redis cannot be reached: %s", str(why) or type(why).__name__)
            self._not_before = loop.time() + self._backoff.failed()
            raise Unavailable from None
        if self._backoff.failures:
            logger.info("Redis answers again")
        self._backoff.succeeded()
        return pipe


class RedisOpener:
    """Opens connections to an address. `scripts` are loaded into each; `run_id`: see `RedisLink`."""

    def __init__(self, address: RedisAddress, scripts: Sequence[Script], run_id: str | None) -> None:
        self.address = address
        self.scripts = scripts
        self._run_id = run_id
        self._warned = False

    async def open(self, host: str, port: int) -> Connection:
        """An authenticated connection. Raises the errors of redis-py."""
        where = {} if self.address.kind == "unix" else {"host": host, "port": port}
        return await _connect(self.address.connection(**where, **self.address.options, **_PLAIN))

    async def open_pipe(self, host: str, port: int) -> Pipe:
        """A connection to a master, with our scripts. Raises the errors of redis-py, and `Unavailable`."""
        pipe = Pipe(await self.open(host, port))
        try:
            asked = [("INFO", "server"), ("INFO", "replication"), ("CONFIG", "GET", "append*", "maxmemory*")]
            loads = [("SCRIPT", "LOAD", script.text) for script in self.scripts]
            server, replication, config, *loaded = await pipe.ask([*asked, *loads], CONNECT_WITHIN)
            for reply in (server, replication, *loaded):
                if isinstance(reply, ResponseError):
                    raise reply
            if b"role:master" not in replication:
                raise Unavailable("this server is not the master")
            # Managed servers seldom allow their users to read the configuration.
            known = (
                {} if isinstance(config, ResponseError) else dict(zip(config[::2], config[1::2], strict=True))
            )
            pipe.run_id = self._run_id_of(server, known)
            self._warn_of_eviction(known)
        except BaseException:
            pipe.close()
            raise
        return pipe

    def _warn_of_eviction(self, known: dict[bytes, bytes]) -> None:
        policy = known.get(b"maxmemory-policy", b"noeviction").decode()
        if policy != "noeviction" and known.get(b"maxmemory") != b"0" and not self._warned:
            self._warned = True
            logger.warning(
                "Redis may drop rooms when its memory is full: maxmemory-policy is %s, not noeviction",
                policy,
            )

    def _run_id_of(self, server: bytes, known: dict[bytes, bytes]) -> str:
        if self._run_id is not None:
            return self._run_id
        durable = known.get(b"appendonly") == b"yes" and known.get(b"appendfsync") == b"always"
        if durable and self.address.kind in ("", "unix"):
            return ""
        return _info(server, b"run_id")

    async def locate(self) -> Place:
        """Where the server is: what the address says, or the first Sentinel that answers. Raises `Unavailable`."""
        if self.address.kind != "sentinel":
            return self.address.hosts[0]
        for host, port in self.address.hosts:
            try:
                async with asyncio.timeout(CONNECT_WITHIN / 2):
                    return await self._ask_sentinel(host, port)
            except (TimeoutError, RedisError, OSError):
                continue
        raise Unavailable("no Sentinel knows a master")

    async def _ask_sentinel(self, host: str, port: int) -> Place:
        secure = {name: value for name, value in self.address.options.items() if name.startswith("ssl")}
        options = secure | self.address.sentinel_options | _PLAIN
        connection = await _connect(self.address.connection(host=host, port=port, **options))
        try:
            await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.address.service)
            reply = await connection.read_response(disable_decoding=True)
        finally:
            await connection.disconnect(nowait=True)
        if reply is None:
            raise Unavailable(f"the Sentinel at {host}:{port} knows no {self.address.service}")
        return reply[0].decode(), int(reply[1])


async def _connect(connection: Connection) -> Connection:
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def _info(text: bytes, name: bytes) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(b":")
        if key == name:
            return value.decode()
    raise Unavailable("this server does not tell its run_id")
