"""The contract of a store: the truth about rooms, their events, and the facts about them.

Each numbered sentence is a guarantee. At least one test of `sanic_chatrooms.testing.StoreSuite` has its number and nearly its words.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from ..errors import ChatError, RoomNotFound
from ..models import PUBLIC, Appended, Draft, Event, Fact, Head, Known, Page, Related, Room, Scope
from .bounds import FOLDED, HISTORY_MAX, LISTED, RESERVED_HISTORY_MAX, Bounds
from .changes import Stale
from .erasing import Erasing
from .pages import FactPage, Holding, RoomAbout, RoomPage, TogglePage, Unread
from .soon import AppendsSoon
from .streams import OpenStream, checkpoint, lease, open_streams

__all__ = [
    "FOLDED",
    "HISTORY_MAX",
    "LISTED",
    "RESERVED_HISTORY_MAX",
    "Bounds",
    "FactPage",
    "Holding",
    "OpenStream",
    "RoomAbout",
    "RoomPage",
    "Stale",
    "Store",
    "TogglePage",
    "Unread",
]


class Store(AppendsSoon, Erasing, ABC):
    """Keeps rooms, numbered events, relations and facts of one instance.

    Numbering
     1. The n-th event stored in a room has seq n: no number is left out, none is given twice within an epoch.
     2. Drafts of one batch for one room are numbered in the order of the batch.
     3. Once `append` has returned a result, `history` and `heads` of every process show the event.
     4. A reader never sees number n before it can see n-1.
     5. A draft that cannot be stored has an error in its place; the others of the batch are stored.
     6. An epoch names one past. A room that is made again gets a new one, and so does every room of a store that may
        have lost what it acknowledged.
    Idempotency
     7. A draft whose key was used in that room within the window is not stored again; the result is the first one's,
        with `duplicate`.
     8. The same key with another hash is a `Conflict`, and nothing is stored. If 16 removed the hash, only another type
        is a `Conflict`.
     9. 7 and 8 also hold after the first event was trimmed, and for two equal keys in one batch.
    10. The same key in another room, or of another user, is another key.
    19. A draft with the key by which its room was made is a `Conflict`, for as long as the room is there.
    Effects
    11. A draft's relation (`about`) and facts are visible exactly when its event is. A repetition does not apply them
        again, and a draft that is not stored does not apply them at all.
    Past
    12. `history(after=…)` is ascending from after+1 without a hole; `history(before=…)` ends at before-1. Both say
        whether there is `more`, and carry the head and the floor of the same moment.
    13. Above `history_max`, the oldest event goes for each new one; `floor` says up to which number.
    Errors
    14. A store that does not answer in time raises `Unavailable`; the outcome of that batch is then unknown, and
        appending it again with the same keys is safe.
    Messages that change
    15. A REPLACE gives the message, from the moment its event is visible, its present payload, `edited` (the draft's
        timestamp) and `changed` (the draft's seq), in both views. Its first payload's hash stays: 8 holds as before.
    16. An ERASE leaves of the message its number (with its id, type, time and sender): `deleted`, payload {},
        `changed`, without `edited`, in both views. Earlier events that replaced its payload are emptied (`deleted`,
        payload {}) in the same step. No text of it is left anywhere in the store, and no hash of its text: any draft of
        the same type under the key of such an event is a repetition. Every TOGGLE on it is turned off; its replies stay.
    17. A REPLACE, ERASE or TOGGLE of a message that is not in the room, was trimmed, is deleted already, or is not of
        type `message`, is `MessageNotFound` in the draft's place and stores nothing.
    18. `message` finds an event by the server's id, and returns it as `history` shows it.
    Relations
    20. The store completes the payload of an event with a REPLACE, ERASE or TOGGLE in the same step: it inserts
        `"seq":<the target's number>` at the front, and for a TOGGLE with an owner then `"count":<how many owners hold
        that key on that target afterwards>`; for an ERASE of a reply to a message that is there `"parent":<its id>,"thread":<its
        replies that are left>`. `Appended.payload` and `history` show the completed payload; a repetition returns it as `history`
        shows it now, or None where it was trimmed.
    21. A TOGGLE is on or off once per (target, key, owner), and tells the number, time and sender of the event that
        turned it on. It changes neither the message's payload nor its `changed`.
    22. A TOGGLE that would change nothing stores no event and applies no fact: the result is `unchanged`, with the
        number of the event that turned it on, or 0 if it is off. Its key is not remembered.
    45. A TOGGLE that would turn on another key than those at its target, where `most` keys with an owner are on, is
        `InvalidField` (`emoji`, `limit`) in the draft's place and stores nothing.
    23. A COLLECT makes its event a reply to the target. The target may be deleted. A target that is not in the room,
        was trimmed, is not of type `message`, or is a reply itself, is `InvalidField` (`parent`) in the draft's place.
    24. `history` and `related` show, for each message that is still there, which keys are on (how many owners, and the
        newest) and its replies that are not deleted (how many, and the newest). `Page.related` is of the page's moment.
    25. `toggles` lists what is on, newest first: of one key, of one message, or of both.
    26. `history(parent=…)` pages the replies to one message, deleted ones too; `history(timeline=True, replies=False)`
        leaves all replies out.
    42. A CLOSE gives the message its last payload and `changed`, and no `edited`; with a key, that is on from then on, without
        an owner. An ERASE later empties it, like an edit.
    27. Trimming a message turns off every TOGGLE on it. Its replies stay replies.
    Facts
    28. A fact set by a draft has the event's number as `seq`, and as `since` if it did not hold before. The same value
        again changes neither; another value changes `seq` only. Values come back byte for byte.
    29. A fact whose value is None is forgotten. Forgetting a fact that does not hold changes nothing.
    30. Under the rule "max" a value that is not higher than the present one changes nothing.
    31. A draft with `only_if_changed`, without relation, whose facts hold already stores no event: the result is
        `unchanged`, with the highest `seq` of these facts. Its key is not remembered.
    32. `set_fact` needs no event: `seq` is 0, and `since` the room's number at that moment. So are the facts with which
        a room is made.
    33. Facts are not trimmed. They go with their room.
    Rights
    34. An event with `restricts` makes its number the room's `restricted`, visible exactly when it is.
    35. A draft whose `judged` is below the room's `restricted`, or whose `judged_in` is not the room's epoch, is `Stale`,
        and is not stored. This holds within a batch, too.
    36. Per draft, the store checks in this order: room, key and hash, `judged`, `spaced`, relation, facts.
    39. A `spaced` draft is `RateLimited` (`retry_after`: the seconds left) if its sender's last `spaced` event in the room is
        less than so many seconds older, by their timestamps. Other drafts neither wait nor are waited for.
    41. A fact with `was` is set only where its present value is that one; b"" means that it must not hold. Else a draft
        with it is a `Conflict`, and `set_fact` changes nothing.
    40. A fact with an `until` holds until it is forgotten. Whoever sets another such fact forgets some that have passed.
    Rooms
    37. The fact "room" about "" (`stores.properties.room_fact`) is what the room is from its event on. `room` and `rooms` show
        it, and the lists of rooms follow, exactly when the event is visible. `update_room` sets it without an event.
    38. `Room.history` has the numbers from which other users may read what is stored: that of the event that changed it, or
        the next one's after `update_room`. The last 16 are kept; what is older is read by as few as before or fewer.
    Unread
    46. A fact whose kind begins with "my." belongs to the membership of its key: `set_fact` sets it only where the fact "member"
        about that key holds, and whatever forgets that, forgets it in the same step. Drafts have none.
    47. `unread` counts the events above the marker that are there, not deleted, of a type of `Bounds.counted`, and not the user's
        own. The marker is the fact "my.read", and without it the `since` of the membership. Others than members have 0.
    43. It counts up to `cap`, and looks at the first 20,000 numbers above the marker. `more` says that there are, or may be, more.
    44. The `mentions` of a draft are those of its message, or with a REPLACE or CLOSE those of the target from then on. An ERASE and
        trimming remove them. `unread` counts the messages above the marker, and not the user's own, that mention them: by id, by
        "@room", or by "@" and their role, if they have been a member, and had the role, since before the message. It counts 100 at most,
        and none of `blocked` users.
    Erasing
    48. `erase` of an event without a payload does what an ERASE does, without an event: `changed` stays, the sender and the key
        are gone too, and any type may be emptied. The same draft is then a new one.
    49. With a payload, the event has it if it still has the one that was named. In both cases the user's toggles on it are
        turned off, those of others do not tell of the user, and it does not mention the user.
    50. Afterwards the room does not tell that this user made it, and 19 does not hold for the user's key.
    51. `all_facts` lists every fact of the room once, in the order of kinds and keys.
    52. What `rooms_about` tells of a room's facts is at least as new as the `seq` of the room that it tells.
    """

    scope: ClassVar[Scope]
    """How far what one process appends is seen by others."""
    waits: ClassVar[bool] = True
    """Its methods wait for something outside of this process: a server, a file, a thread. The answers of a store that waits for
    nothing need no time limit."""
    server_url: str | None = None
    """The URL by which the same server is a broker and a presence too: used where the app names none."""
    publishes_as: str | None = None
    """Set before `start` where the broker is on the store's server, to its `publisher`: `append` then publishes in the same
    step, and the journal does not. It may leave that where only that broker hears the room."""
    publish_key: bytes = b""
    """The key that it then signs with (`sanic_chatrooms.support.signature`): set before the first `append`, and whenever the
    key has changed."""

    @abstractmethod
    async def start(self, instance: str, bounds: Bounds) -> None:
        """Open what is needed. `instance` is the namespace: two names never share anything."""

    @abstractmethod
    async def stop(self) -> None:
        """Close it. Calling it again, or before `start`, does nothing."""

    @abstractmethod
    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """Store and number a batch over any rooms; one result or error per draft, in the same order.

        Errors of one draft, which is then not stored: `RoomNotFound`, `Conflict`, `Stale`, `RateLimited`, `MessageNotFound`,
        `InvalidField`, and `Unavailable` if only its room cannot be reached. Raises `Unavailable` for the whole batch.
        """

    def require_free(self) -> None:
        """Call this in a task that is going to wait for an append of another task.

        Raises `InvalidField` if the store can tell that a transaction of this task keeps it from writing: the task would
        wait for itself.
        """

    @abstractmethod
    async def heads(self, rooms: Collection[str]) -> dict[str, Head]:
        """The head of each of these rooms; rooms that do not exist are left out."""

    @abstractmethod
    async def history(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        timeline: bool = False,
        replies: bool = True,
        parent: int | None = None,
        reader: str | None = None,
    ) -> Page:
        """A page of a room's past, ascending: the first `limit` events above `after`, or the last `limit` below `before`.

        Give exactly one of the two. `timeline` leaves out types that begin with one of `FOLDED`; `replies=False` then
        leaves out replies, too. `parent` shows only the replies to the message with this number. `reader` is the id of the
        user for whom `Toggle.mine` is set. Raises `RoomNotFound`.
        """

    @abstractmethod
    async def message(self, room: str, msg_id: str) -> Event | None:
        """The event with this id (the server's), as it is now; None if there is none or it was trimmed. Raises `RoomNotFound`."""

    async def events(self, room: str, seqs: Collection[int]) -> dict[int, Event]:
        """The events with these numbers, as they are now. Trimmed and missing numbers are left out.

        Raises `RoomNotFound`. This default asks for each number; override it with one query.
        """
        found = {}
        for seq in seqs:
            page = await self.history(room, after=seq - 1, limit=1)
            if page.events and page.events[0].seq == seq:
                found[seq] = page.events[0]
        return found

    @abstractmethod
    async def related(
        self, room: str, seqs: Collection[int], *, reader: str | None = None
    ) -> dict[int, Related]:
        """Toggles and replies of the messages with these numbers. Messages that have neither are left out.

        `reader` is the id of the user for whom `Toggle.mine` is set. Raises `RoomNotFound`.
        """

    @abstractmethod
    async def toggles(
        self,
        room: str,
        *,
        key: str | None = None,
        target: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> TogglePage:
        """What is on, newest first: under `key`, at the message with the number `target`, or both.

        Give at least one of the two. `target` alone leaves out toggles without an owner. Raises `RoomNotFound`,
        `InvalidCursor`.
        """

    @abstractmethod
    async def trim(self, room: str, seq: int) -> None:
        """Everything up to and including this number is gone, as if it were below `history_max`. Raises `RoomNotFound`."""

    @abstractmethod
    async def renew_epoch(self, room: str, old: str) -> Head:
        """Give the room a new epoch if it still has `old`; -> its head afterwards. Raises `RoomNotFound`."""

    @abstractmethod
    async def create_room(
        self,
        room: Room,
        *,
        facts: Sequence[Fact] = (),
        key: tuple[str, str] | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """Make a room with its first facts; the store chooses its epoch, seq and history. -> (the room, was it made now?)

        If the room exists, it is returned with False, provided that key and hash are the same or there is no key. Another
        key or hash is a `Conflict`. Raises `RoomLimit` above `max_rooms` or, for direct rooms, `max_direct_rooms`.
        Reserved rooms are not counted.
        """

    @abstractmethod
    async def room(self, room: str) -> Room | None:
        """The room, or None."""

    @abstractmethod
    async def rooms(
        self,
        *,
        visibility: str | None = PUBLIC,
        fact: tuple[str, str] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RoomPage:
        """Rooms of this visibility (`public`, `private` or `direct`), None: of all three; or with `fact` all rooms in which a
        fact of this (kind, key) holds, for the facts that `facts_of` is for. Never reserved rooms.

        A room whose visibility changes meanwhile is on one of the lists at any time. Raises `InvalidCursor`.
        """

    @abstractmethod
    async def update_room(self, room: Room) -> Room:
        """Change title, visibility, attributes, topic and whatever else `room_fact` has; -> the room as it is now.

        With another visibility the room gets a new epoch in the same step: what was judged before is judged again.
        Raises `RoomNotFound`, also if the room has another epoch now.
        """

    @abstractmethod
    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        """Forget the room and everything in it; True if it was there.

        With `unused`, only if its first join made it and nothing was ever stored in it; decided in the same step.
        """

    async def fact(self, room: str, kind: str, key: str) -> Known | None:
        """One fact; None if it does not hold, or if there is no such room."""
        return (await self.facts_about(room, key)).get(kind)

    @abstractmethod
    async def facts_about(self, room: str, key: str) -> dict[str, Known]:
        """Every fact about one key, by kind; empty if there is no such room."""

    @abstractmethod
    async def facts(self, room: str, kind: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """The facts of one kind in a room, in the order of their keys. Raises `RoomNotFound`, `InvalidCursor`."""

    @abstractmethod
    async def facts_of(self, kind: str, key: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """This fact in every room where it holds, in the order of the rooms' ids; never in reserved rooms.

        For kinds of `members.BY_USER` about a user, and for facts about a room itself, whose key is "", except the fact "room". A store
        need not know in which rooms other facts hold: there is one for each message with attachments.
        Raises `InvalidCursor`.
        """

    async def first_facts(self, rooms: Collection[str], kind: str, limit: int) -> dict[str, list[Known]]:
        """The first `limit` facts of one kind in each of these rooms. Rooms that do not exist are left out.

        For lists of small rooms. This default asks for each room; override it with one query.
        """
        found = {}
        for room in rooms:
            with contextlib.suppress(RoomNotFound):
                found[room] = (await self.facts(room, kind, limit=limit)).facts
        return found

    @abstractmethod
    async def set_fact(self, room: str, fact: Fact) -> bool:
        """Set or forget a fact without an event; True if that changed anything. Raises `RoomNotFound`.

        Not for the fact "room", which `update_room` sets.
        """

    async def lease(self, name: str, seconds: float, fence: int = 0) -> int:
        """Become, or with the `fence` of before stay, the one process that holds `name` for so many seconds.

        -> the fence, which is a higher number for each new holder; or 0 if another process holds it.
        """
        return await lease(self, name, seconds, fence)

    async def open_streams(self, before: float, limit: int = 100) -> list[OpenStream]:
        """The messages that are being written, of which nothing was kept since `before` (Unix seconds); `limit` of them at most."""
        return await open_streams(self, before, limit)

    async def checkpoint(self, room: str, msg_id: str, text: str, fence: int) -> bool:
        """Keep what there is of a message that is being written; False if it is closed, or if another process writes it now.

        Raises `RoomNotFound`.
        """
        return await checkpoint(self, room, msg_id, text, fence)

    @abstractmethod
    async def unread(
        self, user: str, rooms: Collection[str], cap: int = 100, *,
        seen: Mapping[str, Sequence[tuple[int, int]]] = {}, blocked: Collection[str] = (),
    ) -> dict[str, Unread]:  # fmt: skip
        """What the user has not read in each of these rooms. Rooms that do not exist are left out.

        `seen`: the numbers that the user may see in a room, as ascending ranges (first, last); all, for rooms that are not there.
        `blocked`: ids of users whose messages are not counted as mentions.
        The cost does not depend on the length of a room.
        """

    async def about_each(self, room: str, keys: Collection[str]) -> dict[str, dict[str, Known]]:
        """`facts_about` of each of these keys. This default asks for each one; override it with one query."""
        return {key: await self.facts_about(room, key) for key in keys}

    async def rooms_about(self, rooms: Collection[str], key: str) -> dict[str, tuple[Room, dict[str, Known]]]:
        """Each of these rooms, with `facts_about` one key. Rooms that do not exist are left out.

        Read the room first, or both in one snapshot: who joins relies on sentence 52. A room that is not there takes as long as one that is. This default asks for each; override it with one query.
        """
        found: dict[str, RoomAbout] = {}
        for id in rooms:
            room, known = await self.room(id), await self.facts_about(id, key)
            if room is not None:
                found[id] = room, known
        return found

    @abstractmethod
    async def take(self, key: str, rate: float, burst: int) -> float:
        """Take one of the tokens that all processes share under this key: -> 0.0, or after how many seconds there is one.

        There are `burst` at first, and `rate` more a second, up to `burst`. For limits that are slow: each call asks the
        database. A key that was not used for burst / rate seconds takes no place.
        """

    @abstractmethod
    async def secret(self, name: str) -> str:
        """A random secret of at least 256 bits. The first call makes it; it is the same for every process."""
