"""Reading a room's past: statements that are built when they are first needed, each of them one snapshot of head, floor and events."""

import enum
from collections.abc import Collection
from functools import cached_property
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
from ...models import RESERVED, Event, Page, Related, Sender
from ...support.clock import Clock
from ...support.paging import decode_number, encode_cursor
from ..base import HISTORY_MAX, RESERVED_HISTORY_MAX, Bounds, Holding, TogglePage
from .related import related_columns, related_of
from .schema import Schema

__all__ = ["Past", "greatest"]


class _View(enum.Enum):
    """What a page shows of a room."""

    LOG = enum.auto()
    TIMELINE = enum.auto()
    WITHOUT_REPLIES = enum.auto()
    THREAD = enum.auto()


class Past:
    """What can be read of rooms: only what is above their floor.

    The floor of a room is the highest of three: what its row says, `history_max` below its head, and the end of the
    events at its front that are too old. Appending therefore never trims; `Upkeep` removes rows later.
    """

    def __init__(self, schema: Schema, bounds: Bounds, clock: Clock) -> None:
        self._schema = schema
        self._shown = [schema.event.c[name] for name in _SHOWN]
        self._clock = clock
        self._retention = bounds.retention
        self.history_max = HISTORY_MAX if bounds.history_max is None else bounds.history_max
        self._pages: dict[tuple[bool, _View], Select[Any]] = {}

    def stand(self, which: ColumnElement[bool]) -> CTE:
        """Where rooms stand: id, name, visibility, epoch, head, floor, and `noted`, the floor as their row says.

        Takes the parameter `oldest` where there is a retention.
        """
        room = self._schema.room.c
        floor = greatest(room.floor, room.head - self._kept(room.visibility))
        columns = (room.id, room.name, room.visibility, room.epoch, room.head, room.floor.label("noted"))
        stand = select(*columns, floor.label("floor")).where(which)
        return stand.cte("stand") if self._retention is None else self._unexpired(stand.cte("kept"))

    def _kept(self, visibility: ColumnElement[str]) -> ColumnElement[int]:
        return case((visibility == RESERVED, RESERVED_HISTORY_MAX), else_=literal(self.history_max))

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

    def _named(self) -> CTE:
        """Where the room with the name `room` stands."""
        name = self._schema.room.c.name
        return self.stand(name == bindparam("room", type_=name.type))

    # Several threads may build one at a time: they build the same.
    def _page(self, forwards: bool, view: "_View") -> Select[Any]:
        if (page := self._pages.get((forwards, view))) is None:
            page = self._pages[forwards, view] = self._make_page(forwards, view)
        return page

    def _make_page(self, forwards: bool, view: "_View") -> Select[Any]:
        stand, event = self._named(), self._schema.event.c
        at: ColumnElement[int] = bindparam("at")
        floor = select(stand.c.floor).scalar_subquery()
        events = select(*self._shown, event.related).where(
            event.room_id == select(stand.c.id).scalar_subquery()
        )
        if forwards:
            # One bound, so that an index search begins where the page does.
            events = events.where(event.seq > select(greatest(stand.c.floor, at)).scalar_subquery())
        else:
            events = events.where(event.seq > floor, event.seq < at)
        if view in (_View.TIMELINE, _View.WITHOUT_REPLIES):
            events = events.where(event.folded == false())
        if view is _View.WITHOUT_REPLIES:
            events = events.where(event.parent.is_(None))
        if view is _View.THREAD:
            events = events.where(event.parent == bindparam("parent", type_=event.parent.type))
        order = event.seq if forwards else event.seq.desc()
        page = events.order_by(order).limit(bindparam("limit")).subquery("page")
        columns = (stand.c.epoch, stand.c.head, stand.c.floor, *(page.c[name] for name in _SHOWN))
        related = related_columns(self._schema, stand, page)
        return select(*columns, *related).select_from(stand.outerjoin(page, true()))

    @cached_property
    def _message(self) -> Select[Any]:
        # Whether it is above the floor is asked of what was found: asked of the database, it would be a walk to it.
        stand, event = self._named(), self._schema.event
        found = (event.c.room_id == stand.c.id) & (event.c.msg_id == bindparam("msg_id"))
        return select(stand.c.floor, *self._shown).select_from(stand.outerjoin(event, found))

    def _numbered(self, stand: CTE) -> Select[Any]:
        event = self._schema.event
        those = event.c.seq.in_(bindparam("seqs", expanding=True)) & (event.c.seq > stand.c.floor)
        found = (event.c.room_id == stand.c.id) & those
        return select(*self._shown, event.c.related).select_from(stand.outerjoin(event, found))

    @cached_property
    def _events(self) -> Select[Any]:
        return self._numbered(self._named())

    @cached_property
    def _related(self) -> Select[Any]:
        stand = self._named()
        page = self._numbered(stand).subquery("page")
        related = related_columns(self._schema, stand, page)
        return select(page.c.seq, *related).select_from(stand.join(page, true()))

    @cached_property
    def _room(self) -> Select[Any]:
        room = self._named()
        return select(room.c.id, room.c.floor)

    @cached_property
    def _floors(self) -> Select[Any]:
        room = self.stand(self._schema.room.c.id.in_(bindparam("ids", expanding=True)))
        return select(room.c.id, room.c.floor, self._kept(room.c.visibility).label("keep"))

    def now(self) -> float:
        """The store's time."""
        return self._clock()

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
        replies: bool = True,
        parent: int | None = None,
        reader: str | None = None,
    ) -> Page:
        """See `Store.history`. Costs the same wherever the page lies and however long the room is."""
        if (after is None) == (before is None):
            raise ValueError("history: give exactly one of after and before")
        forwards = after is not None
        at = after if forwards else before
        view = _view(timeline, replies, parent)
        given = {"room": room, "at": at, "limit": limit + 1, "reader": reader, **self.parameters()}
        if view is _View.THREAD:
            given["parent"] = parent
        rows = connection.execute(self._page(forwards, view), given).all()
        if not rows:
            raise RoomNotFound
        epoch, head, floor, first = rows[0][:4]
        more = len(rows) > limit
        shown = [] if first is None else list(rows[:limit])
        if not forwards:
            shown.reverse()
        events = [_event(room, row[3:-2]) for row in shown]
        return Page(events, more, epoch, head, floor, related_of((row[3], *row[-2:]) for row in shown))

    def message(self, connection: Connection, room: str, msg_id: str) -> Event | None:
        """See `Store.message`."""
        given = {"room": room, "msg_id": msg_id, **self.parameters()}
        row = connection.execute(self._message, given).first()
        if row is None:
            raise RoomNotFound
        return None if row.seq is None or row.seq <= row.floor else _event(room, row[1:])

    def events(self, connection: Connection, room: str, seqs: Collection[int]) -> dict[int, Event]:
        """See `Store.events`."""
        given = {"room": room, "seqs": list(seqs), **self.parameters()}
        rows = connection.execute(self._events, given).all()
        if not rows:
            raise RoomNotFound
        return {row[0]: _event(room, row[:-1]) for row in rows if row[0] is not None}

    def related(
        self, connection: Connection, room: str, seqs: Collection[int], *, reader: str | None = None
    ) -> dict[int, Related]:
        """See `Store.related`."""
        given = {"room": room, "seqs": list(seqs), "reader": reader, **self.parameters()}
        rows = connection.execute(self._related, given).all()
        if not rows:
            raise RoomNotFound
        return related_of(map(tuple, rows))

    def toggles(
        self,
        connection: Connection,
        room: str,
        *,
        key: str | None = None,
        target: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> TogglePage:
        """See `Store.toggles`."""
        if key is None and target is None:
            raise ValueError("toggles: give a key, a target, or both")
        relation = self._schema.relation
        id, floor = self._place(connection, room)
        if target is not None and target <= floor:
            return TogglePage([], 0)
        these = relation.c.room_id == id
        these &= relation.c.owner != "" if key is None else relation.c.key == key
        # A sum, so that no index is searched for what is above the floor: nearly all is.
        these &= relation.c.target + 0 > floor if target is None else relation.c.target == target
        # The same, so that those at one message are sorted, not searched for among all in their order.
        order = relation.c.seq if target is None else relation.c.seq + 0
        wanted = select(relation).where(these).order_by(order.desc()).limit(limit + 1)
        if cursor is not None:
            wanted = wanted.where(relation.c.seq < decode_number("toggles", cursor))
        rows = [_holding(row) for row in connection.execute(wanted)]
        total = connection.scalar(select(func.count()).select_from(relation).where(these)) or 0
        following = encode_cursor("toggles", str(rows[limit - 1].seq)) if len(rows) > limit else None
        return TogglePage(rows[:limit], total, following)

    def _place(self, connection: Connection, room: str) -> tuple[int, int]:
        """The number that a room has in the database, and its floor."""
        row = connection.execute(self._room, {"room": room, **self.parameters()}).first()
        if row is None:
            raise RoomNotFound
        return row.id, row.floor

    def floors(self, connection: Connection, ids: list[int]) -> dict[int, tuple[int, int]]:
        """The floors of rooms, by their numbers in the database, and how many events are kept of each at most."""
        rows = connection.execute(self._floors, {"ids": ids, **self.parameters()})
        return {row.id: (row.floor, row.keep) for row in rows}


def greatest(one: ColumnElement[int], other: ColumnElement[Any]) -> ColumnElement[int]:
    """The higher one. Written out: SQLite calls it max, PostgreSQL greatest."""
    return case((one > other, one), else_=other)


def _view(timeline: bool, replies: bool, parent: int | None) -> _View:
    if parent is not None:
        return _View.THREAD
    if not timeline:
        return _View.LOG
    return _View.TIMELINE if replies else _View.WITHOUT_REPLIES


def _holding(row: Row[Any]) -> Holding:
    return Holding(row.target, row.key, row.owner, row.seq, row.timestamp, _sender(row))


def _sender(row: Row[Any]) -> Sender | None:
    return None if row.sender_id is None else Sender(row.sender_id, row.sender_name)


_SHOWN = (
    "seq", "msg_id", "timestamp", "type", "payload", "sender_id", "sender_name", "key_user", "key_id",
    "edited", "deleted", "changed",
)  # fmt: skip
"""The columns of which an event is made, in the order in which `_event` takes them."""


# Once per event of a page: by place, since names cost half as much again.
def _event(room: str, row: tuple[Any, ...]) -> Event:
    seq, msg_id, timestamp, type, payload, sender_id, name, key_user, key_id, edited, deleted, changed = row
    sender = None if sender_id is None else Sender(sender_id, name)
    key = key_id if key_user else None  # "": the key is ours, not a client's
    return Event(
        msg_id, timestamp, type, Raw(payload), room, seq, sender, key, None, edited, deleted, changed
    )
