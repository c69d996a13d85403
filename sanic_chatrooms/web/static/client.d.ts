/**
 * The browser client of sanic_chatrooms: `import { ChatRooms } from "/chat/client.js"`.
 *
 *     const chat = new ChatRooms({ name: "Ada" });
 *     chat.on("message", (event) => show(event));          // every server event under its wire name
 *     chat.on("joined", ({ room, recovered, messages }) => { if (!recovered) replaceTimeline(room, messages); });
 *     await chat.connect();
 *     await chat.join("general");
 *     const { msgId, done } = chat.send("general", "hello");   // show it at once, dimmed, under `msgId`
 *
 * Times are Unix seconds and durations are seconds, as on the wire.
 *
 * **How a UI keeps the messages of a room correct**
 * - `joined` with `recovered: false`: replace the messages on screen with `messages` (the newest page of the timeline).
 * - `joined` with `recovered: true`: keep the messages on screen. Missed events follow at once, as ordinary events.
 * - `gap`: follows a `joined` with `recovered: false` if messages may be missing. Offer to reload the history.
 * - Every durable event arrives exactly once and in the order of `seq`. A page that you load with `history` may already
 *   contain later changes. `fold(message, event, me)` is the message after an event, and right in that case too.
 * - Show your own message when you call `send`. It is confirmed by an `outbox` event with status "sent" and by the
 *   event whose `clientMsgId` is its `msgId`. Both arrive, in either order.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A frame of the server. Items of a timeline also have the state of the message: `edited`, `deleted`, `changed` … */
export interface Envelope<P = any> {
  type: string;
  timestamp: number;
  payload: P;
  msgId?: string;
  room?: string;
  seq?: number;
  sender?: Sender;
  /** The `msgId` of the command that caused this event: the one that `send` returned. */
  clientMsgId?: string;
  replyTo?: string;
  /** When its current payload was written. Absent if it was never edited. */
  edited?: number;
  /** The message was deleted; its payload is {}. */
  deleted?: boolean;
  /** The `seq` of the newest change that it contains. */
  changed?: number;
  /** By emoji: how many users react with it, and whether you do. */
  reactions?: Record<string, { count: number; me?: boolean }>;
  /** The message is being written: so many characters (Unicode code points) are there. */
  streaming?: { at: number };
  /** How a stream ended that did not end well. */
  ended?: "cancelled" | "error" | "interrupted";
  /** Who pinned the message, and when; `by` is null if the app did. */
  pinned?: { by: Sender | null; at: number };
  /** Replies that are not deleted: how many, and the newest. */
  thread?: Thread;
}

/** An event of a message. After the message was deleted, it comes without its payload, as from a recovery: see `deleted`. */
export type Erasable<P> = (Envelope<P> & { deleted?: false }) | (Envelope<{ [K in keyof P]?: undefined }> & { deleted: true });

export interface Body { text: string; parent?: string; mentions?: string[]; attachments?: Attachment[]; [key: string]: Json | Attachment[] | undefined }

