-- The tables of version 1, with something of everything in them.
BEGIN TRANSACTION;
CREATE TABLE chatrooms_default_event (
	room_id BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	msg_id TEXT NOT NULL, 
	timestamp FLOAT NOT NULL, 
	type TEXT NOT NULL, 
	payload BLOB NOT NULL, 
	sender_id TEXT, 
	sender_name TEXT, 
	key_user TEXT, 
	key_id TEXT, 
	hash BLOB NOT NULL, 
	folded BOOLEAN NOT NULL, 
	target TEXT, 
	edited FLOAT, 
	deleted BOOLEAN NOT NULL, 
	changed BIGINT, 
	CONSTRAINT chatrooms_default_event_pkey PRIMARY KEY (room_id, seq)
);
INSERT INTO "chatrooms_default_event" VALUES(1,1,'id001',1764331201.123,'message',X'7B2274657874223A2266697273742C20656469746564227D','u1','Ada','u1','k1',X'237B2274657874223A226669727374227D',0,NULL,1764331209.123,0,4);
INSERT INTO "chatrooms_default_event" VALUES(1,2,'id002',1764331202.123,'message',X'7B7D','u2','Bob é "quoted"','u2','k2',X'237B2274657874223A227365636F6E64227D',0,NULL,NULL,1,6);
INSERT INTO "chatrooms_default_event" VALUES(1,3,'id003',1764331203.123,'message',X'7B2274657874223A227468697264227D','u1','Ada','u1','k3',X'237B2274657874223A227468697264227D',0,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(2,1,'id004',1764331204.123,'member.joined',X'7B2275736572223A227532227D','u2','Bob é "quoted"','','id004',X'237B2275736572223A227532227D',1,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(2,2,'id005',1764331205.123,'member.joined',X'7B2275736572223A227533227D','u1','Ada','','id005',X'237B2275736572223A227533227D',1,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(2,3,'id006',1764331206.123,'message',X'7B2274657874223A22696E2074686520636C7562227D','u2','Bob é "quoted"','','id006',X'237B2274657874223A22696E2074686520636C7562227D',0,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(3,1,'id007',1764331207.123,'message',X'7B2274657874223A226A757374207573227D','u1','Ada','','id007',X'237B2274657874223A226A757374207573227D',0,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(4,1,'id008',1764331208.123,'order',X'7B2274657874223A226F72646572227D','u1','Ada','','id008',X'237B2274657874223A226F72646572227D',0,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(1,4,'id009',1764331209.123,'message.edited',X'7B226D73674964223A226964303031222C22626F6479223A7B2274657874223A2266697273742C20656469746564227D7D','u1','Ada','u1','e1',X'237B226D73674964223A226964303031222C22626F6479223A7B2274657874223A2266697273742C20656469746564227D7D',1,'id001',NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(1,5,'id010',1764331210.123,'message.edited',X'7B7D','u2','Bob é "quoted"','u2','e2',X'237B226D73674964223A226964303032222C22626F6479223A7B2274657874223A227365637265742074776F227D7D',1,'id002',NULL,1,NULL);
INSERT INTO "chatrooms_default_event" VALUES(1,6,'id011',1764331211.123,'message.deleted',X'7B226D73674964223A226964303032227D','u2','Bob é "quoted"','u2','x2',X'237B226D73674964223A226964303032227D',1,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(2,4,'id012',1764331212.123,'member.left',X'7B2275736572223A227533227D','u1','Ada','','id012',X'237B2275736572223A227533227D',1,NULL,NULL,0,NULL);
INSERT INTO "chatrooms_default_event" VALUES(5,1,'id013',1764331213.123,'message',X'7B2274657874223A2274657874206F66206120726F6F6D2074686174207761732064656C65746564227D','u1','Ada','','id013',X'237B2274657874223A2274657874206F66206120726F6F6D2074686174207761732064656C65746564227D',0,NULL,NULL,0,NULL);
CREATE TABLE chatrooms_default_member (
	room_id BIGINT NOT NULL, 
	user_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	joined_at FLOAT NOT NULL, 
	CONSTRAINT chatrooms_default_member_pkey PRIMARY KEY (room_id, user_id)
);
INSERT INTO "chatrooms_default_member" VALUES(2,'u1','Ada','owner',1764331200.123);
INSERT INTO "chatrooms_default_member" VALUES(3,'u1','Ada','owner',1764331200.123);
INSERT INTO "chatrooms_default_member" VALUES(3,'u2','Bob é "quoted"','member',1764331200.623);
INSERT INTO "chatrooms_default_member" VALUES(1,'u2','Bob é "quoted"','member',0.0);
INSERT INTO "chatrooms_default_member" VALUES(2,'u2','Bob é "quoted"','member',1764331207.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m00','Member 0','member',1764331200.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m01','Member 1','member',1764331201.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m02','Member 2','member',1764331202.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m03','Member 3','member',1764331203.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m04','Member 4','member',1764331204.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m05','Member 5','member',1764331205.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m06','Member 6','member',1764331206.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m07','Member 7','member',1764331207.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m08','Member 8','member',1764331208.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m09','Member 9','member',1764331209.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m10','Member 10','member',1764331210.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m11','Member 11','member',1764331211.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m12','Member 12','member',1764331212.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m13','Member 13','member',1764331213.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m14','Member 14','member',1764331214.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m15','Member 15','member',1764331215.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m16','Member 16','member',1764331216.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m17','Member 17','member',1764331217.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m18','Member 18','member',1764331218.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m19','Member 19','member',1764331219.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m20','Member 20','member',1764331220.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m21','Member 21','member',1764331221.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m22','Member 22','member',1764331222.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m23','Member 23','member',1764331223.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m24','Member 24','member',1764331224.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m25','Member 25','member',1764331225.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m26','Member 26','member',1764331226.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m27','Member 27','member',1764331227.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m28','Member 28','member',1764331228.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m29','Member 29','member',1764331229.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m30','Member 30','member',1764331230.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m31','Member 31','member',1764331231.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m32','Member 32','member',1764331232.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m33','Member 33','member',1764331233.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m34','Member 34','member',1764331234.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m35','Member 35','member',1764331235.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m36','Member 36','member',1764331236.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m37','Member 37','member',1764331237.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m38','Member 38','member',1764331238.123);
INSERT INTO "chatrooms_default_member" VALUES(1,'m39','Member 39','member',1764331239.123);
CREATE TABLE chatrooms_default_meta (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "chatrooms_default_meta" VALUES('version','1');
CREATE TABLE chatrooms_default_outbox (
	id INTEGER NOT NULL, 
	room TEXT NOT NULL, 
	type TEXT NOT NULL, 
	payload BLOB NOT NULL, 
	msg_id TEXT NOT NULL, 
	timestamp FLOAT NOT NULL, 
	sender_id TEXT, 
	sender_name TEXT, 
	key_user TEXT, 
	key_id TEXT, 
	hash BLOB NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "chatrooms_default_outbox" VALUES(1,'lobby','message',X'7B2274657874223A2266726F6D20746865206F7574626F78227D','id014',1764331214.123,'u1','Ada','u1','o1',X'237B2274657874223A2266726F6D20746865206F7574626F78227D');
CREATE TABLE chatrooms_default_room (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT, 
	epoch TEXT NOT NULL, 
	head BIGINT NOT NULL, 
	floor BIGINT NOT NULL, 
	title TEXT NOT NULL, 
	visibility TEXT NOT NULL, 
	attributes TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	created_by TEXT, 
	auto BOOLEAN NOT NULL, 
	announce BOOLEAN NOT NULL, 
	key_user TEXT, 
	key_id TEXT, 
	hash BLOB NOT NULL
);
INSERT INTO "chatrooms_default_room" VALUES(1,'lobby','e03a14fad4dc314a856b6d3f',6,0,'Lobby','public','{}',1764331200.123,NULL,0,0,'u1','make-lobby',X'726F6F6D');
INSERT INTO "chatrooms_default_room" VALUES(2,'club','eb91b1d9341586eb89012cb3',4,0,'','private','{"color":"red"}',1764331200.123,'u1',0,1,'u1','make-club',X'726F6F6D');
INSERT INTO "chatrooms_default_room" VALUES(3,'~direct.abc','2b77d73eb8272b3ad9bc3970',1,0,'','direct','{}',1764331200.123,NULL,0,0,'u1','make-~direct.abc',X'726F6F6D');
INSERT INTO "chatrooms_default_room" VALUES(4,'~user.abc','d9882b2e67c70978cfdf305b',1,0,'','reserved','{}',1764331200.123,NULL,0,0,'u1','make-~user.abc',X'726F6F6D');
INSERT INTO "chatrooms_default_room" VALUES(5,NULL,'c80a51b3aadfd642e04109c1',1,0,'','deleted','{}',0.0,NULL,0,0,NULL,NULL,X'');
CREATE TABLE chatrooms_default_secret (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "chatrooms_default_secret" VALUES('guests','2h4cVlwWEoTdsGBop1GI6fuZqa0WpMt2CjhphdVbGbQ');
CREATE UNIQUE INDEX chatrooms_default_room_name ON chatrooms_default_room (name);
CREATE INDEX chatrooms_default_room_listed ON chatrooms_default_room (visibility, name);
CREATE INDEX chatrooms_default_event_msg_id ON chatrooms_default_event (room_id, msg_id);
CREATE INDEX chatrooms_default_event_target ON chatrooms_default_event (room_id, target) WHERE target IS NOT NULL;
CREATE UNIQUE INDEX chatrooms_default_event_key ON chatrooms_default_event (room_id, key_user, key_id);
CREATE INDEX chatrooms_default_event_line ON chatrooms_default_event (room_id, seq) WHERE folded = 0;
CREATE INDEX chatrooms_default_member_user ON chatrooms_default_member (user_id, room_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('chatrooms_default_room',5);
COMMIT;
