"""The contract of a search index: what some stores can do beside, so that messages are found by their words.

An index only names candidates. Whoever asks reads them as they are now, and compares them with the query itself
(`support.words`). So what was deleted or edited a moment ago is never shown, and an index may name too many.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

import msgspec

from ..support.words import Query
from .base import Store

__all__ = ["Hit", "Hits", "SearchIndex", "searching"]


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A message that may match."""

    room: str
    seq: int
    place: int
    """Its place in the order of all rooms, by the time at which it was sent. In one room, of two messages the one with the
    higher number has the higher place."""


class Hits(msgspec.Struct, frozen=True):
    """Candidates, newest first."""

    hits: list[Hit]
    resume: int | None
    """Where to look on: below this number of the room, or below this place. None: there are no more."""
    indexed: int = 0
    """In one room: all messages up to this number are in the index. Those above it are not among the hits."""


class SearchIndex(ABC):
    """Finds messages of the type `message`.

    1. Every message up to `Hits.indexed` that matches the query now is among the hits, also if it was edited a moment ago.
       A hit may be a message that does not match, or is gone.
    2. Hits come newest first. `resume` leads through all of them, none left out and none twice, while more are indexed.
    3. Messages are indexed behind `append`, which waits for none of it. Where indexing stands is stored in the same step as
       what was indexed, so a process that is killed leaves nothing out, and any other goes on there.
    4. Several processes may index at once: each message is in the index once.
    5. Once an ERASE is visible, the index has nothing of the message's text, nor a hash of it from which it could be guessed
       without the store's secret. The same holds for what a REPLACE has replaced.
    6. What was trimmed, or was in a room that is deleted, leaves the index, too.
    7. The cost of one call has a bound, however many messages there are, and whatever is asked for.
    """

    searches: bool = False
    """Is there an index? Known after `start`: it may depend on how the database was built."""

    @abstractmethod
    async def find_in(
        self, room: str, query: Query, *, before: int, after: int = 0, limit: int = 200
    ) -> Hits:
        """Candidates in one room with numbers between `after` and `before`, both exclusive. Raises `RoomNotFound`."""

    @abstractmethod
    async def find_of(self, user: str | None, query: Query, *, before: int, limit: int = 200) -> Hits:
        """Candidates below a place in the rooms of which this user is a member; None: in all rooms, without reserved ones.

        Indexes some of what is new in these rooms first.
        """

    @abstractmethod
    async def index(self, rooms: Collection[str] | None = None, *, most: int = 500) -> int:
        """Index some messages, of these rooms or of those whose turn it is; -> how many. 0: there was nothing to do, or another
        process does it. The store calls this by itself."""

    @abstractmethod
    async def stems(self, words: Collection[str]) -> Mapping[str, str] | None:
        """The stem by which each of these words is found; "": it is not. None: words are found as they are."""


def searching(store: Store) -> SearchIndex | None:
    """The index of a store that was started; None: it has none."""
    return store if isinstance(store, SearchIndex) and store.searches else None
