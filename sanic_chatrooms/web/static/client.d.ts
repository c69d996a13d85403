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
 * Times are Unix seconds and durations are seconds, as on the wire; so is `retryAt`.
 *
 * **How a UI keeps a room's messages right**
 * - `joined` with `recovered: false`: replace what is shown by `messages` (the newest page of the timeline).
 * - `joined` with `recovered: true`: keep what is shown; what was missed follows at once as ordinary events.
 * - `gap`: directly after such a `joined` where something was missed for good: offer to reload the history.
 * - Every durable event comes exactly once and in order of `seq`. A page that is loaded with `history` may already
 *   contain later changes: skip a change whose `seq` is not above the message's `changed`.
 * - An own message: shown by `send`, confirmed by whichever comes first of `outbox` (status "sent") and the event whose
 *   `clientMsgId` is its `msgId`. Both come, in either order.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Sender { id: string; name: string }

/** What the server sends. Timeline items have more beside the payload: what became of the message. */
export interface Envelope<P = any> {
  type: string;
  timestamp: number;
  payload: P;
  msgId?: string;
  room?: string;
  seq?: number;
  sender?: Sender;
  /** The `msgId` of the command that caused it: matches what `send` returned. */
  clientMsgId?: string;
  replyTo?: string;
  /** When its present payload was written, if that is not the first. */
  edited?: number;
  /** Its payload is {}. */
  deleted?: boolean;
  /** The `seq` of the newest change that is in it. */
  changed?: number;
  reactions?: Record<string, { count: number; me: boolean }>;
  thread?: { count: number; last: number };
}

export interface Body { text: string; parent?: string; mentions?: string[]; [key: string]: Json | undefined }

export interface User { id: string; name: string; scopes: string[] }

