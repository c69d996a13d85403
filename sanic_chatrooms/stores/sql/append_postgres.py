"""Appending on PostgreSQL: one call of a stored function for a batch over many rooms.

Why it is right: the rooms' rows are locked in the order of their ids, which every batch does alike, before anything is
numbered, and stay locked until the commit. So number n+1 is only given after n is committed and visible: no hole, no
late number, no deadlock. Each statement of the function sees what was committed before that statement began (READ
COMMITTED), so a repeated key is found that the room's previous holder has just stored.
"""

from ...drivers.sql.tables import lock_key
from ..changes import SWEPT
from ..members import MEMBER
from ..unread import OWN
from .schema import Schema

__all__ = ["ARGUMENTS", "AS_TEXT", "append_call", "append_function", "words_key"]

VERSION = 11
"""Goes up when the arguments or the meaning change: workers of two releases then call two functions."""

ARGUMENTS = {
    "names": "text[]", "counts": "int[]", "wait": "boolean", "keep": "bigint", "cutoff": "float8", "singly": "boolean",
    # The drafts.
    "room": "int[]", "rank": "int[]", "msg_id": "text[]", "stamp": "float8[]", "type": "text[]", "payload": "bytea[]",
    "sender_id": "text[]", "sender_name": "text[]", "key_user": "text[]", "key_id": "text[]", "hash": "bytea[]",
    "folded": "boolean[]", "judged": "bigint[]", "judged_in": "text[]",
    # What they do besides, NULL where none does: relations, then facts, of which draft i has those up to facts_end[i].
    "restricts": "boolean[]", "if_changed": "boolean[]", "fold": "text[]", "target": "text[]", "mark": "text[]",
    "owner": "text[]", "value": "bytea[]", "turn_on": "boolean[]", "most": "int[]", "facts_end": "int[]",
    "fact_kind": "text[]", "fact_key": "text[]", "fact_value": "bytea[]", "fact_max": "boolean[]",
    "fact_until": "float8[]", "fact_was": "bytea[]", "now": "float8", "spaced": "float8[]",
    # Draft i mentions those up to mentions_end[i].
    "mentions_end": "int[]", "mention": "text[]",
}  # fmt: skip

AS_TEXT = {"text[]", "int[]", "bigint[]", "float8[]", "boolean[]"}
"""Arrays that are sent as PostgreSQL writes them: of another array, asyncpg asks for each item whether it is an array itself, by
`isinstance` with abstract classes. With all columns that was 9 % of a message."""

_RESULTS = {
    "ids": "bigint[]", "bases": "bigint[]", "epochs": "text[]", "outcomes": "text[]", "seqs": "bigint[]",
    "msg_ids": "text[]", "stamps": "float8[]", "payloads": "bytea[]",
}  # fmt: skip

_CHANGES = """CASE WHEN w.value IS NULL OR f.value IS NULL THEN (w.value IS NULL) <> (f.value IS NULL)
                 -- Of integers without leading zeros the longer one is the higher.
                 WHEN w.is_max THEN (octet_length(w.value), w.value) > (octet_length(f.value), f.value)
                 ELSE w.value <> f.value END"""

