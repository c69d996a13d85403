"""The index of words on PostgreSQL: a tsvector for each message, and a GIN index.

GIN finds all messages with some keys, and cannot find the newest ones first. So words that are frequent are found by a walk from
the newest message back, and rare ones by the index. A walk is tried first; then the index, which tells rare from frequent.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, text

from ...errors import ConfigError
from ..members import MEMBER
from .finder import Asked, Finder, Found
from .keys import room_key
from .schema import Schema

__all__ = ["PostgresFinder"]

SHORT_WALK, LONG_WALK = 1_000, 20_000
"""Messages that are looked at from the newest one back."""
RARE = 2_000
"""Up to so many messages are sorted. Where more have the keys, walking is quicker."""


_INDEX = text("SELECT to_regclass(:name)")
_BY_BITMAP = text("SELECT set_config('enable_bitmapscan', :on, true)")
"""GIN can be read by a bitmap only. Walks must not be: they would collect and sort a whole room."""


class PostgresFinder(Finder):
    """See `Finder`."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        word, fact = f'"{schema.word.name}"', f'"{schema.fact.name}"'
        theirs = (
            f"(CAST(:user AS text) IS NULL OR EXISTS (SELECT FROM {fact} f WHERE f.room_id = w.room_id "
            f"AND f.kind = '{MEMBER}' AND f.key = :user))"
        )
        self._in_room = _Statements(word, "seq", "w.room_id = :room", "true")
        self._of_user = _Statements(word, "id", "true", theirs)
        self._of_rooms = _Statements(word, "id", "true", "w.room_id + 0 = ANY(CAST(:rooms AS bigint[]))")

    def prepare(self, connection: Connection) -> bool:
        """See `Finder.prepare`."""
        name = self._schema.name("word_terms")
        # Looked for first: who may not make it may still use it.
        if connection.scalar(_INDEX, {"name": f'"{name}"'}) is None:
            # Without the list of what is not sorted in yet, which each search would have to walk through.
            connection.exec_driver_sql(
                f'CREATE INDEX "{name}" ON "{self._schema.word.name}" USING gin (terms) WITH (fastupdate = off)'
            )
        return True

    def of_room(self, connection: Connection, room: int, asked: Asked) -> Found:
        """See `Finder.of_room`."""
        return self._in_room.run(connection, asked, [room], {"room": room}, by=2)

    def of_rooms(self, connection: Connection, rooms: Collection[int], asked: Asked) -> Found:
        """See `Finder.of_rooms`."""
        return self._of_rooms.run(connection, asked, rooms, {"rooms": list(rooms)}, by=0)

    def of_user(self, connection: Connection, user: str | None, asked: Asked) -> Found:
        """See `Finder.of_user`."""
        return self._of_user.run(connection, asked, (), {"user": user}, by=0)


class _Statements:
    """Three ways to the newest messages with some keys, in one order."""

    def __init__(self, word: str, order: str, walked: str, wanted: str) -> None:
        """`walked`: which messages a walk meets; `wanted`: which of those count."""
        between = f"w.{order} > :after AND w.{order} < :before"
        having = "w.terms @@ CAST(:keys AS tsquery)"
        walk = f"FROM {word} w WHERE {walked} AND {between} ORDER BY w.{order} DESC LIMIT :steps"
        # It stops when it has found enough, maybe long before its end.
        self._walk = text(
            f"SELECT w.id, w.room_id, w.seq FROM (SELECT * {walk}) AS w WHERE {having} AND {wanted} "
            f"ORDER BY w.{order} DESC LIMIT :limit"
        )
        self._end = text(f"SELECT min(w.at), count(*) FROM (SELECT w.{order} AS at {walk}) AS w")
        # Sums, so that no index but GIN is of use.
        apart = between.replace(f"w.{order}", f"w.{order} + 0")
        self._rare = text(
            f"SELECT w.id, w.room_id, w.seq FROM {word} w WHERE {having} AND {apart} AND {wanted} LIMIT :rare"
        )

    def run(
        self, connection: Connection, asked: Asked, rooms: Collection[int], given: dict[str, Any], *, by: int
    ) -> Found:
        """The newest of them; `by`: which column says where to look on."""
        given |= {
            "keys": _query(asked.keys, rooms),
            "after": asked.after,
            "before": asked.before,
        }
        found = self._walked(connection, asked, given, SHORT_WALK, by)
        if found.resume is None or len(found.rows) == asked.limit:
            return found
        if len(found.rows) * LONG_WALK >= asked.limit * SHORT_WALK:  # a longer one should find enough
            return self._walked(connection, asked, given, LONG_WALK, by)
        connection.execute(_BY_BITMAP, {"on": "on"})
        rows = [tuple(row) for row in connection.execute(self._rare, given | {"rare": RARE + 1})]
        connection.execute(_BY_BITMAP, {"on": "off"})
        if len(rows) > RARE:
            return self._walked(connection, asked, given, LONG_WALK, by)
        rows.sort(reverse=True)
        more = len(rows) > asked.limit
        return Found(rows[: asked.limit], rows[asked.limit - 1][by] if more else None)

    def _walked(
        self, connection: Connection, asked: Asked, given: dict[str, Any], steps: int, by: int
    ) -> Found:
        asked_for = given | {"steps": steps, "limit": asked.limit}
        rows = [tuple(row) for row in connection.execute(self._walk, asked_for)]
        if len(rows) == asked.limit:
            return Found(rows, rows[-1][by])
        low, met = connection.execute(self._end, asked_for).one()
        return Found(rows, low if met == steps else None)


def _query(keys: Collection[str], rooms: Collection[int]) -> str:
    within = [f"( {' | '.join(map(room_key, rooms))} )"] if rooms else []
    return " & ".join([*sorted(keys), *within])


def check_language(connection: Connection, language: str) -> None:
    """Is there such a text search configuration? Raises `ConfigError`."""
    known = list(connection.scalars(text("SELECT cfgname FROM pg_ts_config ORDER BY cfgname")))
    if language not in known:
        raise ConfigError(
            f"CHATROOMS_SEARCH_LANGUAGE: PostgreSQL knows no {language!r}; it has {', '.join(known)}"
        )
