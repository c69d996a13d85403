-- The tables of version 1, with something of everything in them.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.chatrooms_default_append_1(p_names text[], p_counts integer[], p_wait boolean, p_keep bigint, p_cutoff double precision, p_singly boolean, p_room integer[], p_rank integer[], p_msg_id text[], p_stamp double precision[], p_type text[], p_payload bytea[], p_sender_id text[], p_sender_name text[], p_key_user text[], p_key_id text[], p_hash bytea[], p_folded boolean[], p_target text[], p_kind integer[], p_subject text[], p_body bytea[], p_name text[], p_role text[], p_since double precision[], OUT ids bigint[], OUT bases bigint[], OUT epochs text[], OUT outcomes integer[], OUT seqs bigint[], OUT msg_ids text[], OUT stamps double precision[]) RETURNS record
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  locked bigint[];
  heads bigint[];
  r int;
  found_seq bigint;
  found_hash bytea;
  found_msg_id text;
  found_stamp float8;
  room_floor bigint;
BEGIN
  IF p_wait THEN
    locked := ARRAY(SELECT t.id FROM "chatrooms_default_room" t WHERE t.name = ANY(p_names) ORDER BY t.id FOR NO KEY UPDATE);
  ELSE
    locked := ARRAY(SELECT t.id FROM "chatrooms_default_room" t WHERE t.name = ANY(p_names) ORDER BY t.id
                    FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  -- Only what is locked counts: a room of this name may have been deleted and made again meanwhile.
  SELECT array_agg(CASE WHEN t.id = ANY(locked) THEN t.id END ORDER BY n.place),
         array_agg(t.head ORDER BY n.place), array_agg(t.epoch ORDER BY n.place)
    INTO ids, bases, epochs
    FROM unnest(p_names) WITH ORDINALITY AS n(name, place) LEFT JOIN "chatrooms_default_room" t ON t.name = n.name;
  IF NOT p_singly THEN
    BEGIN
      INSERT INTO "chatrooms_default_event" (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name,
                           key_user, key_id, hash, folded, deleted)
      SELECT ids[d.room], bases[d.room] + d.rank, d.msg_id, d.stamp, d.type, d.payload, d.sender_id, d.sender_name,
             d.key_user, d.key_id, d.hash, d.folded, false
        FROM unnest(p_room, p_rank, p_msg_id, p_stamp, p_type, p_payload, p_sender_id, p_sender_name,
                    p_key_user, p_key_id, p_hash, p_folded)
          AS d(room, rank, msg_id, stamp, type, payload, sender_id, sender_name, key_user, key_id, hash, folded)
       WHERE ids[d.room] IS NOT NULL;
      UPDATE "chatrooms_default_room" t SET head = t.head + n.count FROM unnest(ids, p_counts) AS n(id, count) WHERE t.id = n.id;
      RETURN;
    EXCEPTION WHEN unique_violation THEN  -- something was sent before; what this attempt did is undone
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
    SELECT e.seq, e.hash, e.msg_id, e.timestamp INTO found_seq, found_hash, found_msg_id, found_stamp
      FROM "chatrooms_default_event" e WHERE e.room_id = ids[r] AND e.key_user = p_key_user[i] AND e.key_id = p_key_id[i];
    IF FOUND THEN
      outcomes[i] := CASE WHEN found_hash = p_hash[i] THEN 1 ELSE 2 END;
      seqs[i] := found_seq;
      msg_ids[i] := found_msg_id;
      stamps[i] := found_stamp;
      CONTINUE;
    END IF;
    IF p_kind[i] = 1 THEN
      INSERT INTO "chatrooms_default_member" AS m (room_id, user_id, name, role, joined_at)
      VALUES (ids[r], p_subject[i], p_name[i], p_role[i], p_since[i])
      ON CONFLICT (room_id, user_id) DO UPDATE
        SET name = excluded.name, role = excluded.role, joined_at = excluded.joined_at;
    ELSIF p_kind[i] = 2 THEN
      DELETE FROM "chatrooms_default_member" m WHERE m.room_id = ids[r] AND m.user_id = p_subject[i];
    ELSIF p_kind[i] IN (3, 4) THEN
      SELECT e.seq, e.timestamp INTO found_seq, found_stamp
        FROM "chatrooms_default_event" e
       WHERE e.room_id = ids[r] AND e.msg_id = p_subject[i] AND e.type = 'message' AND NOT e.deleted;
      IF FOUND THEN
        SELECT greatest(t.floor, heads[r] - CASE t.visibility WHEN 'reserved' THEN 100 ELSE p_keep END)
          INTO room_floor FROM "chatrooms_default_room" t WHERE t.id = ids[r];
      END IF;
      -- Too old is what lies in front of the first event that is not, whatever the senders' clocks said.
      IF found_seq IS NULL OR found_seq <= room_floor OR (found_stamp < p_cutoff AND NOT EXISTS (
           SELECT FROM "chatrooms_default_event" e WHERE e.room_id = ids[r] AND e.seq > room_floor AND e.seq < found_seq
                                   AND e.timestamp >= p_cutoff)) THEN
        outcomes[i] := 3;
        CONTINUE;
      END IF;
      IF p_kind[i] = 3 THEN
        UPDATE "chatrooms_default_event" e SET payload = p_body[i], edited = p_stamp[i], changed = heads[r] + 1
         WHERE e.room_id = ids[r] AND e.seq = found_seq;
      ELSE
        UPDATE "chatrooms_default_event" e SET payload = '{}', deleted = true, edited = NULL, changed = heads[r] + 1
         WHERE e.room_id = ids[r] AND e.seq = found_seq;
        UPDATE "chatrooms_default_event" e SET payload = '{}', deleted = true
         WHERE e.room_id = ids[r] AND e.target = p_subject[i];
      END IF;
    END IF;
    heads[r] := heads[r] + 1;
    INSERT INTO "chatrooms_default_event" (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name,
                         key_user, key_id, hash, folded, target, deleted)
    VALUES (ids[r], heads[r], p_msg_id[i], p_stamp[i], p_type[i], p_payload[i], p_sender_id[i], p_sender_name[i],
            p_key_user[i], p_key_id[i], p_hash[i], p_folded[i], p_target[i], false);
    outcomes[i] := 0;
    seqs[i] := heads[r];
  END LOOP;
  UPDATE "chatrooms_default_room" t SET head = n.head FROM unnest(ids, heads) AS n(id, head) WHERE t.id = n.id AND t.head <> n.head;
END
$$;
CREATE FUNCTION public.chatrooms_default_opened_1(OUT renewed boolean) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
  here text := '';
  lazy boolean := current_setting('synchronous_commit') = 'off' OR current_setting('fsync') = 'off';
  was_here text;
  was_lazy boolean;
  crashed boolean;
BEGIN
  BEGIN
    -- Another cluster: restored from a dump. Another timeline: a standby took over, or an older state was restored.
    here := (SELECT system_identifier FROM pg_control_system()) || '.' ||
            left(pg_walfile_name(pg_current_wal_lsn()), 8);
  EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    NULL;  -- not every hosted database tells
  END;
  IF lazy THEN
    SET LOCAL synchronous_commit = on;  -- what this says must not be lost
  END IF;
  PERFORM pg_advisory_xact_lock(3980422155);  -- whoever comes first does it
  was_lazy := EXISTS (SELECT FROM "chatrooms_default_meta" m WHERE m.name = 'lazy');
  crashed := NOT EXISTS (SELECT FROM "chatrooms_default_boot");
  renewed := coalesce(was_here <> here, false) OR (was_lazy AND crashed);
  IF renewed THEN
    UPDATE "chatrooms_default_room" SET epoch = replace(gen_random_uuid()::text, '-', '');
    DELETE FROM "chatrooms_default_meta" WHERE name = 'lazy';
  END IF;
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE m.value <> excluded.value;
  IF lazy THEN
    INSERT INTO "chatrooms_default_meta" (name, value) VALUES ('lazy', 'yes') ON CONFLICT (name) DO NOTHING;
  END IF;
  IF crashed THEN
    INSERT INTO "chatrooms_default_boot" VALUES (true);
  END IF;
END
$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE UNLOGGED TABLE public.chatrooms_default_boot (
    up boolean NOT NULL
);
CREATE TABLE public.chatrooms_default_event (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    msg_id text NOT NULL,
    "timestamp" double precision NOT NULL,
    type text NOT NULL,
    payload bytea NOT NULL,
    sender_id text,
    sender_name text,
    key_user text,
    key_id text,
    hash bytea NOT NULL,
    folded boolean NOT NULL,
    target text,
    edited double precision,
    deleted boolean NOT NULL,
    changed bigint
);
CREATE TABLE public.chatrooms_default_member (
    room_id bigint NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    role text NOT NULL,
    joined_at double precision NOT NULL
);
CREATE TABLE public.chatrooms_default_meta (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.chatrooms_default_outbox (
    id bigint NOT NULL,
    room text NOT NULL,
    type text NOT NULL,
    payload bytea NOT NULL,
    msg_id text NOT NULL,
    "timestamp" double precision NOT NULL,
    sender_id text,
    sender_name text,
    key_user text,
    key_id text,
    hash bytea NOT NULL
);
CREATE SEQUENCE public.chatrooms_default_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.chatrooms_default_outbox_id_seq OWNED BY public.chatrooms_default_outbox.id;
CREATE TABLE public.chatrooms_default_room (
    id bigint NOT NULL,
    name text COLLATE pg_catalog."C",
    epoch text NOT NULL,
    head bigint NOT NULL,
    floor bigint NOT NULL,
    title text NOT NULL,
    visibility text NOT NULL COLLATE pg_catalog."C",
    attributes text NOT NULL,
    created_at double precision NOT NULL,
    created_by text,
    auto boolean NOT NULL,
    announce boolean NOT NULL,
    key_user text,
    key_id text,
    hash bytea NOT NULL
)
WITH (fillfactor='50');
CREATE SEQUENCE public.chatrooms_default_room_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.chatrooms_default_room_id_seq OWNED BY public.chatrooms_default_room.id;
CREATE TABLE public.chatrooms_default_secret (
    name text NOT NULL,
    value text NOT NULL
);
ALTER TABLE ONLY public.chatrooms_default_outbox ALTER COLUMN id SET DEFAULT nextval('public.chatrooms_default_outbox_id_seq'::regclass);
ALTER TABLE ONLY public.chatrooms_default_room ALTER COLUMN id SET DEFAULT nextval('public.chatrooms_default_room_id_seq'::regclass);
INSERT INTO public.chatrooms_default_boot VALUES (true);
INSERT INTO public.chatrooms_default_event VALUES (1, 3, 'id003', 1764331203.123, 'message', '\x7b2274657874223a227468697264227d', 'u1', 'Ada', 'u1', 'k3', '\x237b2274657874223a227468697264227d', false, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 1, 'id004', 1764331204.123, 'member.joined', '\x7b2275736572223a227532227d', 'u2', 'Bob é "quoted"', '', 'id004', '\x237b2275736572223a227532227d', true, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 2, 'id005', 1764331205.123, 'member.joined', '\x7b2275736572223a227533227d', 'u1', 'Ada', '', 'id005', '\x237b2275736572223a227533227d', true, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 3, 'id006', 1764331206.123, 'message', '\x7b2274657874223a22696e2074686520636c7562227d', 'u2', 'Bob é "quoted"', '', 'id006', '\x237b2274657874223a22696e2074686520636c7562227d', false, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (3, 1, 'id007', 1764331207.123, 'message', '\x7b2274657874223a226a757374207573227d', 'u1', 'Ada', '', 'id007', '\x237b2274657874223a226a757374207573227d', false, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (4, 1, 'id008', 1764331208.123, 'order', '\x7b2274657874223a226f72646572227d', 'u1', 'Ada', '', 'id008', '\x237b2274657874223a226f72646572227d', false, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 1, 'id001', 1764331201.123, 'message', '\x7b2274657874223a2266697273742c20656469746564227d', 'u1', 'Ada', 'u1', 'k1', '\x237b2274657874223a226669727374227d', false, NULL, 1764331209.123, false, 4);
INSERT INTO public.chatrooms_default_event VALUES (1, 4, 'id009', 1764331209.123, 'message.edited', '\x7b226d73674964223a226964303031222c22626f6479223a7b2274657874223a2266697273742c20656469746564227d7d', 'u1', 'Ada', 'u1', 'e1', '\x237b226d73674964223a226964303031222c22626f6479223a7b2274657874223a2266697273742c20656469746564227d7d', true, 'id001', NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 2, 'id002', 1764331202.123, 'message', '\x7b7d', 'u2', 'Bob é "quoted"', 'u2', 'k2', '\x237b2274657874223a227365636f6e64227d', false, NULL, NULL, true, 6);
INSERT INTO public.chatrooms_default_event VALUES (1, 5, 'id010', 1764331210.123, 'message.edited', '\x7b7d', 'u2', 'Bob é "quoted"', 'u2', 'e2', '\x237b226d73674964223a226964303032222c22626f6479223a7b2274657874223a227365637265742074776f227d7d', true, 'id002', NULL, true, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 6, 'id011', 1764331211.123, 'message.deleted', '\x7b226d73674964223a226964303032227d', 'u2', 'Bob é "quoted"', 'u2', 'x2', '\x237b226d73674964223a226964303032227d', true, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 4, 'id012', 1764331212.123, 'member.left', '\x7b2275736572223a227533227d', 'u1', 'Ada', '', 'id012', '\x237b2275736572223a227533227d', true, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_event VALUES (5, 1, 'id013', 1764331213.123, 'message', '\x7b2274657874223a2274657874206f66206120726f6f6d2074686174207761732064656c65746564227d', 'u1', 'Ada', '', 'id013', '\x237b2274657874223a2274657874206f66206120726f6f6d2074686174207761732064656c65746564227d', false, NULL, NULL, false, NULL);
INSERT INTO public.chatrooms_default_member VALUES (2, 'u1', 'Ada', 'owner', 1764331200.123);
INSERT INTO public.chatrooms_default_member VALUES (3, 'u1', 'Ada', 'owner', 1764331200.123);
INSERT INTO public.chatrooms_default_member VALUES (3, 'u2', 'Bob é "quoted"', 'member', 1764331200.623);
INSERT INTO public.chatrooms_default_member VALUES (1, 'u2', 'Bob é "quoted"', 'member', 0);
INSERT INTO public.chatrooms_default_member VALUES (2, 'u2', 'Bob é "quoted"', 'member', 1764331207.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm00', 'Member 0', 'member', 1764331200.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm01', 'Member 1', 'member', 1764331201.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm02', 'Member 2', 'member', 1764331202.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm03', 'Member 3', 'member', 1764331203.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm04', 'Member 4', 'member', 1764331204.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm05', 'Member 5', 'member', 1764331205.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm06', 'Member 6', 'member', 1764331206.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm07', 'Member 7', 'member', 1764331207.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm08', 'Member 8', 'member', 1764331208.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm09', 'Member 9', 'member', 1764331209.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm10', 'Member 10', 'member', 1764331210.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm11', 'Member 11', 'member', 1764331211.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm12', 'Member 12', 'member', 1764331212.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm13', 'Member 13', 'member', 1764331213.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm14', 'Member 14', 'member', 1764331214.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm15', 'Member 15', 'member', 1764331215.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm16', 'Member 16', 'member', 1764331216.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm17', 'Member 17', 'member', 1764331217.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm18', 'Member 18', 'member', 1764331218.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm19', 'Member 19', 'member', 1764331219.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm20', 'Member 20', 'member', 1764331220.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm21', 'Member 21', 'member', 1764331221.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm22', 'Member 22', 'member', 1764331222.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm23', 'Member 23', 'member', 1764331223.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm24', 'Member 24', 'member', 1764331224.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm25', 'Member 25', 'member', 1764331225.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm26', 'Member 26', 'member', 1764331226.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm27', 'Member 27', 'member', 1764331227.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm28', 'Member 28', 'member', 1764331228.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm29', 'Member 29', 'member', 1764331229.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm30', 'Member 30', 'member', 1764331230.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm31', 'Member 31', 'member', 1764331231.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm32', 'Member 32', 'member', 1764331232.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm33', 'Member 33', 'member', 1764331233.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm34', 'Member 34', 'member', 1764331234.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm35', 'Member 35', 'member', 1764331235.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm36', 'Member 36', 'member', 1764331236.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm37', 'Member 37', 'member', 1764331237.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm38', 'Member 38', 'member', 1764331238.123);
INSERT INTO public.chatrooms_default_member VALUES (1, 'm39', 'Member 39', 'member', 1764331239.123);
INSERT INTO public.chatrooms_default_meta VALUES ('version', '1');
INSERT INTO public.chatrooms_default_outbox VALUES (1, 'lobby', 'message', '\x7b2274657874223a2266726f6d20746865206f7574626f78227d', 'id014', 1764331214.123, 'u1', 'Ada', 'u1', 'o1', '\x237b2274657874223a2266726f6d20746865206f7574626f78227d');
INSERT INTO public.chatrooms_default_room VALUES (3, '~direct.abc', '7ab21e09b444544ba0c5e161', 1, 0, '', 'direct', '{}', 1764331200.123, NULL, false, false, 'u1', 'make-~direct.abc', '\x726f6f6d');
INSERT INTO public.chatrooms_default_room VALUES (4, '~user.abc', '28e6b62d39b4554ba9c39ee8', 1, 0, '', 'reserved', '{}', 1764331200.123, NULL, false, false, 'u1', 'make-~user.abc', '\x726f6f6d');
INSERT INTO public.chatrooms_default_room VALUES (1, 'lobby', '0c11c2013822e2125477a5ce', 6, 0, 'Lobby', 'public', '{}', 1764331200.123, NULL, false, false, 'u1', 'make-lobby', '\x726f6f6d');
INSERT INTO public.chatrooms_default_room VALUES (2, 'club', '1647f56a351a465c91a251d4', 4, 0, '', 'private', '{"color":"red"}', 1764331200.123, 'u1', false, true, 'u1', 'make-club', '\x726f6f6d');
INSERT INTO public.chatrooms_default_room VALUES (5, NULL, 'ce6849f11ca392f20572984c', 1, 0, '', 'deleted', '{}', 0, NULL, false, false, NULL, NULL, '\x');
INSERT INTO public.chatrooms_default_secret VALUES ('guests', 'TpdXspv0-hYo9mCiua7F8vglM_fDlL8kUFcrOBJallA');
SELECT pg_catalog.setval('public.chatrooms_default_outbox_id_seq', 1, true);
SELECT pg_catalog.setval('public.chatrooms_default_room_id_seq', 5, true);
ALTER TABLE ONLY public.chatrooms_default_event
    ADD CONSTRAINT chatrooms_default_event_pkey PRIMARY KEY (room_id, seq);
ALTER TABLE ONLY public.chatrooms_default_member
    ADD CONSTRAINT chatrooms_default_member_pkey PRIMARY KEY (room_id, user_id);
ALTER TABLE ONLY public.chatrooms_default_meta
    ADD CONSTRAINT chatrooms_default_meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.chatrooms_default_outbox
    ADD CONSTRAINT chatrooms_default_outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chatrooms_default_room
    ADD CONSTRAINT chatrooms_default_room_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chatrooms_default_secret
    ADD CONSTRAINT chatrooms_default_secret_pkey PRIMARY KEY (name);
CREATE UNIQUE INDEX chatrooms_default_event_key ON public.chatrooms_default_event USING btree (room_id, key_user, key_id);
CREATE INDEX chatrooms_default_event_line ON public.chatrooms_default_event USING btree (room_id, seq) WHERE (folded = false);
CREATE INDEX chatrooms_default_event_msg_id ON public.chatrooms_default_event USING btree (room_id, msg_id);
CREATE INDEX chatrooms_default_event_target ON public.chatrooms_default_event USING btree (room_id, target) WHERE (target IS NOT NULL);
CREATE INDEX chatrooms_default_member_user ON public.chatrooms_default_member USING btree (user_id, room_id);
CREATE INDEX chatrooms_default_room_listed ON public.chatrooms_default_room USING btree (visibility, name);
CREATE UNIQUE INDEX chatrooms_default_room_name ON public.chatrooms_default_room USING btree (name);