_BODY = """
#variable_conflict use_column
DECLARE
  locked bigint[];
  heads bigint[];
  maker_users text[];
  maker_ids text[];
  restricteds bigint[];
  floors bigint[];
  keeps bigint[];
  room_floor bigint;
  r int;
  found_seq bigint;
  found_hash bytea;
  found_type text;
  found_msg_id text;
  found_stamp float8;
  found_payload bytea;
  found_deleted boolean;
  found_parent bigint;
  found_sender text;
  there boolean;
  held_since bigint;
  holders bigint;
  besides text;
  body bytea;
  parent_seq bigint;
  wait_for float8;
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
         array_agg(t.key_user ORDER BY n.place), array_agg(t.key_id ORDER BY n.place),
         array_agg(t.restricted ORDER BY n.place)
    INTO ids, bases, epochs, maker_users, maker_ids, restricteds
    FROM unnest(p_names) WITH ORDINALITY AS n(name, place) LEFT JOIN {room} t ON t.name = n.name;

  IF NOT p_singly AND ((p_judged IS NULL AND p_judged_in IS NULL) OR NOT EXISTS (
       SELECT FROM unnest(p_room, p_judged, p_judged_in) AS d(room, judged, judged_in)
        WHERE d.judged < restricteds[d.room] OR d.judged_in <> epochs[d.room])) THEN
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
  outcomes := array_fill(NULL::text, ARRAY[cardinality(p_room)]);
  seqs := array_fill(NULL::bigint, ARRAY[cardinality(p_room)]);
  msg_ids := array_fill(NULL::text, ARRAY[cardinality(p_room)]);
  stamps := array_fill(NULL::float8, ARRAY[cardinality(p_room)]);
  payloads := array_fill(NULL::bytea, ARRAY[cardinality(p_room)]);
  IF p_fold IS NOT NULL THEN
    -- Too old is what lies in front of the first event that is not, whatever the senders' clocks said.
    SELECT array_agg(k.keep ORDER BY n.place), array_agg(CASE WHEN p_cutoff IS NULL THEN k.floor ELSE coalesce(
             (SELECT e.seq - 1 FROM {event} e WHERE e.room_id = n.id AND e.seq > k.floor AND e.timestamp >= p_cutoff
               ORDER BY e.seq LIMIT 1), k.head) END ORDER BY n.place)
      INTO keeps, floors
      FROM unnest(ids) WITH ORDINALITY AS n(id, place)
      LEFT JOIN LATERAL (
        SELECT t.head, s.keep, greatest(t.floor, t.head - s.keep)
          FROM {room} t, LATERAL (SELECT CASE t.visibility WHEN 'reserved' THEN {reserved} ELSE p_keep END) AS s(keep)
         WHERE t.id = n.id) AS k(head, keep, floor) ON true;
  END IF;
  FOR i IN 1 .. cardinality(p_room) LOOP
    r := p_room[i];
    CONTINUE WHEN ids[r] IS NULL;
    room_floor := greatest(floors[r], heads[r] - keeps[r]);
    IF p_key_id[i] = maker_ids[r] AND p_key_user[i] = maker_users[r] THEN
      outcomes[i] := 'conflict';
      CONTINUE;
    END IF;
    SELECT e.seq, e.hash, e.type, e.msg_id, e.timestamp, e.payload
      INTO found_seq, found_hash, found_type, found_msg_id, found_stamp, found_payload
      FROM {event} e WHERE e.room_id = ids[r] AND e.key_user = p_key_user[i] AND e.key_id = p_key_id[i];
    IF FOUND THEN
      -- An empty hash went with what it was a hash of; the type is left.
      outcomes[i] := CASE WHEN found_hash = p_hash[i] OR (found_hash = '' AND found_type = p_type[i])
                          THEN 'repeated' ELSE 'conflict' END;
      seqs[i] := found_seq;
      msg_ids[i] := found_msg_id;
      stamps[i] := found_stamp;
      IF p_fold[i] <> 'collect' AND found_seq > room_floor THEN
        payloads[i] := found_payload;
      END IF;
      CONTINUE;
    END IF;
    IF p_judged[i] < restricteds[r] OR p_judged_in[i] <> epochs[r] THEN
      outcomes[i] := 'stale';
      CONTINUE;
    END IF;

    IF p_spaced[i] > 0 THEN
      -- The last fact of such a draft says when its sender speaks; see `changes.facts_of`.
      SELECT convert_from(f.value, 'UTF8')::float8 + p_spaced[i] - p_stamp[i] INTO wait_for FROM {fact} f
       WHERE f.room_id = ids[r] AND f.kind = p_fact_kind[p_facts_end[i]] AND f.key = p_fact_key[p_facts_end[i]];
      IF FOUND AND wait_for > 0 THEN
        outcomes[i] := 'too early';
        stamps[i] := wait_for;
        CONTINUE;
      END IF;
    END IF;

    there := true;
    FOR j IN coalesce(p_facts_end[i - 1], 0) + 1 .. coalesce(p_facts_end[i], 0) LOOP
      IF p_fact_was[j] IS NOT NULL THEN
        there := there AND p_fact_was[j] = coalesce((SELECT f.value FROM {fact} f
          WHERE f.room_id = ids[r] AND f.kind = p_fact_kind[j] AND f.key = p_fact_key[j]), '');
      END IF;
    END LOOP;
    IF NOT there THEN
      outcomes[i] := 'conflict';
      CONTINUE;
    END IF;

    parent_seq := NULL;
    body := p_payload[i];
    IF p_fold[i] IS NOT NULL THEN
      SELECT e.seq, e.deleted, e.parent, e.sender_id INTO found_seq, found_deleted, found_parent, found_sender FROM {event} e
       WHERE e.room_id = ids[r] AND e.msg_id = p_target[i] AND e.type = 'message' AND e.seq > room_floor
       ORDER BY e.seq + 0 DESC LIMIT 1;  -- a sum, so that no plan walks from the newest event down to it
      there := FOUND;
      IF p_fold[i] = 'collect' AND (NOT there OR found_parent IS NOT NULL) THEN
        outcomes[i] := CASE WHEN there THEN 'is a reply' ELSE 'no parent' END;
        CONTINUE;
      ELSIF p_fold[i] <> 'collect' AND (NOT there OR found_deleted) THEN
        outcomes[i] := 'no message';
        CONTINUE;
      END IF;
      holders := NULL;
      besides := NULL;
      IF p_fold[i] IN ('replace', 'close', 'erase') THEN
        -- Whoever indexes this room now, from what was said before, must be done.
        PERFORM pg_advisory_xact_lock_shared(({words})::int, (ids[r] % 2147483647)::int);
      END IF;
      CASE p_fold[i]
      WHEN 'toggle' THEN
        SELECT q.seq INTO held_since FROM {relation} q
         WHERE q.room_id = ids[r] AND q.target = found_seq AND q.key = p_mark[i] AND q.owner = p_owner[i];
        IF FOUND = p_turn_on[i] THEN
          outcomes[i] := 'unchanged';
          seqs[i] := coalesce(held_since, 0);
          CONTINUE;
        ELSIF p_turn_on[i] AND p_most[i] > 0
          AND NOT EXISTS (SELECT FROM {relation} q WHERE q.room_id = ids[r] AND q.target = found_seq AND q.key = p_mark[i])
          AND (SELECT count(DISTINCT q.key) FROM {relation} q
                WHERE q.room_id = ids[r] AND q.target = found_seq AND q.owner <> '') >= p_most[i] THEN
          outcomes[i] := 'too many';
          CONTINUE;
        ELSIF p_turn_on[i] THEN
          INSERT INTO {relation} (room_id, target, key, owner, seq, timestamp, sender_id, sender_name)
          VALUES (ids[r], found_seq, p_mark[i], p_owner[i], heads[r] + 1, p_stamp[i], p_sender_id[i], p_sender_name[i]);
        ELSE
          DELETE FROM {relation} q
           WHERE q.room_id = ids[r] AND q.target = found_seq AND q.key = p_mark[i] AND q.owner = p_owner[i];
        END IF;
        IF p_owner[i] <> '' THEN
          SELECT count(*) INTO holders FROM {relation} q
           WHERE q.room_id = ids[r] AND q.target = found_seq AND q.key = p_mark[i];
        END IF;
      WHEN 'collect' THEN
        parent_seq := found_seq;
      WHEN 'replace' THEN
        UPDATE {event} e SET payload = p_value[i], edited = p_stamp[i], changed = heads[r] + 1
         WHERE e.room_id = ids[r] AND e.seq = found_seq;
        DELETE FROM {mention} m WHERE m.room_id = ids[r] AND m.seq = found_seq;
        UPDATE {word} w SET terms = '', due = true WHERE w.room_id = ids[r] AND w.seq = found_seq;
      WHEN 'close' THEN
        UPDATE {event} e SET payload = p_value[i], edited = NULL, changed = heads[r] + 1
         WHERE e.room_id = ids[r] AND e.seq = found_seq;
        DELETE FROM {mention} m WHERE m.room_id = ids[r] AND m.seq = found_seq;
        UPDATE {word} w SET terms = '', due = true WHERE w.room_id = ids[r] AND w.seq = found_seq;
        IF p_mark[i] <> '' THEN
          INSERT INTO {relation} (room_id, target, key, owner, seq, timestamp, sender_id, sender_name)
          VALUES (ids[r], found_seq, p_mark[i], '', heads[r] + 1, p_stamp[i], p_sender_id[i], p_sender_name[i])
          ON CONFLICT DO NOTHING;
        END IF;
      WHEN 'erase' THEN
        UPDATE {event} e SET payload = '{{}}', hash = '', deleted = true, edited = NULL, changed = heads[r] + 1
         WHERE e.room_id = ids[r] AND e.seq = found_seq;
        UPDATE {event} e SET payload = '{{}}', hash = '', deleted = true
         WHERE e.room_id = ids[r] AND e.target = p_target[i];
        DELETE FROM {relation} q WHERE q.room_id = ids[r] AND q.target = found_seq;
        DELETE FROM {word} w WHERE w.room_id = ids[r] AND w.seq = found_seq;
        DELETE FROM {mention} m WHERE m.room_id = ids[r] AND m.seq = found_seq;
        -- A reply: what is left of the thread of the message that it replied to. NULL where that is gone.
        SELECT '"parent":' || to_json(p.msg_id) || ',"thread":' || coalesce((
                 SELECT '{{"count":' || n.count || ',"last":{{"seq":' || e.seq || ',"timestamp":' || e.timestamp || ',"sender":' || coalesce(
                          '{{"id":' || to_json(e.sender_id) || ',"name":' || to_json(e.sender_name) || '}}', 'null') || '}}}}'
                   FROM (SELECT count(*) AS count, max(q.seq) AS seq FROM {event} q
                          WHERE q.room_id = ids[r] AND q.parent = p.seq AND q.seq > room_floor AND NOT q.deleted) n
                   JOIN {event} e ON e.room_id = ids[r] AND e.seq = n.seq), 'null')
          INTO besides FROM {event} p WHERE p.room_id = ids[r] AND p.seq = found_parent AND p.seq > room_floor;
      END CASE;
      IF parent_seq IS NOT NULL OR p_turn_on[i] OR (p_fold[i] = 'close' AND p_mark[i] <> '') THEN
        UPDATE {event} e SET related = true WHERE e.room_id = ids[r] AND e.seq = found_seq AND e.related IS NULL;
      END IF;
      IF p_fold[i] <> 'collect' THEN
        body := convert_to('{{"seq":' || found_seq || coalesce(',"count":' || holders, '') || coalesce(',' || besides, ''), 'UTF8')
             || CASE WHEN body = '{{}}' THEN '}}'::bytea ELSE ','::bytea || substring(body FROM 2) END;
        payloads[i] := body;
      END IF;
    ELSIF p_if_changed[i] THEN
      SELECT bool_or({changes}), coalesce(max(f.seq), 0) INTO there, found_seq
        FROM unnest(p_fact_kind, p_fact_key, p_fact_value, p_fact_max) WITH ORDINALITY AS w(kind, key, value, is_max, place)
        LEFT JOIN {fact} f ON f.room_id = ids[r] AND f.kind = w.kind AND f.key = w.key
       WHERE w.place > coalesce(p_facts_end[i - 1], 0) AND w.place <= p_facts_end[i];
      IF NOT there THEN
        outcomes[i] := 'unchanged';
        seqs[i] := found_seq;
        CONTINUE;
      END IF;
    END IF;
    FOR j IN coalesce(p_facts_end[i - 1], 0) + 1 .. coalesce(p_facts_end[i], 0) LOOP
      IF p_fact_value[j] IS NULL THEN
        DELETE FROM {fact} f WHERE f.room_id = ids[r] AND f.kind = p_fact_kind[j] AND f.key = p_fact_key[j];
        IF p_fact_kind[j] = '{member}' THEN
          DELETE FROM {fact} f WHERE f.room_id = ids[r] AND f.key = p_fact_key[j] AND f.kind LIKE '{own}%';
        END IF;
      ELSE
        INSERT INTO {fact} AS f (room_id, kind, key, value, seq, since, until)
        VALUES (ids[r], p_fact_kind[j], p_fact_key[j], p_fact_value[j], heads[r] + 1, heads[r] + 1, p_fact_until[j])
        ON CONFLICT (room_id, kind, key) DO UPDATE SET value = excluded.value, seq = excluded.seq, until = excluded.until
         WHERE CASE WHEN p_fact_max[j] THEN (octet_length(excluded.value), excluded.value) > (octet_length(f.value), f.value)
                    ELSE excluded.value <> f.value END;
        IF p_fact_until[j] IS NOT NULL THEN
          DELETE FROM {fact} f WHERE f.ctid IN (
            SELECT g.ctid FROM {fact} g WHERE g.until < p_now ORDER BY g.until LIMIT {swept} FOR UPDATE SKIP LOCKED);
        END IF;
        IF p_fact_kind[j] = 'room' AND p_fact_key[j] = '' THEN
          UPDATE {room} t SET visibility = substring(convert_from(p_fact_value[j], 'UTF8') FROM '^..visibility":"([a-z]+)"')
           WHERE t.id = ids[r];
        END IF;
      END IF;
    END LOOP;

    IF p_mentions_end[i] > coalesce(p_mentions_end[i - 1], 0) AND coalesce(p_fold[i], 'collect') IN ('collect', 'replace', 'close') THEN
      INSERT INTO {mention} (room_id, name, seq, sender_id)
      SELECT ids[r], m.name, CASE WHEN p_fold[i] IN ('replace', 'close') THEN found_seq ELSE heads[r] + 1 END,
             CASE WHEN p_fold[i] IN ('replace', 'close') THEN found_sender ELSE p_sender_id[i] END
        FROM unnest(p_mention[coalesce(p_mentions_end[i - 1], 0) + 1 : p_mentions_end[i]]) AS m(name)
          ON CONFLICT DO NOTHING;
    END IF;
    heads[r] := heads[r] + 1;
    IF p_restricts[i] THEN
      restricteds[r] := heads[r];
    END IF;
    INSERT INTO {event} (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name,
                         key_user, key_id, hash, folded, target, deleted, parent)
    VALUES (ids[r], heads[r], p_msg_id[i], p_stamp[i], p_type[i], body, p_sender_id[i], p_sender_name[i],
            p_key_user[i], p_key_id[i], p_hash[i], p_folded[i],
            CASE WHEN p_fold[i] IN ('replace', 'close') THEN p_target[i] END, false, parent_seq);
    outcomes[i] := 'stored';
    seqs[i] := heads[r];
  END LOOP;
  UPDATE {room} t SET head = n.head, restricted = n.restricted
    FROM unnest(ids, heads, restricteds) AS n(id, head, restricted) WHERE t.id = n.id AND t.head <> n.head;
END
"""


