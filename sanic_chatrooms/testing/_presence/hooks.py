"""What the presence's suite is built from: the hooks that a backend overrides."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ...models import Sender
from ...presence.base import Presence

__all__ = ["ADA", "BOB", "ROOMS", "USERS", "PresenceHooks", "fresh"]

ADA, BOB = Sender("u1", "Ada"), Sender("u2", "Bob")

USERS = (
    "u",
    "U",
    "u ",
    "ü",
    "u:1",
    "%",
    "_",
    "*",
    "?",
    "[u]",
    "'; DROP TABLE x; --",
    "u\nx",
    "\\",
    "{u}",
    "😀",
    '"',
)
"""Users who are one and the same to a backend that glues, globs, folds or cuts names."""

ROOMS = ("a", "A", "a:b", "a:b:c", "a.b", "b", ":", "a:", "-", "~a", "x" * 128, "x" * 127)
"""Rooms likewise."""


class PresenceHooks:
    """Subclass it and override `make`."""

    ttl = 2.0
    """Seconds for which an entry lives in these tests."""

    async def make(self) -> tuple[Presence, Presence]:
        """The presences of two processes, not started. Called twice in a test: four processes of one system."""
        raise NotImplementedError("override make() to return two of your presences")

    async def make_unclocked(self) -> tuple[Presence, Presence]:
        """The same without a clock of the test's. Override it where `make` gives them one."""
        return await self.make()

    def now(self) -> float:
        """The time by which entries expire (Unix seconds)."""
        return time.time()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for the presence."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def nodes(
        self, instance: str | None = None, *, clocked: bool = True
    ) -> AsyncIterator[tuple[Presence, Presence]]:
        """Two started nodes, of an instance that nobody used before unless one is given."""
        instance = instance or fresh("suite")
        one, other = await (self.make() if clocked else self.make_unclocked())
        try:
            for node in (one, other):
                # By a clock that no test moves on, an entry lives longer than any pause of the machine.
                await node.start(instance, fresh("node"), self.ttl if clocked else 30 * self.ttl)
            yield one, other
        finally:
            await one.stop()
            await other.stop()


def fresh(prefix: str) -> str:
    """A name that nobody used before."""
    return f"{prefix}-{secrets.token_hex(8)}"
