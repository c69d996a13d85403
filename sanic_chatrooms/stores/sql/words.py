"""The index of words: a row for each message, with the keys of its words. It is made behind the log, some messages at a time.

A batch is read and hashed first, and then written in a short transaction together with where the index stands. That transaction
stores nothing if another process has indexed the same meanwhile, and leaves for later what was edited since it was read.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, bindparam, func, or_, select, text

from ...drivers.sql.tables import insert
from ...models import RESERVED
from ...support.clock import Clock
from ...support.words import Text
from ..members import MEMBER
from .append_postgres import words_key
from .history import Past
from .keys import Keys, room_key
from .schema import DELETED, Schema

__all__ = ["BITS", "Batch", "Words"]

BITS = 16
"""The low bits of an id; those above are the second in which the message was sent. 65,536 messages a second have room."""
LATEST = 2**32 - 1
"""The last second that an id can tell."""
ROOMS = 2_000
"""Rooms that are looked at in one turn."""
AT_ONCE = 200
"""Rooms that are indexed in one turn."""
LONG = 32_768
"""Characters of text after which a batch ends."""
CLEARED = 200
"""Rows with keys of a former kind that leave the index at a time."""
LEASE = 10.0
"""Seconds for which one process indexes. Others take over when it does not renew that."""


class _Body(msgspec.Struct):
    text: Any = ""


_body = msgspec.json.Decoder(_Body)


class _Row(NamedTuple):
    seq: int
    timestamp: float


class _Again(NamedTuple):
    id: int
    seq: int


class Batch(NamedTuple):
    """Messages of one room that are to be indexed, as they were read."""

    room: int
    begin: int
    """Where the index stands: after this number."""
    end: int
    last: int
    head: int
    """The room's number before they were read."""
    rows: list[_Row]
    again: list[_Again]
    """Messages that are in the index and were edited."""
    said: dict[int, str]
    """The texts of all of them, by number; without those that are gone."""

    def words(self) -> set[str]:
        """The words of all texts."""
        return set[str]().union(*(Text(text).words for text in self.said.values()))

    @property
    def size(self) -> int:
        """Roughly how much there is to do."""
        return self.end - self.begin + len(self.again)


