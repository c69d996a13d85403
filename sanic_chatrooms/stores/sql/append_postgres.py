"""Appending on PostgreSQL: one call of a stored function for a batch over many rooms.

Why it is right: the rooms' rows are locked in the order of their ids, which every batch does alike, before anything is
numbered, and stay locked until the commit. So number n+1 is only given after n is committed and visible: no hole, no
late number, no deadlock. Each statement of the function sees what was committed before that statement began (READ
COMMITTED), so a repeated key is found that the room's previous holder has just stored.
"""

from collections.abc import Sequence
from typing import Any

from ...errors import ChatError, Conflict, MessageNotFound, RoomNotFound, Unavailable
from ...models import Appended, Draft, MemberRemoved, MemberSet, MessageDeleted, MessageEdited
from ..base import FOLDED
from .schema import Schema

__all__ = ["Batch", "append_call", "append_function"]

VERSION = 2
"""Goes up when the arguments or the meaning change: workers of two releases then call two functions."""

_ARGUMENTS = (
    "names text[]", "counts int[]", "wait boolean", "keep bigint", "cutoff float8", "singly boolean",
    "room int[]", "rank int[]", "msg_id text[]", "stamp float8[]", "type text[]", "payload bytea[]",
    "sender_id text[]", "sender_name text[]", "key_user text[]", "key_id text[]", "hash bytea[]", "folded boolean[]",
    "target text[]", "kind int[]", "subject text[]", "body bytea[]", "name text[]", "role text[]", "since float8[]",
)  # fmt: skip