// ---- made by scripts/client_types.py, from the structs of the server ----
/** The user who caused an event, with the fields that everybody may see. */
export interface Sender { id: string; name: string }
/** The user, as the user's own connection is told. */
export interface User { id: string; name: string; scopes: string[]; amr?: string[] }
/** A file of a message. `url`: https, or a path of the app. `size` in bytes; `sha256` in hexadecimal; `width` and `height` in pixels. */
export interface Attachment { url: string; name: string; type: string; size: number; sha256: string; width?: number; height?: number }
/** What a message shows of its replies that are not deleted: how many, and the newest. */
export interface Thread { count: number; last: { seq: number; timestamp: number; sender: Sender | null } }
/** What a member prefers in a room. `notify`: all, mentions or none. */
export interface Prefs { notify: "all" | "mentions" | "none"; favourite: boolean }
/** The server knows who this is. */
export interface Welcome { sessionId: string; user: User; protocol: 1; heartbeat: { interval: number; timeout: number }; limits: { maxFrame: number; maxText: number; maxRooms: number; historyPage: number; streams: { room: number; user: number } }; features: string[]; guestToken?: string; expiresAt?: number }
/** The commands of the protocol: their payloads, and what their acks have. */
export interface Commands {
  /** Authenticate, refresh a token, name a guest, or ask for another heartbeat interval. */
  "auth": { payload: { token?: string; name?: string; heartbeat?: number }; ack: { user: User; heartbeat: { interval: number; timeout: number }; expiresAt?: number; guestToken?: string } };
  /** In how many of the user's rooms something is unread. Looks at the first 1,000. */
  "badge": { payload: {}; ack: { rooms: number; mentions: number; more: boolean } };
  /** Create the room of the two users if needed, put their connections into it, and store the message. Each step can be repeated. */
  "direct": { payload: { to: string; body: Body }; ack: { msgId: string; seq: number; timestamp: number; duplicate: boolean; room: string } };
  /** The connection stops receiving the room. Does nothing if it is not in it. */
  "exit": { room: string; payload: {}; ack: {} };
  /** Whether the actor, or another user, may do this in the room. */
  "explain": { room: string; payload: { action: string; user?: string }; ack: { allowed: boolean; rule: string; because: string; seq?: number } };
  /** A page of the timeline, or of the log. */
  "history": { room: string; payload: { before?: number; after?: number; limit?: number; replies?: boolean; around?: number; log?: boolean }; ack: { messages: Envelope[]; more: boolean; epoch: string; seq: number } };
  /** Put the session into the room. In a public room, a signed-in user also becomes a member. */
  "join": { room: string; payload: { since?: { epoch: string; seq: number }; history?: number }; ack: { room: string; epoch: string; seq: number; recovered: boolean; messages: Envelope[]; more: boolean; role: string; title: string; online: number } };
  /** End the user's membership, and take all their connections out of the room. */
  "leave": { room: string; payload: {}; ack: {} };
  /** Become a member by an invitation. */
  "member.accept": { room: string; payload: {}; ack: { role: string; seq: number; duplicate: boolean } };
  /** Make a user a member. Their connections are put into the room. */
  "member.add": { room: string; payload: { user: string; role?: string }; ack: { seq?: number; duplicate: boolean } };
  /** Ban a user from the room, for a time or for good: membership and invitation end. */
  "member.ban": { room: string; payload: { user: string; until?: number; reason?: string }; ack: { seq?: number; duplicate: boolean } };
  /** Refuse an invitation. */
  "member.decline": { room: string; payload: {}; ack: {} };
  /** Invite a user to the room. */
  "member.invite": { room: string; payload: { user: string; role?: string; reason?: string }; ack: { seq?: number; duplicate: boolean } };
  /** Take a member, or somebody who is invited, out of the room. */
  "member.kick": { room: string; payload: { user: string; reason?: string }; ack: { seq?: number; duplicate: boolean } };
  /** Let a user read and say nothing, for a time or for good. */
  "member.mute": { room: string; payload: { user: string; until?: number; reason?: string }; ack: { seq?: number; duplicate: boolean } };
  /** Give a member another role. */
  "member.role": { room: string; payload: { user: string; role: string }; ack: { seq?: number; duplicate: boolean } };
  /** End a ban. It restores neither membership nor invitation. */
  "member.unban": { room: string; payload: { user: string }; ack: { seq?: number; duplicate: boolean } };
  /** End a mute. */
  "member.unmute": { room: string; payload: { user: string }; ack: { seq?: number; duplicate: boolean } };
  /** A page of the members. */
  "members": { room: string; payload: { cursor?: string; limit?: number; query?: string }; ack: { members: { id: string; name: string; role: string; online: boolean; lastSeen: number | null; bot?: boolean }[]; total: number; cursor?: string } };
  /** Send a message. */
  "message": { room: string; payload: Body; ack: { msgId: string; seq: number; timestamp: number; duplicate: boolean } };
  /** Add a piece. */
  "message.append": { room: string; payload: { msgId: string; at: number; text: string }; ack: { at: number } };
  /** Ask the writer of a message to stop. */
  "message.cancel": { room: string; payload: { msgId: string }; ack: {} };
  /** Close a message, with the text that was written or with another body. */
  "message.close": { room: string; payload: { msgId: string; body?: Partial<Body> | null; reason?: "complete" | "cancelled" | "error" }; ack: { seq: number; duplicate: boolean } };
  /** Delete a message. Its body is erased. */
  "message.delete": { room: string; payload: { msgId: string; reason?: string }; ack: { seq: number; duplicate: boolean } };
  /** Give a message another body. */
  "message.edit": { room: string; payload: { msgId: string; body: Body }; ack: { seq: number; duplicate: boolean } };
  /** Begin a message that is going to be written. */
  "message.open": { room: string; payload: Body; ack: { msgId: string; seq: number; timestamp: number; duplicate: boolean; lease: number } };
  /** Pin a message. */
  "message.pin": { room: string; payload: { msgId: string }; ack: { seq?: number; duplicate: boolean } };
  /** The text of a message as it is now, from a character on. */
  "message.text": { room: string; payload: { msgId: string; from?: number }; ack: { at: number; text: string; streaming: boolean } };
  /** Take the pin off a message. */
  "message.unpin": { room: string; payload: { msgId: string }; ack: { seq?: number; duplicate: boolean } };
  /** Do nothing: the answer is all. */
  "ping": { payload: {}; ack: {} };
  /** A page of the pinned messages, of 256 KiB at most. */
  "pins": { room: string; payload: { cursor?: string; limit?: number }; ack: { messages: Envelope[]; total: number; cursor?: string } };
  /** Change or read what the user prefers in the room. */
  "prefs": { room: string; payload: { notify?: "all" | "mentions" | "none"; favourite?: boolean }; ack: Prefs };
  /** A page of the users who are in the room now. */
  "presence": { room: string; payload: { cursor?: string; limit?: number }; ack: { users: Sender[]; total: number; cursor?: string } };
  /** React to a message. */
  "reaction.add": { room: string; payload: { msgId: string; emoji: string }; ack: { seq?: number; duplicate: boolean; count: number } };
  /** Take one's reaction back. */
  "reaction.remove": { room: string; payload: { msgId: string; emoji: string }; ack: { seq?: number; duplicate: boolean; count: number } };
  /** A page of the users who reacted to a message. */
  "reactions": { room: string; payload: { msgId: string; emoji?: string; cursor?: string; limit?: number }; ack: { reactions: { emoji: string; user: Sender; at: number }[]; cursor?: string } };
  /** Move the marker of a member. Others have none. */
  "read": { room: string; payload: { seq: number; unread?: boolean }; ack: { unread: number; more: boolean; mentions: number; read: number } };
  /** Tell the moderators of a message. */
  "report": { room: string; payload: { msgId: string; reason: string }; ack: { id: string; duplicate: boolean } };
  /** Close a report with what was decided. */
  "report.close": { payload: { id: string; outcome: string }; ack: {} };
  /** A page of the reports of a room, or of all rooms that the actor moderates. */
  "reports": { room?: string; payload: { open?: boolean; cursor?: string; limit?: number }; ack: { reports: { id: string; room: string; msgId: string; reason: string; by: Sender | null; at: number; outcome?: string; held?: Record<string, any> }[]; cursor?: string } };
  /** A page of the bans or mutes that hold. */
  "restrictions": { room: string; payload: { kind: string; cursor?: string; limit?: number }; ack: { restrictions: { user: Sender; by: Sender | null; at: number; until?: number; reason?: string }[]; cursor?: string } };
  /** The room as it is now. */
  "room": { room: string; payload: {}; ack: { title: string; topic: string; visibility: string; attributes: Record<string, any>; permissions: Record<string, any>; historyVisibility: string; slowMode: number; announce: boolean; archived: boolean; role: string; level: number; may: string[]; members: number; online: number; createdBy: string | null; createdAt: number; creator?: boolean } };
  /** Create a room that the actor owns. */
  "room.create": { room?: string; payload: { title?: string; topic?: string; attributes?: any; visibility?: "public" | "private"; permissions?: Record<string, any>; historyVisibility?: string; slowMode?: number; announce?: boolean; archived?: boolean }; ack: { room: string; duplicate: boolean } };
  /** Delete the room with everything in it. */
  "room.delete": { room: string; payload: {}; ack: { duplicate: boolean } };
  /** Change properties of the room. */
  "room.update": { room: string; payload: { title?: string; topic?: string; attributes?: any; visibility?: "public" | "private"; permissions?: Record<string, any>; historyVisibility?: string; slowMode?: number; announce?: boolean; archived?: boolean }; ack: { seq?: number; duplicate: boolean } };
  /** Public rooms, or the actor's own. */
  "rooms": { payload: { mine?: boolean; cursor?: string; limit?: number; query?: string; invited?: boolean }; ack: { rooms: { room: string; title: string; visibility: "public" | "private" | "direct"; seq: number; unread: number; more: boolean; mentions: number; online: number; last?: { seq: number; timestamp: number }; notify?: "all" | "mentions" | "none"; favourite?: boolean; archived?: boolean; with?: Sender | null; by?: Sender }[]; cursor?: string } };
  /** A page of what matches. */
  "search": { room?: string; payload: { query: string; before?: number; cursor?: string; limit?: number }; ack: { messages: (Envelope & { highlights: [number, number][] })[]; more: boolean; cursor?: string } };
  /** A page of the replies to a message, which may be deleted. */
  "thread": { room: string; payload: { msgId: string; before?: number; after?: number; limit?: number }; ack: { message: Envelope; messages: Envelope[]; more: boolean } };
  /** Say that the user types, or has stopped: every worker is told. */
  "typing": { room: string; payload: { active?: boolean }; ack: {} };
  /** What the user has not read in these rooms. */
  "unread": { payload: { rooms: string[] }; ack: { rooms: Record<string, { unread: number; more: boolean; mentions: number; read: number; first?: number }> } };
  /** Block a user, who may be unknown. */
  "user.block": { payload: { user: string }; ack: {} };
  /** A page of the users whom the actor has blocked, in the order of their ids. */
  "user.blocked": { payload: { cursor?: string; limit?: number }; ack: { users: Sender[]; cursor?: string } };
  /** End a block, if there is one. */
  "user.unblock": { payload: { user: string }; ack: {} };
}
/** The events of the protocol. */
export interface WireEvents {
  /** The fields of a message's body that are checked. The body is stored as it was written. */
  "message": Erasable<Body>;
  /** `message.edited`: the message, and its present state. `edited`: when (Unix seconds). */
  "message.edited": Erasable<{ msgId: string; body: Body; edited?: number; seq: number; closed?: boolean; ended?: string }>;
  /** `message.deleted`. */
  "message.deleted": Envelope<{ msgId: string; deleted: boolean; reason?: string; seq: number; parent?: string; thread?: Thread | null }>;
  /** `message.pinned` and `message.unpinned`: the message, and who did it. */
  "message.pinned": Envelope<{ msgId: string; by: Sender | null; seq: number }>;
  /** `message.pinned` and `message.unpinned`: the message, and who did it. */
  "message.unpinned": Envelope<{ msgId: string; by: Sender | null; seq: number }>;
  /** `reaction.added` and `reaction.removed`. */
  "reaction.added": Envelope<{ msgId: string; emoji: string; user: Sender; seq: number; count: number }>;
  /** `reaction.added` and `reaction.removed`. */
  "reaction.removed": Envelope<{ msgId: string; emoji: string; user: Sender; seq: number; count: number }>;
  /** `member.joined`: who, with which role, and by whom if another user added them. */
  "member.joined": Envelope<{ user: Sender; role: string; by?: Sender }>;
  /** `member.joined`, `member.left` or `member.kicked`: about whom. */
  "member.left": Envelope<{ user: Sender }>;
  /** `member.kicked`, `member.banned`, `member.muted` and what ends them: about whom, by whom, until when (Unix seconds), and why. */
  "member.kicked": Envelope<{ user: Sender; by: Sender | null; until?: number; reason?: string }>;
  /** `member.kicked`, `member.banned`, `member.muted` and what ends them: about whom, by whom, until when (Unix seconds), and why. */
  "member.banned": Envelope<{ user: Sender; by: Sender | null; until?: number; reason?: string }>;
  /** `member.kicked`, `member.banned`, `member.muted` and what ends them: about whom, by whom, until when (Unix seconds), and why. */
  "member.unbanned": Envelope<{ user: Sender; by: Sender | null; until?: number; reason?: string }>;
  /** `member.kicked`, `member.banned`, `member.muted` and what ends them: about whom, by whom, until when (Unix seconds), and why. */
  "member.muted": Envelope<{ user: Sender; by: Sender | null; until?: number; reason?: string }>;
  /** `member.kicked`, `member.banned`, `member.muted` and what ends them: about whom, by whom, until when (Unix seconds), and why. */
  "member.unmuted": Envelope<{ user: Sender; by: Sender | null; until?: number; reason?: string }>;
  /** `member.invited`: who, with which role, and by whom. */
  "member.invited": Envelope<{ user: Sender; role: string; by: Sender | null }>;
  /** `member.joined`, `member.left` or `member.kicked`: about whom. */
  "member.declined": Envelope<{ user: Sender }>;
  /** `member.role`: about whom, the role that they have now, and who gave it; `by` is null if the app did. */
  "member.role": Envelope<{ user: Sender; role: string; by: Sender | null }>;
  /** `room.updated`: all properties as they are now, the names of those that are `changed`, and who changed them. */
  "room.updated": Envelope<{ title: string; topic: string; visibility: string; attributes: Record<string, any>; permissions: Record<string, any>; historyVisibility: string; slowMode: number; announce: boolean; archived: boolean; changed: string[]; by: Sender | null }>;
  /** The server knows who this is. */
  "welcome": Envelope<Welcome>;
  /** The token ends soon: at this time (Unix seconds). */
  "auth.expiring": Envelope<{ at: number }>;
  /** The server closes the connection; come back after so many seconds. */
  "closing": Envelope<{ reason: string; reconnectIn: number }>;
  /** Everybody who types now. */
  "typing": Envelope<{ users: Sender[] }>;
  /** How many users are in the room, and unless they are many, who came, went, or changed their names. */
  "presence": Envelope<{ online: number; joined?: Sender[]; left?: Sender[]; renamed?: Sender[] }>;
  /** A piece of a message that is being written: `text` stands at `at` (code points). */
  "message.delta": Envelope<{ msgId: string; at: number; text: string }>;
  /** To the writer of a message: stop. `by`: who wants so; null: the app, or nobody. */
  "message.cancelled": Envelope<{ msgId: string; by?: Sender }>;
  /** The connection is in this room now; events from `seq` + 1 follow. `partner`: of a direct room. */
  "room.added": Envelope<{ room: string; epoch: string; seq: number; with?: Sender; by?: Sender }>;
  /** A member has read the room up to this number. */
  "read": Envelope<{ user: Sender; seq: number }>;
  /** What the user prefers in the room, set by another of their connections. */
  "prefs": Envelope<{ notify: string; favourite: boolean }>;
  /** A message mentions the user by their id. `text`: its first 140 characters. */
  "mention": Envelope<{ room: string; msgId: string; seq: number; sender: Sender | null; text: string }>;
  /** The user is invited to this room. */
  "room.invited": Envelope<{ room: string; title: string; by?: Sender }>;
  /** A message was reported to the moderators of its room. It does not tell by whom. `held`: the app keeps it from being published. */
  "report": Envelope<{ id: string; room: string; msgId: string; reason: string; held?: boolean }>;
  /** The connection is in this room no longer: `left`, `kicked`, `banned`, `deleted` or `forbidden`. */
  "room.removed": Envelope<{ room: string; reason: string }>;
  /** There may be a gap: join the room again, after so many seconds. */
  "reset": Envelope<{ room: string; epoch: string; seq: number; reason: string; rejoinIn: number }>;
  /** `notice`: something that the app tells users. */
  "notice": Envelope<{ title: string; content: string }>;
  /** `update`: a value of the app's has changed. */
  "update": Envelope<{ field: string; value: any }>;
  /** `redirect`: the page should go to this address. */
  "redirect": Envelope<{ url: string }>;
}
// ---- until here ----

