"""What the store suite is built from: the hooks that a backend overrides, and short ways to say things."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise

import msgspec

from ...errors import ChatError
from ...models import PUBLIC, Appended, Draft, Event, Fact, Page, Relation, Room, Scope, Sender
from ...stores.base import Bounds, Store
from ...stores.members import MEMBER

__all__ = ["StoreHooks", "fresh", "listed", "raises", "result", "seqs", "texts"]

UNBOUNDED = Bounds(history_max=10_000)
ADA = Sender("u1", "Ada")


class StoreHooks:
    """Override `make`, and `now` and `pass_time` if your store takes a clock."""

    async def make(self) -> Store:
        """Return a store that is not started.

        The stores of one test are those of several processes over the same data. The suite starts them under new
        instance names, and stops them.
        """
        raise NotImplementedError("override make() to return your store")

    async def make_unclocked(self) -> Store:
        """Return a store with its own clock. Override this if `make` passes a clock to the store."""
        return await self.make()

    def now(self) -> float:
        """The time of the store's clock, in Unix seconds."""
        return time.time()

    async def pass_time(self, seconds: float) -> None:
        """Move the store's clock forward. A test moves it by at most three seconds."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def started(
        self, bounds: Bounds = UNBOUNDED, *, instance: str | None = None
    ) -> AsyncIterator[Store]:
        """A store that was started, under a fresh name unless one is given; it is stopped at the end."""
        store = await self.make()
        await store.start(instance or fresh("suite"), bounds)
        try:
            yield store
        finally:
            await store.stop()

    @asynccontextmanager
    async def room(self, bounds: Bounds = UNBOUNDED) -> AsyncIterator[Store]:
        """A store with the public room "r"."""
        async with self.started(bounds) as store:
            await self.create(store, "r")
            yield store

    @asynccontextmanager
    async def two_processes(self, bounds: Bounds = UNBOUNDED) -> AsyncIterator[tuple[Store, Store]]:
        """The stores of two processes, with the room "r"; a store that serves one process stands for both."""
        instance = fresh("suite")
        async with self.started(bounds, instance=instance) as one:
            await self.create(one, "r")
            if one.scope is Scope.PROCESS:
                yield one, one
            else:
                async with self.started(bounds, instance=instance) as other:
                    yield one, other

    async def create(self, store: Store, *rooms: str, visibility: str = PUBLIC, auto: bool = False) -> None:
        """Make rooms."""
        for room in rooms:
            blank = Room(room, "", 0, visibility=visibility, auto=auto, created_at=self.now())
            _, made = await store.create_room(blank)
            assert made, f"{room} was there already"

    def draft(
        self,
        room: str = "r",
        text: str = "hi",
        *,
        key: str | None = None,
        user: str = "u1",
        type: str = "message",
        about: Relation | None = None,
    ) -> Draft:
        """A draft of now. `key` makes it idempotent, with a hash of its text."""
        payload = b'{"text":"%s"}' % text.encode()
        whole_key = None if key is None else (user, key)
        at = round(self.now(), 3)
        return Draft(room, type, payload, secrets.token_hex(16), at, ADA, whole_key, b"#" + payload, about)

    def stating(
        self,
        *facts: Fact,
        room: str = "r",
        text: str = "hi",
        key: str | None = None,
        only_if_changed: bool = False,
    ) -> Draft:
        """A draft with facts."""
        plain = self.draft(room, text, type="member.changed", key=key)
        return msgspec.structs.replace(plain, facts=facts, only_if_changed=only_if_changed)

    async def said(self, store: Store, text: str = "hi", *, key: str | None = None, room: str = "r") -> Event:
        """A message that was stored, as it is read."""
        answer = await result(store, self.draft(room, text, key=key))
        (event,) = (await store.history(room, after=answer.seq - 1, limit=1)).events
        return event

    async def say(
        self, store: Store, count: int, *, room: str = "r", type: str = "message"
    ) -> list[Appended]:
        """Append so many events with the texts "1", "2" …, as one batch."""
        drafts = [self.draft(room, str(n), type=type) for n in range(1, count + 1)]
        return [stored(answer) for answer in await store.append(drafts)]


def fresh(prefix: str) -> str:
    """A name that nobody used before."""
    return f"{prefix}-{secrets.token_hex(8)}"


def stored(answer: Appended | ChatError) -> Appended:
    """The answer, which must not be an error."""
    assert isinstance(answer, Appended), repr(answer)
    return answer


async def result(store: Store, draft: Draft) -> Appended:
    """What becomes of this draft, which must be stored."""
    (answer,) = await store.append([draft])
    return stored(answer)


def seqs(page: Page) -> list[int | None]:
    """The numbers of a page."""
    return [event.seq for event in page.events]


def texts(page: Page) -> list[bytes]:
    """The payloads of a page."""
    return [bytes(event.payload) for event in page.events]


def assert_contiguous(events: Sequence[Event]) -> None:
    """No number is missing or doubled among these."""
    numbers = [event.seq or 0 for event in events]
    assert all(b == a + 1 for a, b in pairwise(numbers)), numbers


@contextmanager
def raises(error: type[Exception]) -> Iterator[None]:
    """What is inside must raise this error."""
    try:
        yield
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")


async def listed(
    store: Store, *, member: str | None = None, visibility: str | None = PUBLIC, limit: int = 200
) -> list[str]:
    """The ids of all rooms of a list, read page by page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        fact = None if member is None else (MEMBER, member)
        page = await store.rooms(visibility=visibility, fact=fact, cursor=cursor, limit=limit)
        assert page.rooms or cursor is None, "a cursor leads to something"
        found += [room.id for room in page.rooms]
        cursor = page.cursor
        if cursor is None:
            return found
        assert len(page.rooms) == limit, "a page that is not the last is full"