def words_key(prefix: str) -> int:
    """The first half of the advisory locks of those who index messages; the second is the room's number."""
    return lock_key(f"{prefix}words") - 2**31


def append_function(schema: Schema, reserved_history_max: int) -> tuple[str, str, str]:
    """-> (its name, its body, the statement that makes it)."""
    name = schema.name(f"append_{VERSION}")
    nouns = ("room", "event", "fact", "relation", "mention", "word")
    tables = {noun: f'"{schema.name(noun)}"' for noun in nouns}
    rules = {
        "changes": _CHANGES,
        "swept": SWEPT,
        "member": MEMBER,
        "own": OWN,
        "words": words_key(schema.prefix),
    }
    body = _BODY.format(reserved=reserved_history_max, **rules, **tables)
    arguments = ", ".join(f"p_{argument} {type}" for argument, type in ARGUMENTS.items())
    results = ", ".join(f"OUT {result} {type}" for result, type in _RESULTS.items())
    head = f'CREATE OR REPLACE FUNCTION "{name}"({arguments}, {results}) LANGUAGE plpgsql'
    return name, body, f"{head} AS $body${body}$body$"


def append_call(schema: Schema) -> str:
    """The statement that calls it, with the arguments of `batch_postgres.Batch`."""
    casts = (f"::text::{kind}" if kind in AS_TEXT else "" for kind in ARGUMENTS.values())
    places = ", ".join(f"${place}{cast}" for place, cast in enumerate(casts, 1))
    return f'SELECT * FROM "{schema.name(f"append_{VERSION}")}"({places})'  # noqa: S608 - names of ours