/** What the ack of a command has. */
export type Ack<T extends keyof Commands> = Commands[T]["ack"];
export type JoinAck = Ack<"join">;
export type SendAck = Ack<"message"> & { room?: string };
export type ChangeAck = Ack<"message.edit">;
export type PinAck = Ack<"message.pin">;
export type ReactAck = Ack<"reaction.add">;
export type ReactionsAck = Ack<"reactions">;
export type PinsAck = Ack<"pins">;
export type ThreadAck = Ack<"thread">;
export type HistoryAck = Ack<"history">;
export type SearchAck = Ack<"search">;
export type MembersAck = Ack<"members">;
/** `unread`: at most 100; with `more` there are, or may be, more. `read`: you have read up to this number. */
export type ReadAck = Ack<"read">;
/** `first`: the number of the first unread message. */
export type UnreadAck = Ack<"unread">;
export type BadgeAck = Ack<"badge">;
export type PresenceAck = Ack<"presence">;
export type RoomsAck = Ack<"rooms">;

/**
 * Why a promise was rejected.
 *
 * `code` is the server's (`room_not_found`, `muted`, `rate_limited` …) or one of the client's: `timeout` (no answer in
 * time), `lost` (the connection broke before the answer), `closed` (the client is closed), `discarded` (by `discard`).
 */