class Words:
    """The index of one instance. Every method is a step of a transaction that somebody else began."""

    def __init__(self, schema: Schema, past: Past, clock: Clock, process: str) -> None:
        self._schema = schema
        self._past = past
        self._clock = clock
        self._process = process
        self.keys: Keys
        self.kind: str
        """How keys are made. All in the index are of one kind. Both are set when the database is open."""
        word = f'"{schema.word.name}"'
        highest = f"(SELECT max(w.id) FROM {word} w WHERE w.id >= s.value << {BITS} AND w.id < (s.value + 1) << {BITS})"
        self._highest = {
            "sqlite": text(f"SELECT s.value, {highest} FROM json_each(:seconds) AS s"),
            "postgresql": text(
                f"SELECT s.value, {highest} FROM unnest(CAST(:seconds AS bigint[])) AS s(value)"
            ),
        }

    # ---- keys of a former kind ----

    def start_anew(self, connection: Connection) -> None:
        """If keys were made in another way: no room is indexed any more. Its rows leave when it is indexed again: there may be
        millions, and a start has a time limit."""
        meta = self._schema.meta
        made = self._made(connection)
        if made == self.kind:
            return
        if made is not None:
            if connection.dialect.name == "postgresql":  # nobody is storing keys of the former kind now
                connection.execute(select(func.pg_advisory_xact_lock(words_key(self._schema.prefix), 0)))
            connection.execute(self._schema.indexed.delete())
        connection.execute(meta.delete().where(meta.c.name == "words"))
        connection.execute(meta.insert().values(name="words", value=self.kind))

    def _made(self, connection: Connection) -> str | None:
        meta = self._schema.meta.c
        return connection.scalar(select(meta.value).where(meta.name == "words"))

    def _clear(self, connection: Connection, room: int) -> bool:
        """Remove some rows of a room that is not indexed; True if there are more."""
        word = self._schema.word
        former = list(connection.scalars(select(word.c.id).where(word.c.room_id == room).limit(CLEARED)))
        if former:
            connection.execute(word.delete().where(word.c.id.in_(former)))
        return len(former) == CLEARED

    # ---- what is to be done ----

    def behind(self, connection: Connection, after: int) -> tuple[list[int], int]:
        """Some rooms, of those after this one, that are not indexed up to their head; -> and where the next turn begins."""
        room, word = self._schema.room.c, self._schema.word.c
        if self._holder(connection) not in (None, self._process):
            return [], after
        within = select(room.id).where(room.id > after).order_by(room.id)
        edge = connection.scalar(within.offset(ROOMS - 1).limit(1))
        waiting = self._waiting().where(room.id > after)
        if edge is not None:
            waiting = waiting.where(room.id <= edge)
        edited = select(word.room_id).where(word.due).distinct().limit(AT_ONCE)
        rooms = [*connection.scalars(waiting.limit(AT_ONCE)), *connection.scalars(edited)]
        return list(dict.fromkeys(rooms)), edge or 0

    def behind_of(self, connection: Connection, user: str | None, most: int) -> list[int]:
        """Some rooms of which this user is a member, likewise; None: of all."""
        if user is None:
            return list(connection.scalars(self._waiting().limit(most)))
        room, fact = self._schema.room.c, self._schema.fact.c
        theirs = (fact.room_id == room.id) & (fact.kind == MEMBER) & (fact.key == user)
        return list(connection.scalars(self._waiting().join(self._schema.fact, theirs).limit(most)))

    def _waiting(self) -> Any:
        room, indexed = self._schema.room, self._schema.indexed
        stands = select(room.c.id).outerjoin(indexed, indexed.c.room_id == room.c.id)
        alive = room.c.visibility.not_in((RESERVED, DELETED))
        return stands.where(alive, room.c.head > func.coalesce(indexed.c.seq, 0))

    def ids(self, connection: Connection, rooms: Collection[str]) -> list[int]:
        """The numbers of these rooms in the database."""
        room = self._schema.room.c
        return list(connection.scalars(select(room.id).where(room.name.in_(list(rooms)))))

    # ---- a batch ----

    def read(self, connection: Connection, room: int, most: int) -> Batch | None:
        """What is to be indexed next of a room; None: nothing."""
        stand = self._stand(connection, room)
        if stand is None:
            return None
        begin = stand.seq or 0
        floor, _ = self._past.floors(connection, [room])[room]
        event = self._schema.event.c
        columns = (event.seq, event.timestamp, event.type, event.deleted, event.payload)
        wanted = select(*columns).where(event.room_id == room, event.seq > max(begin, floor))
        events = connection.execute(wanted.order_by(event.seq).limit(most)).all()
        end = events[-1].seq if len(events) == most else max(stand.head, events[-1].seq if events else 0)
        edited = [] if stand.seq is None else self._edited(connection, room, most)  # else all is said anew
        if end == begin and not edited:
            return None
        said, length = dict[int, str](), 0
        for one in edited:
            if one.payload is not None:
                said[one.seq] = _text(one.payload)
        rows: list[_Row] = []
        for one in events:
            if length > LONG:
                end = one.seq - 1
                break
            if one.type == "message" and not one.deleted:
                said[one.seq] = text = _text(one.payload)
                length += len(text)
                rows.append(_Row(one.seq, one.timestamp))
        again = [_Again(one.id, one.seq) for one in edited]
        return Batch(room, begin, end, stand.last or 0, stand.head, rows, again, said)

    def _stand(self, connection: Connection, room: int) -> Any:
        table, indexed = self._schema.room, self._schema.indexed
        columns = (table.c.head, indexed.c.seq, indexed.c.last)
        stands = select(*columns).outerjoin_from(table, indexed, indexed.c.room_id == table.c.id)
        alive = table.c.visibility.not_in((RESERVED, DELETED))
        return connection.execute(stands.where(table.c.id == room, alive)).first()

    def _edited(self, connection: Connection, room: int, most: int) -> Sequence[Any]:
        word, event = self._schema.word, self._schema.event
        there = and_(event.c.room_id == word.c.room_id, event.c.seq == word.c.seq, ~event.c.deleted)
        wanted = select(word.c.id, word.c.seq, event.c.payload).outerjoin_from(word, event, there)
        return connection.execute(wanted.where(word.c.room_id == room, word.c.due).limit(most)).all()

    def terms(self, batch: Batch, stems: dict[str, str] | None) -> dict[int, str]:
        """What the index has of each message, by number. Takes a while, and no connection."""
        place = room_key(batch.room)
        return {seq: " ".join((place, *self.keys.of_text(text, stems))) for seq, text in batch.said.items()}

    def write(self, connection: Connection, batch: Batch, terms: dict[int, str]) -> bool:
        """Put a batch into the index; False if another process is at it, or has done it, or makes keys of another kind.

        Of a room that is not indexed, it first removes what there is: True, and nothing more, while some is left.
        """
        indexed, room = self._schema.indexed, batch.room
        if not self._hold(connection, room) or self._made(connection) != self.kind:
            return False
        stands = connection.execute(select(indexed.c.seq).where(indexed.c.room_id == room)).first()
        if (0 if stands is None else stands.seq) != batch.begin:
            return False
        self._renew(connection)
        if stands is None and self._clear(connection, room):
            return True
        changed = self._changed(connection, batch)
        last = self._insert(connection, batch, terms, changed)
        self._put_again(connection, batch, terms, changed)
        place = {"seq": batch.end, "last": last}
        new = insert(connection, indexed).values(room_id=room, **place)
        connection.execute(new.on_conflict_do_update(index_elements=["room_id"], set_=place))
        return True

    def _insert(self, connection: Connection, batch: Batch, terms: dict[int, str], changed: set[int]) -> int:
        if not batch.rows:
            return batch.last
        ids = self._new_ids(connection, batch)
        rows = [
            {
                "id": id,
                "room_id": batch.room,
                "seq": row.seq,
                "terms": "" if row.seq in changed else terms[row.seq],
                "due": row.seq in changed,
            }
            for id, row in zip(ids, batch.rows, strict=True)
        ]
        connection.execute(self._schema.word.insert(), rows)
        return ids[-1]

    def _put_again(
        self, connection: Connection, batch: Batch, terms: dict[int, str], changed: set[int]
    ) -> None:
        word = self._schema.word
        there = word.c.id == bindparam("of")
        gone = [{"of": one.id} for one in batch.again if one.seq not in terms]
        again = [
            {"of": one.id, "with": terms[one.seq]}
            for one in batch.again
            if one.seq in terms and one.seq not in changed
        ]
        if gone:
            connection.execute(word.delete().where(there), gone)
        if again:
            connection.execute(word.update().where(there).values(terms=bindparam("with"), due=False), again)

    def _changed(self, connection: Connection, batch: Batch) -> set[int]:
        """Which of these messages have changed, or are gone, since they were read."""
        event, seqs = (
            self._schema.event.c,
            [row.seq for row in batch.rows] + [row.seq for row in batch.again],
        )
        changed = select(event.seq).where(
            event.room_id == batch.room,
            event.seq.in_(seqs),
            or_(event.changed > batch.head, event.deleted),  # who was erased leaves no event
        )
        return set(connection.scalars(changed))

    def _new_ids(self, connection: Connection, batch: Batch) -> list[int]:
        """Ids that ascend, none of them taken."""
        seconds, second = [], batch.last >> BITS
        for row in batch.rows:
            second = max(second, min(max(int(row.timestamp), 0), LATEST))
            seconds.append(second)
        taken = self._taken(connection, sorted(set(seconds)))
        ids, last = list[int](), batch.last
        for second in seconds:
            second = max(second, last >> BITS)
            if second not in taken:
                taken |= self._taken(connection, [second])
            while (id := max(taken[second], second << BITS) + 1) >> BITS > second:  # a second that is full
                second += 1
                taken |= self._taken(connection, [second]) if second not in taken else {}
            taken[second] = last = id
            ids.append(id)
        return ids

    def _taken(self, connection: Connection, seconds: list[int]) -> dict[int, int]:
        sqlite = connection.dialect.name == "sqlite"
        asked = msgspec.json.encode(seconds).decode() if sqlite else seconds
        found = connection.execute(self._highest[connection.dialect.name], {"seconds": asked})
        return {second: highest or 0 for second, highest in found}

    # ---- one at a time ----

    def _hold(self, connection: Connection, room: int) -> bool:
        """Until the transaction ends nobody else indexes, and nobody deletes this room or edits a message in it. Messages
        may be sent. False if that is not possible now."""
        table = self._schema.room.c
        if connection.dialect.name == "postgresql":
            key = words_key(self._schema.prefix)
            for lock in (0, room % 2147483647):
                if not connection.scalar(select(func.pg_try_advisory_xact_lock(key, lock))):
                    return False
        alive = select(table.id).where(table.id == room, table.visibility.not_in((RESERVED, DELETED)))
        return connection.scalar(alive.with_for_update(read=True, key_share=True)) is not None

    def _holder(self, connection: Connection) -> str | None:
        """The process that indexes now; None: anyone may."""
        meta = self._schema.meta.c
        lease = connection.scalar(select(meta.value).where(meta.name == "indexer"))
        if lease is None:
            return None
        process, _, until = lease.partition(" ")
        return process if float(until) > self._clock() else None

    def _renew(self, connection: Connection) -> None:
        meta, now = self._schema.meta, self._clock()
        lease = connection.scalar(select(meta.c.value).where(meta.c.name == "indexer"))
        process, _, until = (lease or " 0").partition(" ")
        if process == self._process and float(until) > now + LEASE / 2:
            return
        value = f"{self._process} {now + LEASE:.3f}"
        new = insert(connection, meta).values(name="indexer", value=value)
        connection.execute(new.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def _text(payload: bytes) -> str:
    try:
        said = _body.decode(payload).text
    except msgspec.DecodeError:
        return ""
    return said if isinstance(said, str) else ""