export interface Welcome {
  sessionId: string;
  user: User;
  protocol: 1;
  heartbeat: { interval: number; timeout: number };
  limits: { maxFrame: number; maxText: number; maxRooms: number; historyPage: number };
  /** What this server can do: "direct", "history", "presence", "search", "typing" … */
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
export interface HistoryAck { messages: Envelope[]; more: boolean; epoch: string; seq: number }
export interface MembersAck {
  members: { id: string; name: string; role: string; online: boolean; lastSeen?: number }[]; total: number; cursor?: string;
}
export interface PresenceAck { users: Sender[]; total: number; cursor?: string }
export interface RoomsAck {
  rooms: { room: string; title: string; visibility: "public" | "private" | "direct"; seq: number; unread: number;
    online: number; /** The other one, in a direct room. */ with?: Sender | null }[];
  cursor?: string;
}

/**
 * Why a promise was rejected.
 *
 * `code`: the server's (`room_not_found`, `muted`, `rate_limited` …), or one of ours: `timeout` (no answer in time),
 * `lost` (the connection broke before the answer), `closed` (the client is closed), `discarded` (by `discard`).
 */
export class ChatError extends Error {
  readonly code: string;
  /** Trying again later can succeed. */
  readonly temporary: boolean;
  /** All that the server said: `retryAfter` of rate_limited, `until` of muted, `field` of invalid_field … */
  readonly details: Record<string, any>;
  /** Seconds, where the server said so. */
  readonly retryAfter?: number;
}

/** Whether a connection that was closed with this code may be opened again (protocol, Close codes). */
export function reconnects(code: number): boolean;

/**
 * - `connecting`   the first attempt is under way
 * - `online`       the server has welcomed us; rooms are being joined again (`joined` says when each one is)
 * - `reconnecting` the connection was lost; the next attempt is at `retryAt`, or under way where that is null
 * - `offline`      the same, and the browser says that there is no network
 * - `closed`       nobody tries any more: not begun, `disconnect()`, or a code that forbids it (4507: banned …)
 */
export type State = "connecting" | "online" | "reconnecting" | "offline" | "closed";

export interface StateEvent {
  state: State;
  /** When the next attempt begins, Unix seconds by this computer's clock, to be shown; null where none is planned. */
  retryAt: number | null;
  /** Seconds until the next attempt, at the moment you ask; a clock that somebody sets does not change it. */
  readonly retryIn: number | null;
  /** Which attempt to come back this is, from 1; 0: none yet. Begins anew after every connection that was welcomed. */
  attempt: number;
  /** How the last connection ended: 1012 the server restarts, 4008 too slow, 4013 too fast … */
  code: number | null;
  reason: string;
}

/** A message that is under way. It stays in `chat.outbox` until it is sent or discarded. */
export interface OutboxEntry {
  msgId: string;
  /** "message" or "direct"; for `edit`, `delete`, `react` and `createRoom` their command. */
  type: string;
  /** Undefined for `direct` (see `to`) and for a room without id yet. */
  room?: string;
  to?: string;
  body: any;
  /** queued: waits for the connection, the room, or its turn · sending · sent · failed: `retry` or `discard` it */
  status: "queued" | "sending" | "sent" | "failed" | "discarded";
  /** failed: why; queued: why it was not sent the last time. */
  error: ChatError | null;
  /** sent: what the server says of it. */
  ack: SendAck | null;
  /** When it was written, Unix seconds by this computer's clock. */
  createdAt: number;
}

export interface Sending<A = SendAck> {
  msgId: string;
  /**
   * Resolves when the server has stored it, rejects when it has failed or was discarded; waits as long as we are
   * offline. Nobody has to look at it: the `outbox` event says the same.
   */
  done: Promise<A>;
}

/** Client-side events; all others are the server's, under their wire name, with the whole envelope. */
export interface ClientEvents {
  state: StateEvent;
  /** After each join and rejoin. `rejoin`: not by `join()`, but by us, after a reconnect, a hole or a `reset`. */
  joined: JoinAck & { rejoin: boolean };
  /** What was missed in this room could not be recovered. `messages` is the newest page, as in the `joined` before it. */
  gap: { room: string; epoch: string; seq: number; messages: Envelope[]; more: boolean };
  /** We are no longer in this room and will not try again: `reason` of `room.removed`, or the code of a refused rejoin. */
  removed: { room: string; reason: string; error: ChatError | null };
  outbox: OutboxEntry;
  /** Who we are, after `welcome` and after each change. */
  user: User;
  /** Something that no promise tells: the token callback failed, our name was refused, a refresh was refused. */
  problem: { during: "token" | "name" | "refresh"; error: Error };
  welcome: Envelope<Welcome>;
}

/** The server's events of which a UI usually wants to hear. Any other name is fine, too. */
export interface ServerEvents {
  message: Envelope<Body>;
  /** What the message is now. Without `msgId`: of an edit whose message was deleted later, nothing is left to be shown. */
  "message.edited": Envelope<{ msgId?: string; seq?: number; body?: Body; edited?: number }>;
  "message.deleted": Envelope<{ msgId: string; seq: number; deleted: true }>;
  "reaction.added": Envelope; "reaction.removed": Envelope;
  "member.joined": Envelope; "member.left": Envelope; "member.kicked": Envelope; "member.banned": Envelope;
  "member.muted": Envelope; "member.unmuted": Envelope; "member.role": Envelope; "room.updated": Envelope;
  /** Everyone who is typing now. */
  typing: Envelope<{ users: Sender[] }>;
  presence: Envelope<{ joined?: Sender[]; left?: Sender[]; renamed?: Sender[]; online: number }>;
  read: Envelope;
  /** We are now in this room (a direct message came). `history` or `join` brings what was before `seq`. */
  "room.added": Envelope<{ room: string; epoch: string; seq: number; with?: Sender }>;
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
   * Of the socket: `/chat/ws`, `wss://…`. Default: `ws` beside this module, where the page imports it from the chat
   * server as `client.js`. In a bundle there is no default, and leaving it out is a `TypeError`.
   */
  url?: string;
  /** Who we are: a token, or a function that brings one (null: none). Asked again before and after it expires. */
  token?: string | null | (() => string | null | Promise<string | null>);
  /** What a guest wants to be called. Default: what `storage` remembers. */
  name?: string;
  /** Where a guest's token and name are kept; `localStorage` is fine. Default: `sessionStorage`, else memory. */
  storage?: Storage | KeyValue;
  /** Seconds until an unanswered request is rejected with `timeout`. Default 10. */
  timeout?: number;
  /** Seconds of silence that we would like before a ping; the server bounds it. Default: the server's. */
  heartbeat?: number;
  /** Waiting before the n-th attempt: random between 0 and min(longest, first·2ⁿ) seconds. Default 1 and 30. */
  backoff?: { first?: number; longest?: number };
  /** For Node and for tests. */
  WebSocket?: new (url: string, protocols?: string[]) => any;
  /** For tests. */
  fetch?: typeof fetch;
  /** 0 … 1, for tests. */
  random?: () => number;
}

export class ChatRooms {
  constructor(options?: Options);