export class ChatError extends Error {
  readonly code: string;
  /** True if it may succeed later. */
  readonly temporary: boolean;
  /** The payload of the server's error: `retryAfter` of rate_limited, `until` of muted, `field` of invalid_field … */
  readonly details: Record<string, any>;
  /** Seconds to wait before trying again, if the server named them. */
  readonly retryAfter?: number;
}

/**
 * The message as it is after an event of its room: a new object, or the same one if the event does not concern it. `me` is the
 * id of the user who reads. Give it every event of the room in order; then the message is what a page of the server shows.
 */
export function fold(message: Envelope, event: Envelope, me?: string): Envelope;

/** Whether a client may reconnect after this close code (protocol, Close codes). */
export function reconnects(code: number): boolean;

/**
 * - `connecting`   the first attempt is under way
 * - `online`       the server has sent its welcome; rooms are being joined again (`joined` reports each)
 * - `reconnecting` the connection was lost; the next attempt is at `retryAt`, or under way if that is null
 * - `offline`      the same, and the browser reports that there is no network
 * - `closed`       the client does not connect: before `connect()`, after `disconnect()`, or after a final close code (4507: banned …)
 */
export type State = "connecting" | "online" | "reconnecting" | "offline" | "closed";

export interface StateEvent {
  state: State;
  /** When the next attempt begins: Unix seconds by this computer's clock, for display. Null if none is planned. */
  retryAt: number | null;
  /** Seconds until the next attempt, at the moment of the call. Setting the computer's clock does not change it. */
  readonly retryIn: number | null;
  /** The number of the attempt to reconnect, from 1; 0 before the first. Starts again after every welcome. */
  attempt: number;
  /**
   * How the client is, or was, connected. `http`: no WebSocket got through, so it uses REST and server-sent events. Then
   * `welcome.features` lacks `presence`, `typing` and `streams`, and events of rooms that you do not look at may come seconds later.
   */
  transport: "socket" | "http";
  /** The close code of the last connection: 1012 the server restarts, 4008 too slow, 4013 too fast … */
  code: number | null;
  reason: string;
  /** closed: the error of the server that ended it, if it told one: `until` and `reason` of a ban … Otherwise null. */
  error: ChatError | null;
}

