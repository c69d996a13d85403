-- The tables of version 2, with something of everything in them.
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
    changed bigint,
    parent bigint,
    related boolean
);
CREATE TABLE public.chatrooms_default_fact (
    room_id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL,
    seq bigint NOT NULL,
    since bigint NOT NULL
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
CREATE TABLE public.chatrooms_default_relation (
    room_id bigint NOT NULL,
    target bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    owner text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    "timestamp" double precision NOT NULL,
    sender_id text,
    sender_name text
);
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
    hash bytea NOT NULL,
    restricted bigint DEFAULT 0 NOT NULL
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
INSERT INTO public.chatrooms_default_event VALUES (2, 1, 'id004', 1764331204.123, 'member.joined', '\x7b2275736572223a227532227d', 'u2', 'Bob é "quoted"', '', 'id004', '\x237b2275736572223a227532227d', true, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 2, 'id005', 1764331205.123, 'member.joined', '\x7b2275736572223a227533227d', 'u1', 'Ada', '', 'id005', '\x237b2275736572223a227533227d', true, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 3, 'id006', 1764331206.123, 'message', '\x7b2274657874223a22696e2074686520636c7562227d', 'u2', 'Bob é "quoted"', '', 'id006', '\x237b2274657874223a22696e2074686520636c7562227d', false, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (3, 1, 'id007', 1764331207.123, 'message', '\x7b2274657874223a226a757374207573227d', 'u1', 'Ada', '', 'id007', '\x237b2274657874223a226a757374207573227d', false, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (4, 1, 'id008', 1764331208.123, 'order', '\x7b2274657874223a226f72646572227d', 'u1', 'Ada', '', 'id008', '\x237b2274657874223a226f72646572227d', false, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 1, 'id001', 1764331201.123, 'message', '\x7b2274657874223a2266697273742c20656469746564227d', 'u1', 'Ada', 'u1', 'k1', '\x237b2274657874223a226669727374227d', false, NULL, 1764331209.123, false, 4, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 4, 'id009', 1764331209.123, 'message.edited', '\x7b226d73674964223a226964303031222c22626f6479223a7b2274657874223a2266697273742c20656469746564227d7d', 'u1', 'Ada', 'u1', 'e1', '\x237b226d73674964223a226964303031222c22626f6479223a7b2274657874223a2266697273742c20656469746564227d7d', true, 'id001', NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 6, 'id011', 1764331211.123, 'message.deleted', '\x7b226d73674964223a226964303032227d', 'u2', 'Bob é "quoted"', 'u2', 'x2', '\x237b226d73674964223a226964303032227d', true, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 4, 'id012', 1764331212.123, 'member.left', '\x7b2275736572223a227533227d', 'u1', 'Ada', '', 'id012', '\x237b2275736572223a227533227d', true, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (5, 1, 'id013', 1764331213.123, 'message', '\x7b2274657874223a2274657874206f66206120726f6f6d2074686174207761732064656c65746564227d', 'u1', 'Ada', '', 'id013', '\x237b2274657874223a2274657874206f66206120726f6f6d2074686174207761732064656c65746564227d', false, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 2, 'id002', 1764331202.123, 'message', '\x7b7d', 'u2', 'Bob é "quoted"', 'u2', 'k2', '\x', false, NULL, NULL, true, 6, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 5, 'id010', 1764331210.123, 'message.edited', '\x7b7d', 'u2', 'Bob é "quoted"', 'u2', 'e2', '\x', true, 'id002', NULL, true, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 3, 'id003', 1764331203.123, 'message', '\x7b2274657874223a227468697264227d', 'u1', 'Ada', 'u1', 'k3', '\x237b2274657874223a227468697264227d', false, NULL, NULL, false, NULL, NULL, true);
INSERT INTO public.chatrooms_default_event VALUES (1, 7, 'id101', 1764331301.123, 'reaction.added', '\x7b22736571223a332c22636f756e74223a312c22656d6f6a69223a22f09f918d227d', 'u1', 'Ada', 'u1', 'r1', '\x2372', true, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 8, 'id102', 1764331302.123, 'message', '\x7b2274657874223a227265706c79227d', 'u1', 'Ada', 'u1', 't1', '\x2374', false, NULL, NULL, false, NULL, 3, NULL);
INSERT INTO public.chatrooms_default_event VALUES (1, 9, 'id103', 1764331303.123, 'member.banned', '\x7b2275736572223a227539227d', 'u1', 'Ada', 'u1', 'b1', '\x2362', true, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_event VALUES (2, 5, 'id104', 1764331304.123, 'room.updated', '\x7b22746f706963223a226e657773227d', 'u1', 'Ada', 'u1', 'p1', '\x2370', true, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm00', '\x7b226e616d65223a224d656d6265722030222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230302e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm01', '\x7b226e616d65223a224d656d6265722031222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230312e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm02', '\x7b226e616d65223a224d656d6265722032222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230322e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm03', '\x7b226e616d65223a224d656d6265722033222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230332e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm04', '\x7b226e616d65223a224d656d6265722034222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230342e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm05', '\x7b226e616d65223a224d656d6265722035222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230352e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm06', '\x7b226e616d65223a224d656d6265722036222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230362e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm07', '\x7b226e616d65223a224d656d6265722037222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230372e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm08', '\x7b226e616d65223a224d656d6265722038222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230382e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm09', '\x7b226e616d65223a224d656d6265722039222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230392e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm10', '\x7b226e616d65223a224d656d626572203130222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231302e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm11', '\x7b226e616d65223a224d656d626572203131222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231312e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm12', '\x7b226e616d65223a224d656d626572203132222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231322e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm13', '\x7b226e616d65223a224d656d626572203133222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231332e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm14', '\x7b226e616d65223a224d656d626572203134222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231342e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm15', '\x7b226e616d65223a224d656d626572203135222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231352e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm16', '\x7b226e616d65223a224d656d626572203136222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231362e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm17', '\x7b226e616d65223a224d656d626572203137222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231372e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm18', '\x7b226e616d65223a224d656d626572203138222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231382e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm19', '\x7b226e616d65223a224d656d626572203139222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313231392e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm20', '\x7b226e616d65223a224d656d626572203230222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232302e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm21', '\x7b226e616d65223a224d656d626572203231222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232312e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm22', '\x7b226e616d65223a224d656d626572203232222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232322e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm23', '\x7b226e616d65223a224d656d626572203233222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232332e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm24', '\x7b226e616d65223a224d656d626572203234222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232342e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm25', '\x7b226e616d65223a224d656d626572203235222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232352e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm26', '\x7b226e616d65223a224d656d626572203236222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232362e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm27', '\x7b226e616d65223a224d656d626572203237222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232372e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm28', '\x7b226e616d65223a224d656d626572203238222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232382e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm29', '\x7b226e616d65223a224d656d626572203239222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313232392e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm30', '\x7b226e616d65223a224d656d626572203330222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233302e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm31', '\x7b226e616d65223a224d656d626572203331222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233312e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm32', '\x7b226e616d65223a224d656d626572203332222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233322e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm33', '\x7b226e616d65223a224d656d626572203333222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233332e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm34', '\x7b226e616d65223a224d656d626572203334222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233342e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm35', '\x7b226e616d65223a224d656d626572203335222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233352e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm36', '\x7b226e616d65223a224d656d626572203336222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233362e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm37', '\x7b226e616d65223a224d656d626572203337222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233372e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm38', '\x7b226e616d65223a224d656d626572203338222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233382e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'm39', '\x7b226e616d65223a224d656d626572203339222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313233392e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'member', 'u2', '\x7b226e616d65223a22426f6220c3a9205c2271756f7465645c22222c22726f6c65223a226d656d626572222c226a6f696e65644174223a302e307d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (2, 'member', 'u1', '\x7b226e616d65223a22416461222c22726f6c65223a226f776e6572222c226a6f696e65644174223a313736343333313230302e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (2, 'member', 'u2', '\x7b226e616d65223a22426f6220c3a9205c2271756f7465645c22222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230372e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (3, 'member', 'u1', '\x7b226e616d65223a22416461222c22726f6c65223a226f776e6572222c226a6f696e65644174223a313736343333313230302e3132337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (3, 'member', 'u2', '\x7b226e616d65223a22426f6220c3a9205c2271756f7465645c22222c22726f6c65223a226d656d626572222c226a6f696e65644174223a313736343333313230302e3632337d', 0, 0);
INSERT INTO public.chatrooms_default_fact VALUES (1, 'ban', 'u9', '\x7b22756e74696c223a313736343333313939392e357d', 9, 9);
INSERT INTO public.chatrooms_default_fact VALUES (2, 'room', '', '\x7b227669736962696c697479223a2270726976617465222c22686973746f7279223a5b5b312c226d656d62657273225d2c5b302c226a6f696e6564225d5d2c227469746c65223a22222c22616e6e6f756e6365223a747275652c2261747472696275746573223a7b22636f6c6f72223a22726564227d2c22746f706963223a226e657773222c227065726d697373696f6e73223a7b7d2c22686973746f72795669736962696c697479223a226a6f696e6564222c22736c6f774d6f6465223a302c226172636869766564223a66616c73657d', 5, 5);
INSERT INTO public.chatrooms_default_meta VALUES ('version', '2');
INSERT INTO public.chatrooms_default_meta VALUES ('place', '7713256392979527804.00000001');
INSERT INTO public.chatrooms_default_outbox VALUES (1, 'lobby', 'message', '\x7b2274657874223a2266726f6d20746865206f7574626f78227d', 'id014', 1764331214.123, 'u1', 'Ada', 'u1', 'o1', '\x237b2274657874223a2266726f6d20746865206f7574626f78227d');
INSERT INTO public.chatrooms_default_relation VALUES (1, 3, '👍', 'u1', 7, 1764331301.123, 'u1', 'Ada');
INSERT INTO public.chatrooms_default_room VALUES (3, '~direct.abc', '7ab21e09b444544ba0c5e161', 1, 0, '', 'direct', '{}', 1764331200.123, NULL, false, false, 'u1', 'make-~direct.abc', '\x726f6f6d', 0);
INSERT INTO public.chatrooms_default_room VALUES (4, '~user.abc', '28e6b62d39b4554ba9c39ee8', 1, 0, '', 'reserved', '{}', 1764331200.123, NULL, false, false, 'u1', 'make-~user.abc', '\x726f6f6d', 0);
INSERT INTO public.chatrooms_default_room VALUES (5, NULL, 'ce6849f11ca392f20572984c', 1, 0, '', 'deleted', '{}', 0, NULL, false, false, NULL, NULL, '\x', 0);
INSERT INTO public.chatrooms_default_room VALUES (1, 'lobby', '0c11c2013822e2125477a5ce', 9, 0, 'Lobby', 'public', '{}', 1764331200.123, NULL, false, false, 'u1', 'make-lobby', '\x726f6f6d', 9);
INSERT INTO public.chatrooms_default_room VALUES (2, 'club', '1647f56a351a465c91a251d4', 5, 0, '', 'private', '{"color":"red"}', 1764331200.123, 'u1', false, true, 'u1', 'make-club', '\x726f6f6d', 5);
INSERT INTO public.chatrooms_default_secret VALUES ('guests', 'TpdXspv0-hYo9mCiua7F8vglM_fDlL8kUFcrOBJallA');
SELECT pg_catalog.setval('public.chatrooms_default_outbox_id_seq', 1, true);
SELECT pg_catalog.setval('public.chatrooms_default_room_id_seq', 5, true);
ALTER TABLE ONLY public.chatrooms_default_event
    ADD CONSTRAINT chatrooms_default_event_pkey PRIMARY KEY (room_id, seq);
ALTER TABLE ONLY public.chatrooms_default_fact
    ADD CONSTRAINT chatrooms_default_fact_pkey PRIMARY KEY (room_id, kind, key);
ALTER TABLE ONLY public.chatrooms_default_meta
    ADD CONSTRAINT chatrooms_default_meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.chatrooms_default_outbox
    ADD CONSTRAINT chatrooms_default_outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chatrooms_default_relation
    ADD CONSTRAINT chatrooms_default_relation_pkey PRIMARY KEY (room_id, target, key, owner);
ALTER TABLE ONLY public.chatrooms_default_room
    ADD CONSTRAINT chatrooms_default_room_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chatrooms_default_secret
    ADD CONSTRAINT chatrooms_default_secret_pkey PRIMARY KEY (name);
CREATE UNIQUE INDEX chatrooms_default_event_key ON public.chatrooms_default_event USING btree (room_id, key_user, key_id);
CREATE INDEX chatrooms_default_event_line ON public.chatrooms_default_event USING btree (room_id, seq) WHERE (folded = false);
CREATE INDEX chatrooms_default_event_msg_id ON public.chatrooms_default_event USING btree (room_id, msg_id);
CREATE INDEX chatrooms_default_event_parent ON public.chatrooms_default_event USING btree (room_id, parent, seq) WHERE (parent IS NOT NULL);
CREATE INDEX chatrooms_default_event_target ON public.chatrooms_default_event USING btree (room_id, target) WHERE (target IS NOT NULL);
CREATE INDEX chatrooms_default_fact_key ON public.chatrooms_default_fact USING btree (key, room_id, kind);
CREATE INDEX chatrooms_default_relation_key ON public.chatrooms_default_relation USING btree (room_id, key, seq);
CREATE INDEX chatrooms_default_room_listed ON public.chatrooms_default_room USING btree (visibility, name);
CREATE UNIQUE INDEX chatrooms_default_room_name ON public.chatrooms_default_room USING btree (name);
