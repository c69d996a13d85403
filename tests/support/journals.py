"""What tests of the journal share: drafts, and somebody who submits them and notes what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sanic_chatrooms.errors import ChatError
from sanic_chatrooms.hub.journal import Journal
from sanic_chatrooms.models import Appended, Draft, Relation
from sanic_chatrooms.support.clock import now

__all__ = ["Submitter", "draft", "until"]

WITHIN = 40.0


class Submitter:
    """Submits drafts by their names."""

    journal: Journal
    store: Any
    """A store around the one that keeps."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Appended | ChatError]] = []
        self._news = asyncio.Event()

    def submit(self, name: str, room: str = "r", source: object = None, **more: Any) -> None:
        def done(result: Appended | ChatError) -> None:
            self.answers.append((name, result))
            self._news.set()

        self.journal.submit(draft(name, room, **more), done, source)

    async def until(self, count: int) -> dict[str, Appended | ChatError]:
        """Wait for so many answers; -> all of them, by name."""
        await until(self._news, lambda: len(self.answers) >= count)
        return dict(self.answers)

    async def stored(self, room: str = "r") -> list[str]:
        page = await self.store.inner.history(room, after=0, limit=10_000)
        return [event.msg_id for event in page.events]


def draft(
    name: str,
    room: str = "r",
    *,
    payload: bytes = b"{}",
    key: str | None = None,
    about: Relation | None = None,
    **more: Any,
) -> Draft:
    """A message, or an edit where it is about one. `key`: the msgId that a client gave it."""
    type = "message" if about is None else "message.edited"
    keyed = ("ada", key) if key else ("", name)
    return Draft(room, type, payload, name, now(), key=keyed, about=about, **more)


async def until(news: asyncio.Event, holds: Callable[[], bool]) -> None:
    """Wait until this holds, which may be so after each news."""
    async with asyncio.timeout(WITHIN):
        while not holds():
            news.clear()
            await news.wait()