/** A message on its way. It stays in `chat.outbox` until it is sent or discarded. */
export interface OutboxEntry {
  msgId: string;
  /** "message" or "direct", or the command of `edit`, `delete`, `react` and `createRoom`. */
  type: string;
  /** Undefined for `direct` (see `to`) and for a new room without an id. */
  room?: string;
  to?: string;
  body: any;
  /** queued: waits for the connection, the room or its turn · sending · sent · failed: call `retry` or `discard` */
  status: "queued" | "sending" | "sent" | "failed" | "discarded";
  /** failed: the reason; queued: the reason of the last failed attempt. */
  error: ChatError | null;
  /** sent: the server's ack. */
  ack: SendAck | null;
  /** When it was written: Unix seconds by this computer's clock. */
  createdAt: number;
}

export interface Sending<A = SendAck> {
  msgId: string;
  /**
   * Resolves when the server has stored the message. Rejects when it has failed or was discarded. Waits while the client
   * is offline. You may ignore it: the `outbox` event reports the same.
   */
  done: Promise<A>;
}

/** Events of the client. All other events are the server's, under their wire name, with the whole envelope. */
export interface ClientEvents {
  state: StateEvent;
  /** After each join and rejoin. `rejoin` is true if the client joined again by itself, after a reconnect, a hole or a `reset`. */
  joined: JoinAck & { rejoin: boolean };
  /** Missed messages of this room could not be recovered. `messages` is the newest page, as in the `joined` before. */
  gap: { room: string; epoch: string; seq: number; messages: Envelope[]; more: boolean };
  /** This client is no longer in the room and will not rejoin. `reason`: of `room.removed`, or the code of a refused rejoin. */
  removed: { room: string; reason: string; error: ChatError | null };
  outbox: OutboxEntry;
  /** The user of this connection, after `welcome` and after each change. */
  user: User;
  /** An error that no promise reports: the token callback failed, the name was refused, or a refresh was refused. */
  problem: { during: "token" | "name" | "refresh"; error: Error };
  welcome: Envelope<Welcome>;
}

