"""Reading a room's past: statements that are built once, each of them one snapshot of head, floor and events."""

from typing import Any

from msgspec import Raw
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    false,
    func,
    literal,
    select,
    true,
)

from ...errors import RoomNotFound
from ...models import RESERVED, Event, Page, Sender
from ...support.clock import Clock
from ..base import HISTORY_MAX, RESERVED_HISTORY_MAX, Bounds
from .schema import Schema

__all__ = ["Past"]


class Past:
    """What can be read of rooms: only what is above their floor.

    The floor of a room is the highest of three: what its row says, `history_max` below its head, and the end of the
    events at its front that are too old. Appending therefore never trims; `Upkeep` removes rows later.
    """

    def __init__(self, schema: Schema, bounds: Bounds, clock: Clock) -> None:
        self._schema = schema
        self._clock = clock
        self._retention = bounds.retention
        self.history_max = HISTORY_MAX if bounds.history_max is None else bounds.history_max
        name = schema.room.c.name == bindparam("room", type_=schema.room.c.name.type)
        self._message = self._found(self.stand(name))
        ids = schema.room.c.id.in_(bindparam("ids", expanding=True))
        floors = self.stand(ids)
        self._floors = select(floors.c.id, floors.c.floor)
        self._pages = {
            (forwards, timeline): self._page(self.stand(name), forwards, timeline)
            for forwards in (True, False)
            for timeline in (True, False)
        }

    def stand(self, which: ColumnElement[bool]) -> CTE:
        """Where rooms stand: id, visibility, epoch, head, floor, and `noted`, the floor as their row says.

        Takes the parameter `oldest` where there is a retention.
        """
        room = self._schema.room.c
        kept = case((room.visibility == RESERVED, RESERVED_HISTORY_MAX), else_=literal(self.history_max))
        floor = _greatest(room.floor, room.head - kept)
        columns = (room.id, room.visibility, room.epoch, room.head, room.floor.label("noted"))
        stand = select(*columns, floor.label("floor")).where(which)
        return stand.cte("stand") if self._retention is None else self._unexpired(stand.cte("kept"))

    def _unexpired(self, kept: CTE) -> CTE:
        # From the front only: what is left has no hole, even where clocks of several senders disagree.
        event = self._schema.event.c
        first = (
            select(event.seq - 1)
            .where(
                event.room_id == kept.c.id, event.seq > kept.c.floor, event.timestamp >= bindparam("oldest")
            )
            .order_by(event.seq)
            .limit(1)
            .correlate(kept)
            .scalar_subquery()
        )
        floor = func.coalesce(first, kept.c.head)
        others = [column for column in kept.c if column.name != "floor"]
        return select(*others, floor.label("floor")).cte("stand")

    def _page(self, stand: CTE, forwards: bool, timeline: bool) -> Select[Any]:
        event = self._schema.event.c
        at: ColumnElement[int] = bindparam("at")
        floor = select(stand.c.floor).scalar_subquery()
        events = select(self._schema.event).where(event.room_id == select(stand.c.id).scalar_subquery())
        if forwards:
            # One bound, so that an index search begins where the page does.
            events = events.where(event.seq > select(_greatest(stand.c.floor, at)).scalar_subquery())
        else:
            events = events.where(event.seq > floor, event.seq < at)
        if timeline:
            events = events.where(event.folded == false())
        order = event.seq if forwards else event.seq.desc()
        page = events.order_by(order).limit(bindparam("limit")).subquery("page")
        columns = (stand.c.epoch, stand.c.head, stand.c.floor)
        return select(*columns, page).select_from(stand.outerjoin(page, true()))

    def _found(self, stand: CTE) -> Select[Any]:
        # Whether it is above the floor is asked of what was found: asked of the database, it would be a walk to it.
        event = self._schema.event
        found = (event.c.room_id == stand.c.id) & (event.c.msg_id == bindparam("msg_id"))
        return select(stand.c.floor, event).select_from(stand.outerjoin(event, found))

    def oldest(self) -> float | None:
        """The time of the oldest event that is not too old; None: none ever is."""
        return None if self._retention is None else self._clock() - self._retention

    def parameters(self) -> dict[str, float]:
        """The parameters that `stand` takes."""
        oldest = self.oldest()
        return {} if oldest is None else {"oldest": oldest}

    def history(
        self,
        connection: Connection,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        timeline: bool = False,
    ) -> Page:
        """See `Store.history`. Costs the same wherever the page lies and however long the room is."""
        if (after is None) == (before is None):
            raise ValueError("history: give exactly one of after and before")
        forwards = after is not None
        at = after if forwards else before
        given = {"room": room, "at": at, "limit": limit + 1, **self.parameters()}
        rows = connection.execute(self._pages[forwards, timeline], given).all()
        if not rows:
            raise RoomNotFound
        epoch, head, floor = rows[0][:3]
        events = [] if rows[0].seq is None else [_event(room, row) for row in rows]
        if not forwards:
            events.reverse()
        more = len(events) > limit
        return Page(_cut(events, limit, forwards), more, epoch, head, floor)

    def message(self, connection: Connection, room: str, msg_id: str) -> Event | None:
        """See `Store.message`."""
        given = {"room": room, "msg_id": msg_id, **self.parameters()}
        row = connection.execute(self._message, given).first()
        if row is None:
            raise RoomNotFound
        return None if row.seq is None or row.seq <= row.floor else _event(room, row)

    def floors(self, connection: Connection, ids: list[int]) -> dict[int, int]:
        """The floors of rooms, by their numbers in the database."""
        rows = connection.execute(self._floors, {"ids": ids, **self.parameters()})
        return {row.id: row.floor for row in rows}


def _greatest(one: ColumnElement[int], other: ColumnElement[Any]) -> ColumnElement[int]:
    # Written out: SQLite calls it max, PostgreSQL greatest.
    return case((one > other, one), else_=other)


def _cut(events: list[Event], limit: int, forwards: bool) -> list[Event]:
    if len(events) <= limit:
        return events
    return events[:limit] if forwards else events[1:]


def _event(room: str, row: Row[Any]) -> Event:
    return Event(
        row.msg_id,
        row.timestamp,
        row.type,
        Raw(row.payload),
        room,
        row.seq,
        None if row.sender_id is None else Sender(row.sender_id, row.sender_name),
        row.key_id if row.key_user else None,  # "": the key is ours, not a client's
        edited=row.edited,
        deleted=row.deleted,
        changed=row.changed,
    )