_BODY = """
#variable_conflict use_column
DECLARE
  locked bigint[];
  heads bigint[];
  maker_users text[];
  maker_ids text[];
  r int;
  found_seq bigint;
  found_hash bytea;
  found_type text;
  found_msg_id text;
  found_stamp float8;
  room_floor bigint;
BEGIN
  IF p_wait THEN
    locked := ARRAY(SELECT t.id FROM {room} t WHERE t.name = ANY(p_names) ORDER BY t.id FOR NO KEY UPDATE);
  ELSE
    locked := ARRAY(SELECT t.id FROM {room} t WHERE t.name = ANY(p_names) ORDER BY t.id
                    FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  -- Only what is locked counts: a room of this name may have been deleted and made again meanwhile.
  SELECT array_agg(CASE WHEN t.id = ANY(locked) THEN t.id END ORDER BY n.place),
         array_agg(t.head ORDER BY n.place), array_agg(t.epoch ORDER BY n.place),
         array_agg(t.key_user ORDER BY n.place), array_agg(t.key_id ORDER BY n.place)
    INTO ids, bases, epochs, maker_users, maker_ids
    FROM unnest(p_names) WITH ORDINALITY AS n(name, place) LEFT JOIN {room} t ON t.name = n.name;

  IF NOT p_singly THEN
    BEGIN
      INSERT INTO {event} (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name,
                           key_user, key_id, hash, folded, deleted)
      -- A key that may be the one by which its room was made gets no number, which the table refuses.
      SELECT ids[d.room], CASE WHEN d.key_id = maker_ids[d.room] THEN NULL ELSE bases[d.room] + d.rank END, d.msg_id, d.stamp, d.type, d.payload, d.sender_id, d.sender_name,
             d.key_user, d.key_id, d.hash, d.folded, false
        FROM unnest(p_room, p_rank, p_msg_id, p_stamp, p_type, p_payload, p_sender_id, p_sender_name,
                    p_key_user, p_key_id, p_hash, p_folded)
          AS d(room, rank, msg_id, stamp, type, payload, sender_id, sender_name, key_user, key_id, hash, folded)
       WHERE ids[d.room] IS NOT NULL;
      UPDATE {room} t SET head = t.head + n.count FROM unnest(ids, p_counts) AS n(id, count) WHERE t.id = n.id;
      RETURN;
    EXCEPTION WHEN unique_violation OR not_null_violation THEN  -- a key was used before; what this attempt did is undone
      NULL;
    END;
  END IF;

  heads := bases;
  outcomes := array_fill(NULL::int, ARRAY[cardinality(p_room)]);
  seqs := array_fill(NULL::bigint, ARRAY[cardinality(p_room)]);
  msg_ids := array_fill(NULL::text, ARRAY[cardinality(p_room)]);
  stamps := array_fill(NULL::float8, ARRAY[cardinality(p_room)]);
  FOR i IN 1 .. cardinality(p_room) LOOP
    r := p_room[i];
    CONTINUE WHEN ids[r] IS NULL;
    IF p_key_id[i] = maker_ids[r] AND p_key_user[i] = maker_users[r] THEN
      outcomes[i] := 2;
      CONTINUE;
    END IF;
    SELECT e.seq, e.hash, e.type, e.msg_id, e.timestamp
      INTO found_seq, found_hash, found_type, found_msg_id, found_stamp
      FROM {event} e WHERE e.room_id = ids[r] AND e.key_user = p_key_user[i] AND e.key_id = p_key_id[i];
    IF FOUND THEN
      -- An empty hash went with what it was a hash of; the type is left.
      outcomes[i] := CASE WHEN found_hash = p_hash[i] OR (found_hash = '' AND found_type = p_type[i]) THEN 1 ELSE 2 END;
      seqs[i] := found_seq;
      msg_ids[i] := found_msg_id;
      stamps[i] := found_stamp;
      CONTINUE;
    END IF;
    IF p_kind[i] = 1 THEN
      INSERT INTO {member} AS m (room_id, user_id, name, role, joined_at)
      VALUES (ids[r], p_subject[i], p_name[i], p_role[i], p_since[i])
      ON CONFLICT (room_id, user_id) DO UPDATE
        SET name = excluded.name, role = excluded.role, joined_at = excluded.joined_at;
    ELSIF p_kind[i] = 2 THEN
      DELETE FROM {member} m WHERE m.room_id = ids[r] AND m.user_id = p_subject[i];
    ELSIF p_kind[i] IN (3, 4) THEN
      SELECT e.seq, e.timestamp INTO found_seq, found_stamp
        FROM {event} e
       WHERE e.room_id = ids[r] AND e.msg_id = p_subject[i] AND e.type = 'message' AND NOT e.deleted;
      IF FOUND THEN
        SELECT greatest(t.floor, heads[r] - CASE t.visibility WHEN 'reserved' THEN {reserved} ELSE p_keep END)
          INTO room_floor FROM {room} t WHERE t.id = ids[r];
      END IF;
      -- Too old is what lies in front of the first event that is not, whatever the senders' clocks said.
      IF found_seq IS NULL OR found_seq <= room_floor OR (found_stamp < p_cutoff AND NOT EXISTS (
           SELECT FROM {event} e WHERE e.room_id = ids[r] AND e.seq > room_floor AND e.seq < found_seq
                                   AND e.timestamp >= p_cutoff)) THEN
        outcomes[i] := 3;
        CONTINUE;
      END IF;
      IF p_kind[i] = 3 THEN
        UPDATE {event} e SET payload = p_body[i], edited = p_stamp[i], changed = heads[r] + 1
         WHERE e.room_id = ids[r] AND e.seq = found_seq;
      ELSE
        UPDATE {event} e SET payload = '{{}}', hash = '', deleted = true, edited = NULL, changed = heads[r] + 1
         WHERE e.room_id = ids[r] AND e.seq = found_seq;
        UPDATE {event} e SET payload = '{{}}', hash = '', deleted = true
         WHERE e.room_id = ids[r] AND e.target = p_subject[i];
      END IF;
    END IF;
    heads[r] := heads[r] + 1;
    INSERT INTO {event} (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name,
                         key_user, key_id, hash, folded, target, deleted)
    VALUES (ids[r], heads[r], p_msg_id[i], p_stamp[i], p_type[i], p_payload[i], p_sender_id[i], p_sender_name[i],
            p_key_user[i], p_key_id[i], p_hash[i], p_folded[i], p_target[i], false);
    outcomes[i] := 0;
    seqs[i] := heads[r];
  END LOOP;
  UPDATE {room} t SET head = n.head FROM unnest(ids, heads) AS n(id, head) WHERE t.id = n.id AND t.head <> n.head;
END
"""


def append_function(schema: Schema, reserved_history_max: int) -> tuple[str, str, str]:
    """-> (its name, its body, the statement that makes it)."""
    name = schema.name(f"append_{VERSION}")
    tables = {noun: f'"{schema.name(noun)}"' for noun in ("room", "event", "member")}
    body = _BODY.format(reserved=reserved_history_max, **tables)
    arguments = ", ".join(f"p_{argument}" for argument in _ARGUMENTS)
    results = "OUT ids bigint[], OUT bases bigint[], OUT epochs text[], OUT outcomes int[], OUT seqs bigint[], OUT msg_ids text[], OUT stamps float8[]"
    head = f'CREATE OR REPLACE FUNCTION "{name}"({arguments}, {results}) LANGUAGE plpgsql'
    return name, body, f"{head} AS $body${body}$body$"