  // ---- what is so now ----
  readonly state: State;
  /** The last `state` event. */
  readonly status: StateEvent;
  /** Null until the first welcome. */
  readonly user: User | null;
  readonly welcome: Welcome | null;
  /** The guest's name as wished or remembered; null: none was chosen yet (a first visit). */
  readonly name: string | null;
  /** Rooms that we are in, or get into as soon as we can. */
  readonly joinedRooms: string[];
  /** Whether this connection is in the room at this moment. */
  isJoined(room: string): boolean;
  /** Oldest first: what is queued, being sent, or failed. */
  readonly outbox: OutboxEntry[];

  // ---- connection ----
  /** Begin; resolves at the first welcome. Tries for ever (see `state`); rejects only when it ends in `closed`. */
  connect(): Promise<Welcome>;
  /** End it for good; `reason` comes with the `state` event. The outbox and the rooms stay for another `connect()`. */
  disconnect(reason?: string): void;
  /** Do not wait for the next attempt: "Try now". Looking at the page, or a network that is back, does the same. */
  reconnectNow(): void;
  /** Another token of the same user; presented at once where we are connected. */
  setToken(token: Options["token"]): Promise<void>;
  /** Name a guest. Remembered. */
  rename(name: string): Promise<User>;

  // ---- events ----
  /** Returns the function that ends it. */
  on<K extends keyof ClientEvents>(type: K, fn: (event: ClientEvents[K]) => void): () => void;
  on<K extends keyof ServerEvents>(type: K, fn: (event: ServerEvents[K]) => void): () => void;
  on(type: string, fn: (event: Envelope) => void): () => void;
  off(type: string, fn: (event: any) => void): void;

  // ---- rooms ----
  /**
   * Enter a room, and enter it again after every reconnect. Already in it: its newest page anew.
   * A rejection with `timeout` or another temporary code does not give it up (`joined` tells); any other code does.
   */
  join(room: string, options?: { history?: number }): Promise<JoinAck>;
  /** Stop receiving the room. */
  exit(room: string): Promise<void>;
  /** End the membership, on all connections. */
  leave(room: string): Promise<void>;
  createRoom(room?: { room?: string; title?: string; visibility?: "public" | "private"; attributes?: Record<string, Json> }):
    Promise<{ room: string; duplicate: boolean }>;
  rooms(page?: { mine?: boolean; cursor?: string; limit?: number }): Promise<RoomsAck>;
  members(room: string, page?: { cursor?: string; limit?: number }): Promise<MembersAck>;
  presence(room: string, page?: { cursor?: string; limit?: number }): Promise<PresenceAck>;

  // ---- messages ----
  /** A string is short for `{text}`. Through the outbox: kept while offline, in order, stored once. */
  send(room: string, body: string | Body): Sending;
  /** To one user. The room comes with `ack.room`, and with `room.added` where it is new to us. */
  direct(to: string, body: string | Body): Sending;
  /** Try a failed one again, in its place, under the same `msgId`. Null where there is none. */
  retry(msgId: string): Sending | null;
  /** Give up one that is failed or queued. False where it is none of these (it may be under way). */
  discard(msgId: string): boolean;
  /** `msgId` is the server's, of the message's envelope. Repeated for up to 30 s where the outcome is not known. */
  edit(room: string, msgId: string, body: string | Body): Promise<ChangeAck>;
  delete(room: string, msgId: string): Promise<ChangeAck>;
  /**
   * `on` false takes it back. This, `read` and `search` need `reactions`, `unread` and `search` in `welcome.features`:
   * where a server does not offer one, it is rejected at once with `unknown_command`.
   */
  react(room: string, msgId: string, emoji: string, on?: boolean): Promise<ChangeAck>;
  /** Call it for every key: repeated at most every 3 s. Offline it does nothing. */
  typing(room: string, active?: boolean): void;
  /** Read up to `seq`. */
  read(room: string, seq: number): Promise<{ unread: number }>;
  history(room: string, page?: { before?: number; after?: number; limit?: number }): Promise<HistoryAck>;
  search(room: string, query: string, page?: { before?: number; limit?: number }): Promise<{ messages: Envelope[]; more: boolean }>;

  /**
   * Any command, also a host's own; resolves with the payload of the ack. Waits for the connection, at most `timeout`.
   * With the same `msgId` again, a durable command is carried out once.
   */
  request<A = any>(type: string, options?: { room?: string; payload?: any; msgId?: string; timeout?: number }): Promise<A>;
}

export default ChatRooms;
