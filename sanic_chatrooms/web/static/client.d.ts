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

export interface Sender { id: string; name: string }

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

export interface Thread { count: number; last: { seq: number; timestamp: number; sender: Sender | null } }

/** `url`: https, or a path of the server; `size` in bytes, `sha256` in hexadecimal, `width` and `height` in pixels. */
export interface Attachment { url: string; name: string; type: string; size: number; sha256: string; width?: number; height?: number }
export interface Body { text: string; parent?: string; mentions?: string[]; attachments?: Attachment[]; [key: string]: Json | Attachment[] | undefined }

export interface User { id: string; name: string; scopes: string[] }

export interface Welcome {
  sessionId: string;
  user: User;
  protocol: 1;
  heartbeat: { interval: number; timeout: number };
  limits: { maxFrame: number; maxText: number; maxRooms: number; historyPage: number; streams?: { room: number; user: number } };
  /** Features of this server: "direct", "history", "presence", "search", "typing" … */
  features: string[];
  expiresAt?: number;
  guestToken?: string;
}

export interface JoinAck {
  room: string; epoch: string; seq: number; recovered: boolean; messages: Envelope[]; more: boolean;
  role: string; title: string; online: number;
}
export interface SendAck { msgId: string; seq: number; timestamp: number; duplicate: boolean; room?: string }
export interface ChangeAck { seq: number; duplicate: boolean }
export interface PinAck { seq?: number; duplicate: boolean }
export interface ReactAck { seq?: number; duplicate: boolean; count: number }
export interface ReactionsAck { reactions: { emoji: string; user: Sender; at: number }[]; cursor?: string }
export interface PinsAck { messages: Envelope[]; total: number; cursor?: string }
export interface ThreadAck { message: Envelope; messages: Envelope[]; more: boolean }
export interface HistoryAck { messages: Envelope[]; more: boolean; epoch: string; seq: number }
export interface SearchAck {
  messages: (Envelope & { highlights: [number, number][] })[]; more: boolean; cursor?: string;
}
export interface MembersAck {
  members: { id: string; name: string; role: string; online: boolean; lastSeen?: number; bot?: true }[]; total: number; cursor?: string;
}
/** `unread`: at most 100; with `more` there are, or may be, more. `read`: you have read up to this number. */
export interface ReadAck { unread: number; more: boolean; mentions: number; read: number }
/** `first`: the number of the first unread message. */
export interface UnreadAck { rooms: Record<string, ReadAck & { first?: number }> }
export interface BadgeAck { rooms: number; mentions: number; more: boolean }
export interface Prefs { notify: "all" | "mentions" | "none"; favourite: boolean }
export interface PresenceAck { users: Sender[]; total: number; cursor?: string }
export interface RoomsAck {
  rooms: { room: string; title: string; visibility: "public" | "private" | "direct"; seq: number; unread: number;
    more: boolean; mentions: number; /** The newest message that you may see. */ last?: { seq: number; timestamp: number };
    /** What you prefer there, if you are a member. */ notify?: Prefs["notify"]; favourite?: true; archived?: true;
    online: number; /** The other user of a direct room. */ with?: Sender | null }[];
  cursor?: string;
}

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

/** `count`: how many users react with this emoji after the change. */
export interface Reaction { msgId: string; seq: number; emoji: string; user: Sender; count: number }

/** Events of the server that a UI usually needs. `on` takes any other name, too. */
export interface ServerEvents {
  message: Envelope<Body>;
  /** The current state of the message. Without `msgId`: an edit whose message was deleted later; ignore it. */
  "message.edited": Envelope<{ msgId?: string; seq?: number; body?: Body; edited?: number; closed?: true; ended?: string }>;
  /** A piece of a message that is being written. The client passes on all pieces of the messages on your pages, in order and without overlap. */
  "message.delta": Envelope<{ msgId: string; at: number; text: string }>;
  /** Somebody wants you to stop writing this message. */
  "message.cancelled": Envelope<{ msgId: string; by?: Sender }>;
  /** Of a reply: `parent`, and what is left of its thread. */
  "message.deleted": Envelope<{ msgId: string; seq: number; deleted: true; reason?: string; parent?: string; thread?: Thread | null }>;
  "message.pinned": Envelope<{ msgId: string; seq: number; by: Sender | null }>;
  "message.unpinned": Envelope<{ msgId: string; seq: number; by: Sender | null }>;
  "reaction.added": Envelope<Reaction>; "reaction.removed": Envelope<Reaction>;
  "member.joined": Envelope; "member.left": Envelope; "member.kicked": Envelope; "member.banned": Envelope;
  "member.muted": Envelope; "member.unmuted": Envelope; "member.role": Envelope; "room.updated": Envelope;
  /** Everyone who is typing now. */
  typing: Envelope<{ users: Sender[] }>;
  presence: Envelope<{ joined?: Sender[]; left?: Sender[]; renamed?: Sender[]; online: number }>;
  /** You have read the room up to there on another connection; or another member has, where the server says so. */
  read: Envelope<{ user: Sender; seq: number }>;
  /** You prefer this in the room, set on another connection. */
  prefs: Envelope<Prefs>;
  /** A message mentions you by your id, in any of your rooms. */
  mention: Envelope<{ room: string; msgId: string; seq: number; sender: Sender | null; text: string }>;
  /** The server added this connection to a room (a direct message arrived). `history` or `join` loads messages up to `seq`. */
  "room.added": Envelope<{ room: string; epoch: string; seq: number; with?: Sender; by?: Sender }>;
  "room.invited": Envelope<{ room: string; title: string; by?: Sender }>;
  "room.removed": Envelope<{ room: string; reason: string }>;
  closing: Envelope<{ reason: string; reconnectIn: number }>;
  reset: Envelope<{ room: string; epoch: string; seq: number; reason: string; rejoinIn: number }>;
  "auth.expiring": Envelope<{ at: number }>;
  notice: Envelope<{ title: string; content: string }>;
  update: Envelope<{ field: string; value: Json }>;
  redirect: Envelope<{ url: string }>;
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
  /** `around`: half below that number, half from there on. `replies: false` leaves replies out. */
  history(room: string, page?: { before?: number; after?: number; around?: number; replies?: boolean; limit?: number }): Promise<HistoryAck>;
  /** One page of the messages with all these words, newest first; `room: null`: in all of one's own rooms. `highlights` are ranges of
   * code points of `payload.text`: split it with `Array.from`. `before` needs a room. A page with `more` may be short or empty: ask on
   * with its `cursor`. */
  search(room: string | null, query: string, page?: { before?: number; cursor?: string; limit?: number }): Promise<SearchAck>;

  /**
   * Send any command, also one of your app. Resolves with the payload of the ack. Waits for the connection, for at most
   * `timeout` seconds. If you repeat a durable command under the same `msgId`, it is carried out once.
   */
  request<A = any>(type: string, options?: { room?: string; payload?: any; msgId?: string; timeout?: number }): Promise<A>;
}

export default ChatRooms;
