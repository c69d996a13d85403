"""What becomes of events that are gone: their rows are removed in small steps, between what is said meanwhile."""

import asyncio
import contextlib
import time

from sqlalchemy import Connection, or_, select, tuple_

from ...drivers.sql.database import Database
from ...errors import Unavailable
from ...models import RESERVED, USERS
from ...support.backoff import jittered
from ...support.clock import Clock
from ...support.tasks import end, keep_on
from ..base import Bounds
from .facts import sweep
from .history import Past
from .schema import DELETED, Schema

__all__ = ["Upkeep"]

AFTER_USERS = USERS[:-1] + chr(ord(USERS[-1]) + 1)
"""The first name behind those that begin with `USERS`."""

INTERVAL = 5.0
"""Seconds between two looks, about."""
ROOMS = 500
"""Rooms a look: of 100,000 each has its turn within 17 minutes."""
FORGET_EVERY = 3600.0
"""Seconds between two looks for users who have not been here for long."""
WEEK = 604_800.0
"""Seconds after which the messages in a user's inbox are forgotten: workers read them within seconds."""
ROWS = 500
"""Rows a transaction: a few milliseconds in which nobody else writes into that room, or into that file."""


class Upkeep:
    """Removes rows below the floor of their room, and of rooms that were deleted.

    A row holds the key by which a repetition is known: it stays for `dedup_window` even when its event is gone.
    Every process does this; two at once do no harm.
    """

    def __init__(self, database: Database, schema: Schema, past: Past, bounds: Bounds, clock: Clock) -> None:
        self._database = database
        self._schema = schema
        self._past = past
        self._window = bounds.dedup_window
        self._clock = clock
        self._after = 0
        self._forgot_at = -FORGET_EVERY
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, some seconds from now."""
        self._task = asyncio.ensure_future(keep_on(self._look_in_time, "removing old events"))

    async def stop(self) -> None:
        """End; what a thread or a server has begun, it finishes."""
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def _look_in_time(self) -> None:
        await asyncio.sleep(jittered(INTERVAL))
        with contextlib.suppress(Unavailable):  # other callers have told it already
            await self.look()

    async def look(self) -> None:
        """Remove what is due in the next rooms."""
        now, after = self._clock(), self._after
        rooms, due = await self._database.read(lambda c: self._due(c, now, after))
        self._after = rooms[-1] if len(rooms) == ROOMS else 0
        for room in due:
            await self._clear(now, room)
        if time.monotonic() - self._forgot_at >= FORGET_EVERY:
            await self.forget_users(now)
            self._forgot_at = time.monotonic()
        if await self._database.read(lambda c: self._has_passed(c, now)):
            await self._database.write(lambda c: self._sweep(c, now))
        await self._database.tidy(removed=bool(due))

    def _has_passed(self, connection: Connection, now: float) -> bool:
        """Is there a fact whose time has passed, or a bucket that is full?"""
        ends, full = self._schema.fact.c.until, self._schema.bucket.c.full_at
        found = select(ends).where(ends < now).limit(1), select(full).where(full < now).limit(1)
        return any(connection.execute(one).first() is not None for one in found)

    def _sweep(self, connection: Connection, now: float) -> None:
        sweep(connection, self._schema, now, ROWS)
        bucket = self._schema.bucket
        full = (
            select(bucket.c.key).where(bucket.c.full_at < now).limit(ROWS).with_for_update(skip_locked=True)
        )
        keys = list(connection.scalars(full))
        if keys:
            connection.execute(bucket.delete().where(bucket.c.key.in_(keys)))

    async def clear_deleted(self) -> None:
        """Remove at once what is left of all rooms that were deleted."""
        room = self._schema.room.c
        gone = select(room.id).where(room.visibility == DELETED)
        for id in await self._database.read(lambda c: list(c.scalars(gone))):
            await self._clear(self._clock(), id)

    async def forget_users(self, now: float) -> None:
        """Forget users' inboxes that got nothing for a week: a process that was killed left them."""
        while await self._database.write(lambda c: self._forget_users(c, now - WEEK)):
            pass

    def _forget_users(self, connection: Connection, before: float) -> bool:
        room, event = self._schema.room, self._schema.event.c
        newer = select(event.seq).where(event.room_id == room.c.id, event.timestamp >= before).exists()
        old = (
            select(room.c.id)
            .where(room.c.visibility == RESERVED, room.c.name >= USERS, room.c.name < AFTER_USERS)
            .where(room.c.created_at < before, ~newer)
        )
        gone = list(connection.scalars(old.limit(ROOMS)))
        if gone:
            connection.execute(room.update().where(room.c.id.in_(gone)).values(name=None, visibility=DELETED))
        return len(gone) == ROOMS

    async def _clear(self, now: float, room: int) -> None:
        more = True
        while more:
            more = await self._database.write(lambda c: self._remove(c, now, room))

    def _due(self, connection: Connection, now: float, after: int) -> tuple[list[int], list[int]]:
        """The next rooms, and those of them that need a step."""
        room, event = self._schema.room.c, self._schema.event.c
        ids = list(connection.scalars(select(room.id).where(room.id > after).order_by(room.id).limit(ROOMS)))
        stand = self._past.stand(room.id.in_(ids))
        oldest = select(event.timestamp).where(event.room_id == stand.c.id, event.seq <= stand.c.floor)
        word = self._schema.word.c
        left = select(word.seq).where(word.room_id == stand.c.id, word.seq <= stand.c.noted).exists()
        due = select(stand.c.id).where(
            or_(
                stand.c.visibility == DELETED,
                stand.c.floor >= stand.c.noted + ROWS,  # readers walk over what is between the two
                oldest.order_by(event.seq).limit(1).scalar_subquery() < now - self._window,
                left,  # somebody indexed it while it was trimmed
            )
        )
        return ids, list(connection.scalars(due, self._past.parameters()))

    def _remove(self, connection: Connection, now: float, id: int) -> bool:
        """Remove some rows of a room; True if there are more."""
        room = self._schema.room
        wanted = select(room.c.visibility).where(room.c.id == id)
        visibility = connection.scalar(wanted.with_for_update(key_share=True))
        if visibility is None:
            return False
        if visibility == DELETED:
            return self._remove_deleted(connection, id)
        floor, _ = self._past.floors(connection, [id])[id]
        connection.execute(room.update().where(room.c.id == id, room.c.floor < floor).values(floor=floor))
        event = self._schema.event.c
        oldest = (
            select(event.seq, event.timestamp)
            .where(event.room_id == id, event.seq <= floor)
            .order_by(event.seq)
        )
        if self._delete_beside(connection, id, floor):
            return True
        gone = [
            row.seq for row in connection.execute(oldest.limit(ROWS)) if row.timestamp < now - self._window
        ]
        return self._delete(connection, id, gone)

    def _remove_deleted(self, connection: Connection, id: int) -> bool:
        room, event = self._schema.room, self._schema.event.c
        some = select(event.seq).where(event.room_id == id).order_by(event.seq).limit(ROWS)
        if self._delete(connection, id, list(connection.scalars(some))):
            return True
        if self._delete_beside(connection, id, None):
            return True
        indexed = self._schema.indexed
        connection.execute(indexed.delete().where(indexed.c.room_id == id))
        connection.execute(room.delete().where(room.c.id == id))
        return False

    def _delete_beside(self, connection: Connection, id: int, floor: int | None) -> bool:
        """Remove some of what is known of messages up to `floor`, or of all; True if there is more."""
        steps = (self._delete_relations, self._delete_mentions, self._delete_words)
        return any(step(connection, id, floor) for step in steps)

    def _delete_relations(self, connection: Connection, id: int, floor: int | None) -> bool:
        """Remove some of what is on at messages up to `floor`, or at all; True if there is more."""
        relation = self._schema.relation
        c = relation.c
        row = tuple_(c.target, c.key, c.owner)
        some = select(c.target, c.key, c.owner).where(c.room_id == id)
        if floor is not None:
            some = some.where(c.target <= floor)
        gone = connection.execute(some.order_by(c.target).limit(ROWS)).all()
        if gone:
            these = row.in_([tuple(one) for one in gone])
            connection.execute(relation.delete().where(c.room_id == id, these))
        return len(gone) == ROWS

    def _delete_mentions(self, connection: Connection, id: int, floor: int | None) -> bool:
        """Remove some mentions of messages up to `floor`, or all; True if there are more."""
        mention = self._schema.mention
        some = select(mention.c.seq).where(mention.c.room_id == id)
        if floor is not None:
            some = some.where(mention.c.seq <= floor)
        gone = list(connection.scalars(some.order_by(mention.c.seq).limit(ROWS)))
        if gone:
            these = mention.c.seq.in_(set(gone))
            connection.execute(mention.delete().where(mention.c.room_id == id, these))
        return len(gone) == ROWS

    def _delete_words(self, connection: Connection, id: int, floor: int | None) -> bool:
        """Remove some messages up to `floor`, or all, from the index of words; True if there are more."""
        word = self._schema.word
        some = select(word.c.id).where(word.c.room_id == id)
        if floor is not None:
            some = some.where(word.c.seq <= floor)
        gone = list(connection.scalars(some.order_by(word.c.seq).limit(ROWS)))
        if gone:
            connection.execute(word.delete().where(word.c.id.in_(gone)))
        return len(gone) == ROWS

    def _delete(self, connection: Connection, id: int, seqs: list[int]) -> bool:
        event = self._schema.event
        if seqs:
            connection.execute(event.delete().where(event.c.room_id == id, event.c.seq.in_(seqs)))
        return len(seqs) == ROWS