/**
 * Events of the server. `on` takes any other name, too.
 *
 * - `message.edited` without `msgId`: an edit whose message was deleted later; ignore it.
 * - `message.delta`: the client passes on all pieces of the messages on your pages, in order and without overlap.
 * - `room.added`: the server added this connection to a room (a direct message arrived). `history` or `join` loads messages up to `seq`.
 */
export interface ServerEvents extends WireEvents {
  /** Every event of the server, after its own listeners. */
  "*": Envelope;
}

export interface KeyValue { get(key: string): string | null | undefined; set(key: string, value: string): void; remove(key: string): void }

export interface Options {
  /**
   * The address of the socket: `/chat/ws`, `wss://…`. Default: `ws` beside `client.js`, if the page imports that file from
   * the chat server. A bundle has no default: the constructor throws a `TypeError` without `url`.
   */
  url?: string;
  /** The user's token, or a function that returns one (null: none). The function is called again when a token expires. */
  token?: string | null | (() => string | null | Promise<string | null>);
  /** A guest's name. Default: the name in `storage`. */
  name?: string;
  /** Keeps a guest's token and name, for example `localStorage`. Default: `sessionStorage`, or memory without it. */
  storage?: Storage | KeyValue;
  /** Seconds after which a request without an answer is rejected with `timeout`. Default: 10. */
  timeout?: number;
  /** Seconds of silence before a ping. The server limits it. Default: the server's. */
  heartbeat?: number;
  /** The wait before the n-th attempt is random between 0 and min(longest, first·2ⁿ) seconds. Defaults: 1 and 30. */
  backoff?: { first?: number; longest?: number };
  /**
   * Where REST is, for a network that lets no WebSocket through: after three sockets of which nothing was heard, the client uses it and
   * server-sent events, until a socket gets through again. Default: `api` beside a socket at `…/ws` or `…/ws/<room>`; null: never.
   */
  api?: string | null;
  /** For Node and for tests. */
  WebSocket?: new (url: string, protocols?: string[]) => any;
  /** For tests. */
  fetch?: typeof fetch;
  /** 0 … 1, for tests. */
  random?: () => number;
}

