"""Removes deleted texts from the server's append-only file: now and then the server is asked to rewrite it.

A worker notes in the server that it is about to delete something. Every worker checks these notes, and one of them asks for the
rewrite, so it happens even if the worker that deleted is gone. Rewrites take at most a twentieth of the time.
"""

import asyncio
import logging

from redis.exceptions import NoPermissionError, ResponseError

from ...drivers.redis.cluster import ANSWER_WITHIN, Call, RedisLink, RedisServer
from ...errors import Unavailable
from ...support.backoff import jittered
from ...support.tasks import end, is_ending

__all__ = ["Eraser"]

logger = logging.getLogger("sanic_chatrooms.stores.redis.store")

INTERVAL = 15.0
"""Seconds between two checks, about."""
SOONEST = 60.0
"""Seconds from a deletion to the rewrite, at least: longer than any call takes, and many deletions share one rewrite."""
SHARE = 20
"""The pause after a rewrite, as a multiple of its duration."""
TURN = 600
"""Seconds after which another worker may take over a rewrite."""


class Eraser:
    """The eraser of one instance in one worker. `within`: the longest time in seconds from a deletion to its rewrite."""

    def __init__(self, link: RedisLink, instance: str, within: float) -> None:
        base = f"{link.prefix}{{{instance}}}:"
        self._link = link
        self._within = within
        self._noted, self._done, self._turn = base + "erased", base + "rewritten", base + "rewriting"
        self._pending: tuple[bytes, float] | None = None  # the note at the last check, and when that was
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to check."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End. The next worker that starts handles what is noted."""
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def note(self) -> None:
        """Note that something is about to be erased. Raises `Unavailable`."""
        await self._link.call(Call(self._noted, ("INCR", self._noted)))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(jittered(INTERVAL))
            try:
                await self.look()
            except Unavailable:
                continue  # the commands that failed have said so
            except NoPermissionError:
                logger.warning(
                    "Redis does not let this user rewrite the append-only file (ACL: +bgrewriteaof): deleted texts stay in it "
                    "until the server rewrites it by itself"
                )
                return
            except asyncio.CancelledError:
                if is_ending():
                    raise
                logger.exception(
                    "a rewrite of the append-only file was cancelled from outside; it is tried again"
                )
            except Exception:
                logger.exception("the append-only file could not be rewritten; it is tried again")

    async def look(self) -> None:
        """Rewrite the file, if something was erased and it is time."""
        noted, done = await self._link.call(Call(self._noted, ("MGET", self._noted, self._done)))
        if noted is None or noted == done:
            self._pending = None
            return
        now = asyncio.get_running_loop().time()
        if self._pending is None:
            self._pending = (noted, now)
        covered, since = self._pending
        servers = await self._link.masters()
        if now - since < min(self._within, await self._pause(servers)) or not await self._take_turn():
            return
        try:
            done = [await self._rewrite(server) for server in servers]
        finally:
            await self._link.call(Call(self._turn, ("DEL", self._turn)))
        if all(done):
            # Notes from meanwhile are not covered: their deletions may have happened after the rewrite began.
            await self._link.call(Call(self._done, ("SET", self._done, covered)))
            self._pending = None

    async def _take_turn(self) -> bool:
        taken = await self._link.call(Call(self._turn, ("SET", self._turn, "1", "NX", "EX", TURN)))
        return taken is not None

    async def _pause(self, servers: list[RedisServer]) -> float:
        took = [int((await self._told(server)).get("aof_last_rewrite_time_sec", 0)) for server in servers]
        return max(SOONEST, SHARE * max(took))

    async def _rewrite(self, server: RedisServer) -> bool:
        """True when the old file is gone, or there never was one."""
        if (await self._told(server)).get("aof_enabled") != "1":
            return True
        (reply,) = await server.ask([Call("", ("BGREWRITEAOF",))], ANSWER_WITHIN)
        if isinstance(reply, NoPermissionError):
            raise reply
        if isinstance(reply, ResponseError):
            return False  # another rewrite is running, and may have begun too early
        while True:
            told = await self._told(server)
            if told.get("aof_rewrite_in_progress") == told.get("aof_rewrite_scheduled") == "0":
                return told.get("aof_last_bgrewrite_status") == "ok"
            await asyncio.sleep(0.2)

    async def _told(self, server: RedisServer) -> dict[str, str]:
        (reply,) = await server.ask([Call("", ("INFO", "persistence"))], ANSWER_WITHIN)
        if isinstance(reply, ResponseError):
            raise reply
        return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
