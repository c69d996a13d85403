"""The statements with which SQLite's appender reads and writes what drafts do besides their events."""

from sqlalchemy import Table

from ..changes import SWEPT
from ..unread import OWN
from .schema import Schema

__all__ = ["EffectStatements", "quoted"]


class EffectStatements:
    """The statements as text: SQLAlchemy's constructs would take half of the time."""

    def __init__(self, schema: Schema) -> None:
        tables = (schema.room, schema.event, schema.fact, schema.relation, schema.mention)
        room, event, fact, relation, mention = map(quoted, tables)
        word = quoted(schema.word)
        # Where the message is not in the index yet, these change nothing.
        self.reindex = f"UPDATE {word} SET terms = '', due = 1 WHERE room_id = ? AND seq = ?"
        self.unindex = f"DELETE FROM {word} WHERE room_id = ? AND seq = ?"
        self._ask(event, fact, relation)
        self._change(room, event, fact, relation, mention)

    def _ask(self, event: str, fact: str, relation: str) -> None:
        # CROSS JOIN keeps the order: for each key one search of the index.
        self.messages = (
            "SELECT e.room_id, e.msg_id, e.seq, e.deleted, e.parent, e.sender_id FROM json_each(?) AS d "
            f"CROSS JOIN {event} AS e ON e.room_id = json_extract(d.value, '$[0]') "
            "AND e.msg_id = json_extract(d.value, '$[1]') WHERE e.type = 'message'"
        )
        self.facts = (
            "SELECT f.room_id, f.kind, f.key, f.value, f.seq FROM json_each(?) AS d "
            f"CROSS JOIN {fact} AS f ON f.room_id = json_extract(d.value, '$[0]') "
            "AND f.kind = json_extract(d.value, '$[1]') AND f.key = json_extract(d.value, '$[2]')"
        )
        at_key = (
            f"CROSS JOIN {relation} AS r ON r.room_id = json_extract(d.value, '$[0]') "
            "AND r.target = json_extract(d.value, '$[1]') AND r.key = json_extract(d.value, '$[2]')"
        )
        self.held = (
            f"SELECT r.room_id, r.target, r.key, r.owner, r.seq FROM json_each(?) AS d {at_key} "
            "AND r.owner = json_extract(d.value, '$[3]')"
        )
        self.counts = (
            f"SELECT r.room_id, r.target, r.key, count(*) FROM json_each(?) AS d {at_key} GROUP BY 1, 2, 3"
        )
        self.keys = (
            "SELECT DISTINCT r.room_id, r.target, r.key FROM json_each(?) AS d "
            f"CROSS JOIN {relation} AS r ON r.room_id = json_extract(d.value, '$[0]') "
            "AND r.target = json_extract(d.value, '$[1]') WHERE r.owner <> ''"
        )
        # By the index alone.
        self.thread = (
            f"SELECT count(*), max(seq) FROM {event} WHERE room_id = ? AND parent = ? "
            "AND seq > ? AND NOT deleted AND seq NOT IN (SELECT value FROM json_each(?))"
        )
        self.event = (
            f"SELECT msg_id, timestamp, sender_id, sender_name FROM {event} WHERE room_id = ? AND seq = ?"
        )

    def _change(self, room: str, event: str, fact: str, relation: str, mention: str) -> None:
        self.edit = f"UPDATE {event} SET payload = ?, edited = ?, changed = ? WHERE room_id = ? AND seq = ?"
        self.name_target = f"UPDATE {event} SET target = ? WHERE room_id = ? AND seq = ?"
        self.erase = (
            f"UPDATE {event} SET payload = x'7b7d', hash = x'', deleted = 1, edited = NULL, changed = ? "
            "WHERE room_id = ? AND seq = ?"
        )
        self.empty_edits = (
            f"UPDATE {event} SET payload = x'7b7d', hash = x'', deleted = 1 WHERE room_id = ? AND target = ?"
        )
        self.name_parent = f"UPDATE {event} SET parent = ? WHERE room_id = ? AND seq = ?"
        self.mark = f"UPDATE {event} SET related = 1 WHERE room_id = ? AND seq = ? AND related IS NULL"
        self.turn_on = (
            f"INSERT INTO {relation} (room_id, target, key, owner, seq, timestamp, sender_id, sender_name) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        self.leave_on = f"{self.turn_on} ON CONFLICT DO NOTHING"
        self.turn_off = f"DELETE FROM {relation} WHERE room_id = ? AND target = ? AND key = ? AND owner = ?"
        self.turn_off_all = f"DELETE FROM {relation} WHERE room_id = ? AND target = ?"
        self.put_fact = (
            f"INSERT INTO {fact} (room_id, kind, key, value, seq, since, until) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (room_id, kind, key) DO UPDATE SET value = excluded.value, seq = excluded.seq, until = excluded.until"
        )
        self.list_room = f"UPDATE {room} SET visibility = ? WHERE id = ?"
        self.sweep = (
            f"DELETE FROM {fact} WHERE (room_id, kind, key) IN "
            f"(SELECT room_id, kind, key FROM {fact} WHERE until < ? ORDER BY until LIMIT {SWEPT})"
        )
        self.forget_fact = f"DELETE FROM {fact} WHERE room_id = ? AND kind = ? AND key = ?"
        self.forget_own = f"DELETE FROM {fact} WHERE room_id = ? AND key = ? AND kind LIKE '{OWN}%'"
        self.mention = f"INSERT OR IGNORE INTO {mention} (room_id, name, seq, sender_id) SELECT ?, value, ?, ? FROM json_each(?)"
        self.unmention = f"DELETE FROM {mention} WHERE room_id = ? AND seq = ?"


def quoted(table: Table) -> str:
    """The name of a table, as a statement has it."""
    name = table.name.replace('"', '""')
    return f'"{name}"'