/** A message that this client writes. Pieces that are written while one is on its way go together with the next. */
export interface Stream {
  /** The server's id of the message, when it is open. Rejects if it cannot be opened. */
  readonly opened: Promise<string>;
  readonly msgId: string | null;
  /** What was written so far. */
  readonly text: string;
  /** Who wants it to stop; null: nobody, or the app. */
  readonly cancelledBy: Sender | null;
  /** Called when somebody wants it to stop. Then close it: `close({ reason: "cancelled" })`. */
  oncancel: ((by: Sender | null) => void) | null;
  /** Add a piece. Throws if the message is closed. */
  write(text: string): void;
  /** Close it, when everything is sent. A `body` without `text` keeps what was written. Rejects if the message was lost meanwhile. */
  close(options?: { reason?: "complete" | "cancelled" | "error"; body?: Partial<Body> }): Promise<ChangeAck>;
}

export class ChatRooms {
  constructor(options?: Options);

  // ---- state ----
  readonly state: State;
  /** The last `state` event. */
  readonly status: StateEvent;
  /** Null until the first welcome. */
  readonly user: User | null;
  readonly welcome: Welcome | null;
  /** The guest's name, from the options or the storage. Null before one was chosen (a first visit). */
  readonly name: string | null;
  /** Rooms that this client is in, or joins as soon as it is online. */
  readonly joinedRooms: string[];
  /** Whether this connection is in the room now. */
  isJoined(room: string): boolean;
  /** Messages that are queued, being sent or failed, oldest first. */
  readonly outbox: OutboxEntry[];

  // ---- connection ----
  /** Connect. Resolves at the first welcome. Retries for ever (see `state`), and rejects only when the state becomes `closed`. */
  connect(): Promise<Welcome>;
  /** Close the connection and do not reconnect. The `state` event has `reason`. Outbox and rooms stay for another `connect()`. */
  disconnect(reason?: string): void;
  /** Start the next attempt now ("Try now"). The client does the same when the page becomes visible or the network returns. */
  reconnectNow(): void;
  /** Replace the token by another one of the same user. While online, it is sent at once. */
  setToken(token: Options["token"]): Promise<void>;
  /** Change a guest's name and remember it. */
  rename(name: string): Promise<User>;

  // ---- events ----
  /** Returns a function that removes the listener. */
  on<K extends keyof ClientEvents>(type: K, fn: (event: ClientEvents[K]) => void): () => void;
  on<K extends keyof ServerEvents>(type: K, fn: (event: ServerEvents[K]) => void): () => void;
  on(type: string, fn: (event: Envelope) => void): () => void;
  off(type: string, fn: (event: any) => void): void;

  // ---- rooms ----
  /**
   * Join a room, and join it again after every reconnect. If the client is in it already, this loads its newest page again.
   * After a rejection with `timeout` or another temporary code, the client keeps trying (`joined` reports success).
   * After any other code it gives up.
   */
  join(room: string, options?: { history?: number }): Promise<JoinAck>;
  /**
   * Tell the client which room the user looks at: where no WebSocket gets through, that one's events come at once.
   * Joining a room says so too (unless with `history: 0`), and so do `send`, `history`, `read` and `typing`.
   */
  look(room: string): void;
  /** Stop receiving the room's events on this connection. */
  exit(room: string): Promise<void>;
  /** End the user's membership, on all connections. */
  leave(room: string): Promise<void>;
  createRoom(room?: { room?: string; title?: string; visibility?: "public" | "private"; attributes?: Record<string, Json> }):
    Promise<{ room: string; duplicate: boolean }>;
  rooms(page?: { mine?: boolean; cursor?: string; limit?: number }): Promise<RoomsAck>;
  members(room: string, page?: { cursor?: string; limit?: number }): Promise<MembersAck>;
  presence(room: string, page?: { cursor?: string; limit?: number }): Promise<PresenceAck>;