def append_call(schema: Schema) -> str:
    """The statement that calls it, with the arguments of `Batch.arguments`."""
    places = ", ".join(f"${place}" for place in range(1, len(_ARGUMENTS) + 1))
    return f'SELECT * FROM "{schema.name(f"append_{VERSION}")}"({places})'  # noqa: S608 - names of ours


class Batch:
    """Drafts as the columns that the function takes, and its answer as results."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self._drafts = drafts
        places: dict[str, int] = {}  # of the rooms, from 1 as PostgreSQL counts
        self._rooms = [places.setdefault(draft.room, len(places) + 1) for draft in drafts]
        self._names = list(places)
        self._counts = [0] * len(places)
        self._ranks = [self._count(place) for place in self._rooms]

    def _count(self, place: int) -> int:
        self._counts[place - 1] += 1
        return self._counts[place - 1]

    def arguments(self, *, wait: bool, keep: int, cutoff: float | None) -> list[Any]:
        """For `append_call`. `wait`: for rooms that somebody holds locked; else their drafts are answered `Unavailable`."""
        drafts = self._drafts
        changes = _changes(drafts)
        senders = [draft.sender for draft in drafts]
        keys = [draft.key for draft in drafts]
        return [
            self._names,
            self._counts,
            wait,
            keep,
            cutoff,
            changes[0] is not None,
            self._rooms,
            self._ranks,
            [draft.msg_id for draft in drafts],
            [draft.timestamp for draft in drafts],
            [draft.type for draft in drafts],
            [draft.payload for draft in drafts],
            [sender and sender.id for sender in senders],
            [sender and sender.name for sender in senders],
            [key and key[0] for key in keys],
            [key and key[1] for key in keys],
            [draft.hash for draft in drafts],
            [draft.type.startswith(FOLDED) for draft in drafts],
            *changes,
        ]

    def results(self, row: Any) -> list[Appended | ChatError]:
        """From the function's answer."""
        ids, bases, epochs = row["ids"], row["bases"], row["epochs"]
        if row["outcomes"] is None:
            return [
                Appended(draft.msg_id, bases[place - 1] + rank, draft.timestamp, epochs[place - 1])
                if ids[place - 1] is not None
                else _not_here(epochs[place - 1])
                for draft, place, rank in zip(self._drafts, self._rooms, self._ranks, strict=True)
            ]
        answers = zip(row["outcomes"], row["seqs"], row["msg_ids"], row["stamps"], strict=True)
        return [
            _result(draft, epochs[place - 1], *answer)
            for draft, place, answer in zip(self._drafts, self._rooms, answers, strict=True)
        ]


def _result(
    draft: Draft, epoch: str | None, outcome: int | None, seq: int, msg_id: str, timestamp: float
) -> Appended | ChatError:
    match outcome:
        case 0:
            return Appended(draft.msg_id, seq, draft.timestamp, epoch or "")
        case 1:
            return Appended(msg_id, seq, timestamp, epoch or "", duplicate=True)
        case 2:
            return Conflict()
        case 3:
            return MessageNotFound()
    return _not_here(epoch)


def _not_here(epoch: str | None) -> ChatError:
    return RoomNotFound() if epoch is None else Unavailable()


def _changes(drafts: Sequence[Draft]) -> list[list[Any] | None]:
    """The columns target, kind, subject, body, name, role, since; None each where no draft changes anything."""
    if all(draft.change is None for draft in drafts):
        return [None] * 7
    return [list(column) for column in zip(*(_change(draft) for draft in drafts), strict=True)]


def _change(draft: Draft) -> tuple[Any, ...]:
    match draft.change:
        case MemberSet(member):
            return None, 1, member.user, None, member.name, member.role, member.joined_at
        case MemberRemoved(user):
            return None, 2, user, None, None, None, None
        case MessageEdited(msg_id, payload):
            return msg_id, 3, msg_id, payload, None, None, None
        case MessageDeleted(msg_id):
            return None, 4, msg_id, None, None, None, None
    return None, 0, None, None, None, None, None
