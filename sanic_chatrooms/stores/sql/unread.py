"""What is unread in SQL: one statement for a page of rooms, whose cost does not depend on how long they are."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ...drivers.sql.prepared import Prepared
from ...drivers.sql.tables import in_steps
from ...models import Known
from ..members import MEMBER
from ..pages import Unread
from ..unread import (
    EVERYONE,
    GROUP,
    LAST,
    LOOKED_AT,
    MOST_MENTIONS,
    NONE,
    PREFS,
    READ,
    Ranges,
    joined,
    name_of,
)
from .facts import ROOMS_AT_ONCE
from .history import Past, greatest
from .schema import Schema

__all__ = ["Unreads"]

NAMES = 3
"""Names by which a user is mentioned: that many rows of one message at most."""
FEW = 10
"""Mentions of anybody that are looked at one by one, before there is a search for each name."""


class _Number(FunctionElement[int]):
    """The integer that a fact has as its value."""

    inherit_cache = True
    type = BigInteger()


class _Pair(FunctionElement[Any]):
    """Two numbers in one column."""

    inherit_cache = True


class _Role(FunctionElement[str]):
    """The role in the value of a fact about a member."""

    inherit_cache = True
    type = Text()


@compiles(_Number)
def _number(element: _Number, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    if compiler.dialect.name == "postgresql":
        return f"convert_from({value}, 'UTF8')::bigint"
    return f"CAST({value} AS INTEGER)"


@compiles(_Pair)
def _pair(element: _Pair, compiler: SQLCompiler, **kw: Any) -> str:
    values = compiler.process(element.clauses, **kw)
    return f"ARRAY[{values}]" if compiler.dialect.name == "postgresql" else f"json_array({values})"


@compiles(_Role)
def _role(element: _Role, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    if compiler.dialect.name == "postgresql":
        return f"(convert_from({value}, 'UTF8')::json ->> 'role')"
    return f"json_extract(CAST({value} AS TEXT), '$.role')"


class Unreads:
    """What users have not read. Every method is one step of a transaction that somebody else began."""

    def __init__(self, schema: Schema, past: Past, counted: tuple[str, ...], *, postgresql: bool) -> None:
        self._schema = schema
        self._past = past
        self._counted = counted
        self._postgresql = postgresql

    @cached_property
    def _statement(self) -> Prepared:
        return self._make(blocks=False)

    @cached_property
    def _with_blocks(self) -> Prepared:
        return self._make(blocks=True)

    def unread(
        self,
        connection: Connection,
        user: str,
        rooms: Collection[str],
        cap: int = 100,
        *,
        seen: Mapping[str, Ranges] = {},
        blocked: Collection[str] = (),
    ) -> dict[str, Unread]:
        """See `Store.unread`. One statement, and one more for each range of numbers in `seen`."""
        found, count = dict[str, Unread](), partial(self._count, connection, user, blocked)
        for some in in_steps([room for room in rooms if room not in seen], ROOMS_AT_ONCE):
            found |= count(some, cap, 1, LAST)
        for room in rooms:
            if room in seen:
                parts = [count([room], cap, *one).get(room) for one in seen[room] or NONE]
                if there := [part for part in parts if part is not None]:
                    found[room] = joined(there, cap)
        return found

    def _count(
        self, connection: Connection, user: str, blocked: Collection[str], rooms: list[str], cap: int, low: int, high: int
    ) -> dict[str, Unread]:  # fmt: skip
        given: dict[str, Any] = {
            "names": self._values(rooms),
            "user": user,
            "self": name_of(user),
            "most": cap + 1,
            "low": low - 1,
            "high": high,
            **self._past.parameters(),
        }
        if blocked:
            given["blocked"] = self._values(blocked)
        statement = self._with_blocks if blocked else self._statement
        return {row[0]: _unread(row, user, cap, high) for row in statement.rows(connection, given)}

    def _make(self, *, blocks: bool) -> Prepared:
        """The statement; with `blocks` it passes over mentions by some users."""
        mine = self._mine(self._past.stand(self._is_in(self._schema.room.c.name, "names")))
        columns = [mine.c[name] for name in _KNOWN]
        some = mine.c.start < mine.c.head  # most rooms are read to their end
        asked = [
            case((some, self._unread(mine))).label("unread"),
            case((some, self._mentions(mine, blocks))).label("mentions"),
            self._last(mine).label("last"),
        ]
        return Prepared(select(*columns, *asked))

    def _mine(self, stand: CTE) -> CTE:
        """Of each room: what is known of the user, and `start`, the number behind which counting begins; NULL for who is no member."""
        tables, (member, seq, since, read, prefs) = self._facts(stand)
        facts = select(
            *(stand.c[name] for name in ("id", "name", "head", "floor")),
            member.label("member"),
            seq.label("member_seq"),
            since.label("since"),
            func.coalesce(_Number(read), since).label("marker"),
            prefs.label("prefs"),
        )
        known = _computed(facts.select_from(tables).cte("known"))
        low: ColumnElement[int] = bindparam("low", type_=BigInteger())
        start = case((known.c.since.is_not(None), greatest(greatest(known.c.marker, known.c.floor), low)))
        return _computed(select(*known.c, start.label("start")).cte("asked"))

    def _end(self, mine: CTE) -> ColumnElement[int]:
        """The last number that is looked at; see `_unread`."""
        high: ColumnElement[int] = bindparam("high", type_=BigInteger())
        return _least(high, mine.c.start + LOOKED_AT)

    def _facts(self, stand: CTE) -> tuple[FromClause, Sequence[ColumnElement[Any]]]:
        """Rooms with the user's facts in them, and what these say: value, number and since of the membership, marker, preferences."""
        if self._postgresql:
            return self._looked_up(stand)
        member, read, prefs = (self._schema.fact.alias() for _ in range(3))
        tables: FromClause = stand
        for kind, fact in ((MEMBER, member), (READ, read), (PREFS, prefs)):
            tables = tables.outerjoin(fact, self._about(fact, stand) & (fact.c.kind == kind))
        return tables, (member.c.value, member.c.seq, member.c.since, read.c.value, prefs.c.value)

    def _looked_up(self, stand: CTE) -> tuple[FromClause, Sequence[ColumnElement[Any]]]:
        """The same by one look for each room. Without statistics, PostgreSQL would read the user's facts in all rooms, and join those."""
        fact = self._schema.fact.alias()
        value, member = func.array_agg(fact.c.value), fact.c.kind == MEMBER
        columns = (
            value.filter(member)[1],
            func.max(fact.c.seq).filter(member),
            func.max(fact.c.since).filter(member),
            value.filter(fact.c.kind == READ)[1],
            value.filter(fact.c.kind == PREFS)[1],
        )
        these = self._about(fact, stand) & fact.c.kind.in_([literal(kind) for kind in (MEMBER, READ, PREFS)])
        found = select(*(column.label(f"c{n}") for n, column in enumerate(columns))).where(these).lateral()
        return stand.join(found, true()), list(found.c)

    def _about(self, fact: FromClause, stand: CTE) -> ColumnElement[bool]:
        return (fact.c.room_id == stand.c.id) & (fact.c.key == bindparam("user", type_=Text()))

    def _unread(self, mine: CTE) -> ColumnElement[Any]:
        event = self._schema.event.c
        of_others = event.sender_id.is_distinct_from(bindparam("user", type_=Text()))
        found = (
            select(event.seq)
            .where(event.room_id == mine.c.id, event.seq > mine.c.start, event.seq <= self._end(mine))
            .where(*self._counts(of_others))
            .order_by(event.seq)
            .limit(bindparam("most"))
            .correlate(mine)
            .subquery("found")
        )
        return select(_Pair(func.count(), func.min(found.c.seq))).select_from(found).scalar_subquery()

    def _mentions(self, mine: CTE, blocks: bool) -> ColumnElement[Any]:
        """Most rooms have few mentions above the marker, and none of a group: one look tells that, and who is mentioned."""
        mention = self._schema.mention.c
        of_group = and_(mention.name >= GROUP, mention.name < chr(ord(GROUP) + 1))
        of_user = and_(mention.name == bindparam("self", type_=Text()), *self._of_others(blocks))
        few = (
            select(_one_if(of_group).label("of_group"), _one_if(of_user).label("of_user"))
            .where(mention.room_id == mine.c.id)
            .where(mention.seq > mine.c.start, mention.seq <= self._end(mine))
            .order_by(mention.seq)
            .limit(FEW + 1)
            .correlate(mine)
            .subquery("few")
        )
        more = or_(func.count() > FEW, func.max(few.c.of_group) > 0)
        counted = case((more, self._of_each_name(mine, blocks)), else_=func.sum(few.c.of_user))
        return select(counted).select_from(few).scalar_subquery()

    def _of_each_name(self, mine: CTE, blocks: bool) -> ColumnElement[Any]:
        """How many messages mention the user, or a group of theirs: by a search for each name."""
        mention = self._schema.mention.c
        found = select(mention.seq).where(mention.room_id == mine.c.id, *self._of_others(blocks))
        if self._postgresql:
            return self._each_name(mine, found)
        name, groups = bindparam("self", type_=Text()), (literal(EVERYONE), self._role(mine))
        of_groups = and_(
            mention.name.in_(groups),  # they mention those who belonged to them then
            mention.seq > mine.c.since,
            or_(mention.name == EVERYONE, mention.seq > mine.c.member_seq),
        )
        named = (
            found.where(mention.name.in_((name, *groups)), or_(mention.name == name, of_groups))
            .where(mention.seq > mine.c.start, mention.seq <= self._end(mine))
            .limit(NAMES * MOST_MENTIONS)
            .correlate(mine)
            .subquery("named")
        )
        return select(func.count(named.c.seq.distinct())).scalar_subquery()

    def _each_name(self, mine: CTE, found: Select[Any]) -> ColumnElement[Any]:
        """The same on PostgreSQL, which would look for all of them at once by walking through the mentions of everybody."""
        mention = self._schema.mention.c
        start, of_room = mine.c.start, greatest(mine.c.start, mine.c.since)
        names = array([bindparam("self", type_=Text()), literal(EVERYONE), self._role(mine)])
        above = array([start, of_room, greatest(of_room, mine.c.member_seq)])
        each = func.unnest(names, above).table_valued("name", "above").render_derived(name="each")
        row = tuple_(mention.name, mention.seq)
        named = (
            found.where(row > tuple_(each.c.name, each.c.above), row <= tuple_(each.c.name, self._end(mine)))
            .limit(MOST_MENTIONS)
            .correlate(mine, each)
            .lateral("named")
        )
        count = select(func.count(named.c.seq.distinct())).select_from(each.join(named, true()))
        return count.correlate(mine).scalar_subquery()

    def _role(self, mine: CTE) -> ColumnElement[str]:
        return literal(GROUP) + _Role(mine.c.member)

    def _of_others(self, blocks: bool) -> tuple[ColumnElement[bool], ...]:
        sender = self._schema.mention.c.sender_id
        others = sender.is_distinct_from(bindparam("user", type_=Text()))
        return (others, self._by_others()) if blocks else (others,)

    def _by_others(self) -> ColumnElement[bool]:
        sender = self._schema.mention.c.sender_id
        return or_(sender.is_(None), not_(self._is_in(sender, "blocked")))

    def _is_in(self, column: ColumnElement[str], names: str) -> ColumnElement[bool]:
        """Whether a column is one of several. All are one parameter: with one for each of them, PostgreSQL would plan the statement anew
        every time, which takes longer than to carry it out."""
        if self._postgresql:
            return column == any_(bindparam(names, type_=ARRAY(Text())))
        return column.in_(
            select(func.json_each(bindparam(names, type_=Text())).table_valued("value").c.value)
        )

    def _values(self, values: Collection[str]) -> list[str] | str:
        """The parameter for `_is_in`."""
        return list(values) if self._postgresql else msgspec.json.encode(list(values)).decode()

    def _last(self, mine: CTE) -> ColumnElement[Any]:
        event = self._schema.event.c
        oldest = greatest(mine.c.floor, mine.c.head - LOOKED_AT)
        found = (
            select(_Pair(event.seq, event.timestamp))
            .where(event.room_id == mine.c.id, event.seq > oldest, *self._counts(true()))
            .order_by(event.seq.desc())
            .limit(1)
        )
        return found.correlate(mine).scalar_subquery()

    def _counts(self, of: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
        event = self._schema.event.c
        type = event.type.in_([literal(type) for type in self._counted])
        if not self._postgresql:
            return event.folded == false(), type, event.deleted == false(), of
        # PostgreSQL 18 would search `event_line` by type too, skipping from sender to sender, and thinks that so dear that it reads rows instead.
        return event.folded == false(), case((event.deleted, false()), (type, of), else_=false())


def _computed(of: CTE) -> CTE:
    """The same, computed once: databases would else write its columns out wherever they are used, and compute them for each event."""
    return of.prefix_with("MATERIALIZED")


def _least(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one < other, one), else_=other)


def _one_if(what: ColumnElement[bool]) -> ColumnElement[int]:
    return case((what, literal_column("1")), else_=literal_column("0"))


_KNOWN = ("name", "head", "member", "member_seq", "since", "marker", "prefs", "start")


def _unread(row: Sequence[Any], user: str, cap: int, high: int) -> Unread:
    name, head, value, seq, since, marker, prefs, start, unread, mentions, newest = row
    last = None if newest is None else _read_newest(newest)
    if since is None:
        return Unread(last=last)
    count, first = (0, None) if unread is None else _read_pair(unread)
    more = count > cap or min(high, head) > start + LOOKED_AT
    member = Known(MEMBER, user, value, seq, since, name)
    return Unread(
        member, marker, min(count, cap), more, first, min(mentions or 0, MOST_MENTIONS), prefs, last
    )


def _read_newest(pair: Any) -> tuple[int, float]:
    seq, at = _read_pair(pair)
    return int(seq), at  # in a pair with a time, PostgreSQL makes it one


def _read_pair(pair: Any) -> tuple[Any, Any]:
    one, other = pair if isinstance(pair, list) else _decode(pair)
    return one, other


_decode = msgspec.json.Decoder(tuple[Any, Any]).decode