  // ---- messages ----
  /** A string stands for `{text}`. The outbox keeps the message while offline, sends in order, and has it stored once. */
  send(room: string, body: string | Body): Sending;
  /** Send to one user. `ack.room` is the room; `room.added` announces it if it is new to this client. */
  direct(to: string, body: string | Body): Sending;
  /**
   * Take over a message from the `outbox` of an earlier page of the same user, under its `msgId`: it is sent, or with an `error` it has failed.
   * Null if it is here already. The server stores a `msgId` once if it comes again within 300 s. If it was `sending` longer ago,
   * look into the room's `history` for its `clientMsgId` first.
   */
  restore(entry: Pick<OutboxEntry, "msgId" | "type" | "room" | "to" | "body" | "createdAt"> & { error?: ChatError | null }): Sending | null;
  /** Send a failed message again, in its place, under the same `msgId`. Null if there is none. */
  retry(msgId: string): Sending | null;
  /** Remove a failed or queued message. False if it is neither (it may be on its way). */
  discard(msgId: string): boolean;
  /** `msgId` is the server's, in the message's envelope. Repeated for up to 30 s while the outcome is unknown. */
  edit(room: string, msgId: string, body: string | Body): Promise<ChangeAck>;
  /** `reason`: why a moderator does it; all who are there learn it. */
  delete(room: string, msgId: string, options?: { reason?: string }): Promise<ChangeAck>;
  /**
   * `on: false` removes the reaction. `react`, `pin`, `thread`, `read` and `search` need `reactions`, `pins`, `threads`, `unread`
   * and `search` in `welcome.features`; without it they are rejected at once with `unknown_command`.
   */
  react(room: string, msgId: string, emoji: string, on?: boolean): Promise<ReactAck>;
  /** Who reacted to a message, the newest first. */
  reactions(room: string, msgId: string, page?: { emoji?: string; cursor?: string; limit?: number }): Promise<ReactionsAck>;
  /** `on: false` takes the pin off. */
  pin(room: string, msgId: string, on?: boolean): Promise<PinAck>;
  pins(room: string, page?: { cursor?: string; limit?: number }): Promise<PinsAck>;
  /** The message as it is now, and a page of its replies: the newest, or those `before` or `after` a number. */
  thread(room: string, msgId: string, page?: { before?: number; after?: number; limit?: number }): Promise<ThreadAck>;
  /** Hear nothing more from a user: no direct messages, invitations or mentions. `on: false` ends it. Nobody else learns of it. */
  block(user: string, on?: boolean): Promise<{}>;
  /** Whom you have blocked, in the order of their ids. */
  blocked(page?: { cursor?: string; limit?: number }): Promise<{ users: Sender[]; cursor?: string }>;
  /** Write a message piece by piece: `const out = chat.stream("support"); out.write("…"); await out.close()`. It needs "streams" in `welcome.features`. */
  stream(room: string, body?: string | Body): Stream;
  /** Ask the writer of a message to stop. */
  cancel(room: string, msgId: string): Promise<{}>;
  /** Call this for every key: it sends at most once every 3 s. Does nothing while offline. */
  typing(room: string, active?: boolean): void;
  /** Mark messages up to `seq` as read; with `unread`, that one and all that follow as unread. */
  read(room: string, seq: number, options?: { unread?: boolean }): Promise<ReadAck>;
  /** What you have not read in up to 100 rooms. Rooms that you may not see are left out. */
  unread(rooms: string[]): Promise<UnreadAck>;
  /** In how many of your rooms something is unread. */
  badge(): Promise<BadgeAck>;
  /** What you prefer in a room: change it, or without `change` read it. */
  prefs(room: string, change?: Partial<Prefs>): Promise<Prefs>;
  /** `around`: half below that number, half from there on. `replies: false` leaves replies out. `log`: all durable events. */
  history(room: string, page?: { before?: number; after?: number; around?: number; replies?: boolean; limit?: number; log?: boolean }): Promise<HistoryAck>;
  /** One page of the messages with all these words, newest first; `room: null`: in all of one's own rooms. `highlights` are ranges of
   * code points of `payload.text`: split it with `Array.from`. `before` needs a room. A page with `more` may be short or empty: ask on
   * with its `cursor`. */
  search(room: string | null, query: string, page?: { before?: number; cursor?: string; limit?: number }): Promise<SearchAck>;

  /**
   * Send any command, also one of your app. Resolves with the payload of the ack. Waits for the connection, for at most
   * `timeout` seconds. If you repeat a durable command under the same `msgId`, it is carried out once.
   */
  request<T extends keyof Commands>(
    type: T, options?: { room?: string; payload?: Commands[T]["payload"]; msgId?: string; timeout?: number },
  ): Promise<Ack<T>>;
  request<A = any, T extends string = string>(
    type: T extends keyof Commands ? never : T, options?: { room?: string; payload?: any; msgId?: string; timeout?: number },
  ): Promise<A>;
}

export default ChatRooms;
