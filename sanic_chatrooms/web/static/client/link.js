import { CROWDED, reconnects } from "./close-codes.js";
import { ChatError } from "./errors.js";
import { newId } from "./ids.js";
import { jitter, now, Timers, wall } from "./timers.js";

const DIAL = 20; // seconds until welcome; longer than the server waits for `auth`, so that we receive its reason
const GREETING = 1; // seconds; then a visitor without token and welcome asks the server whether it has to sign in
const PONG = 10; // seconds without an answer to a ping; then the connection counts as dead
const HINT_PONG = 5; // the same after a hint by the browser, which is usually right
const TRIES = 3; // sockets in a row of which nothing was heard; then HTTP has to do
const SOCKETS_AGAIN = 120; // seconds over HTTP until a socket is tried again
const STABLE = 5; // seconds; an overloaded server that kept a connection for so long has recovered
const CLOSES = { token_expired: 4001, banned: 4507 }; // by the code of a refused `auth`; else 4500
const SUBPROTOCOL = /^[\w!#$%&'*+.^`|~-]+$/; // RFC 7230 token; browsers throw at other characters

const noNetwork = () => globalThis.navigator?.onLine === false; // only false is reliable

/** One socket at a time. Reconnects by the rules of the protocol until `close`. */
export class Link {
  online = false;
  interval = 30;
  status = { state: "closed", retryAt: null, retryIn: null, attempt: 0, transport: "socket", code: null, reason: "", error: null };
  #chat; // options, identity, and callbacks: changed, introduce, welcomed, heard, lost, problem
  #timers = new Timers();
  #socket = null;
  #run = 0; // counts attempts: a token that arrives for an earlier one is not used
  #attempt = 0;
  #opened = false;
  #silent = 0; // sockets in a row of which nothing was heard
  #heard = false; // something, from this socket
  #HttpSocket = null; // stands in for sockets, where HTTP has to do
  #trial = null; // a socket that may get through, while HTTP does
  #late = false; // send the token with `auth` instead of in the handshake
  #proof = null; // {token, guest, msgId?} of this connection; msgId until `auth` is answered
  #told = null; // an error that answers no command: why the server is about to close this connection
  #greeting = null; // the welcome of a fresh guest, which arrived while our `auth` is under way
  #onlineAt = 0;
  #serverClock = 0; // add it to ours
  #heardAt = 0;
  #comeBackIn = null;

  constructor(chat) {
    this.#chat = chat;
  }

  open() {
    this.#watchBrowser(true);
    this.#attempt = this.#silent = 0;
    this.#become("connecting", { code: null, reason: "", error: null });
    this.#dial();
  }

  send(text) {
    this.#socket.send(text);
  }

  /** Seconds until a time by the server's clock; Infinity for undefined. */
  until(time) {
    const left = time - this.#serverClock - now();
    return Number.isFinite(left) ? left : Infinity;
  }

  comeBackIn(seconds) {
    this.#comeBackIn = Math.min(Math.max(Number(seconds) || 0, 0), 300);
  }

  reconnectNow() {
    if (this.#timers.has("wait")) this.#dial();
  }

  #become(state, { due = null, ...more } = {}) {
    const retryIn = () => due && Math.max(0, due - now());
    const retryAt = due && wall() + retryIn();
    this.status = { ...this.status, attempt: this.#attempt, ...more, state, retryAt, get retryIn() { return retryIn(); } }; // prettier-ignore
    this.#chat.changed(this.status);
  }

  // ---- opening ----

  async #dial() {
    const run = ++this.#run;
    this.#timers.clear("wait");
    if (this.status.state !== "connecting") this.#become(noNetwork() ? "offline" : "reconnecting");
    this.#opened = this.#heard = false;
    this.#timers.after("dial", DIAL, () => this.#drop(1006, "the server did not answer"));
    try {
      const HttpSocket = this.#mayStandIn() ? await this.#chat.standIn() : null;
      const proof = await this.#chat.identity.proof();
      if (run !== this.#run) return;
      this.#HttpSocket = HttpSocket;
      if (!HttpSocket && this.#mayStandIn()) this.#silent = 0; // the server is away as a whole
      if (HttpSocket) this.#use(new HttpSocket(proof.token), proof);
      else this.#connect(proof);
    } catch (error) {
      if (run !== this.#run) return;
      this.#chat.problem("token", error);
      this.#drop(1006, "the token callback failed");
    }
  }

  #mayStandIn() {
    return this.#silent >= TRIES && Boolean(this.#chat.standIn);
  }

  #connect(proof) {
    const inHandshake = proof.token && !this.#late && SUBPROTOCOL.test(proof.token);
    try {
      this.#use(this.#newSocket(inHandshake && proof.token), proof, proof.token && !inHandshake);
    } catch (error) {
      this.close(1006, error.message); // mixed content or a forbidden port: trying again is useless
    }
  }

  #newSocket(token) {
    const { WebSocket, url } = this.#chat.options;
    return new WebSocket(url, ["chatrooms.v1", ...(token ? [`bearer.${token}`] : [])]);
  }

  #use(socket, proof, authDue = false) {
    this.#proof = proof;
    this.#told = null;
    this.#socket = socket;
    socket.onopen = () => this.#begin(authDue);
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason, CLOSES[this.#told?.code] === code ? this.#told : undefined);
    socket.onerror = () => {}; // `onclose` follows and says more
  }

  // A browser does not say why a handshake was refused. After a refusal we connect without the token and send it with
  // `auth`, whose answer gives the reason. A good token is followed by our welcome.
  #begin(authDue) {
    this.#opened = true;
    this.#late = false;
    const { token } = this.#proof;
    if (!token && !this.#chat.identity.renewable) this.#timers.after("greeting", GREETING, () => this.#askWhetherKnown());
    if (!authDue) return;
    this.#proof.msgId = newId();
    this.send(JSON.stringify({ type: "auth", msgId: this.#proof.msgId, payload: { token } }));
  }

  // Without a token, the server knows us from the handshake or not at all. It sends the welcome before any answer.
  // So an answer without a welcome means that this visitor has to sign in.
  #askWhetherKnown() {
    this.#proof.pingId = newId();
    this.send(JSON.stringify({ type: "ping", msgId: this.#proof.pingId }));
  }

  #hear(data) {
    this.#heardAt = now();
    this.#heard = true;
    this.#timers.clear("pong");
    let envelope;
    try {
      envelope = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof envelope?.type !== "string") return;
    const payload = (envelope.payload ??= {});
    if (envelope.type === "error" && !envelope.replyTo) this.#told = new ChatError(payload.code, payload.message, payload);
    this.#serverClock = envelope.timestamp - now();
    if (!this.online && envelope.type === "welcome") this.#welcome(envelope);
    else if (!this.online && envelope.replyTo && envelope.replyTo === this.#proof.msgId) this.#proven(envelope);
    else if (!this.online && envelope.replyTo && envelope.replyTo === this.#proof.pingId) this.close(4500, "sign in first");
    else this.#chat.heard(envelope);
  }

  #welcome(envelope) {
    this.#greeting = envelope;
    if (this.#proof.msgId) return; // not ours yet: the server welcomes a guest before it has read `auth`
    this.#timers.clear("dial");
    this.#timers.clear("greeting");
    this.#greeting = this.#comeBackIn = null;
    this.online = true;
    this.#onlineAt = now();
    this.interval = envelope.payload.heartbeat?.interval ?? 30;
    this.#beat();
    if (this.#HttpSocket) this.#goOnOverHttp(envelope.payload);
    this.#chat.introduce(envelope.payload);
    this.#become("online", { transport: this.#HttpSocket ? "http" : "socket" });
    this.#chat.welcomed(envelope);
  }

  #proven({ type, payload }) {
    const { code, message, temporary } = payload;
    this.#proof.msgId = null;
    if (type === "ack") return;
    const refused = !temporary || code === "token_expired";
    if (!refused) this.#drop(1006, message);
    else if (!this.#proof.guest) this.#drop(CLOSES[code] ?? 4500, message, new ChatError(code, message, payload));
    else {
      this.#chat.identity.forgetGuest();
      if (this.#greeting) this.#welcome(this.#greeting);
    }
  }

  // ---- heartbeat ----

  #beat() {
    const left = this.#heardAt + this.interval - now();
    if (left > 0.001) this.#timers.after("beat", left, () => this.#beat());
    else this.#probe(PONG);
  }

  #probe(patience) {
    this.send('{"type":"ping"}');
    this.#timers.after("beat", this.interval, () => this.#beat());
    if (this.#timers.has("pong")) return;
    this.#timers.after("pong", patience, () => this.#drop(1006, "nothing was heard from the server"));
  }

  // ---- back to sockets ----

  #goOnOverHttp({ guestToken }) {
    this.#proof.token ??= guestToken; // a connection outlives its guest's token, and requests do not
    this.#trySocketsLater();
  }

  #trySocketsLater() {
    this.#timers.after("sockets", SOCKETS_AGAIN, () => this.#trySocket());
  }

  /** Go back to sockets as soon as something comes through one. */
  async #trySocket() {
    const run = this.#run;
    const { token } = await this.#chat.identity.proof().catch(() => ({}));
    if (run !== this.#run) return;
    const socket = (this.#trial = this.#newSocket(token && SUBPROTOCOL.test(token) && token));
    this.#timers.after("sockets", DIAL, () => socket.close(1000)); // nothing comes through
    socket.onopen = () => socket.send('{"type":"ping"}');
    socket.onerror = () => {};
    socket.onclose = () => run === this.#run && this.#trySocketsLater();
    socket.onmessage = () => {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
      if (run !== this.#run) return;
      this.#silent = this.#comeBackIn = 0;
      this.#drop(1012, "a socket gets through again");
    };
  }

  // ---- the connection is gone ----

  /** End this connection without waiting for `onclose`, which takes minutes on a dead socket. */
  #drop(code, reason, error) {
    this.#detach();
    this.#lost(code, reason, error);
  }

  #stop() {
    this.#timers.clearAll();
    this.#trial?.close(1000);
    this.#trial = null;
  }

  #detach() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  #lost(code, reason, error) {
    this.#run += 1;
    this.#socket = this.#greeting = null;
    this.#stop();
    // A welcome shows that the server is well, unless it is overloaded and closes what it has just accepted.
    if (this.#HttpSocket) this.#silent = code === 1006 && !this.online ? 0 : this.#silent;
    else this.#silent = this.#heard || code !== 1006 ? 0 : this.#silent + 1;
    const good = this.online && (!CROWDED.includes(code) || now() - this.#onlineAt >= STABLE);
    this.online = false;
    this.#late = !this.#opened;
    this.#chat.lost(code);
    if (this.#mayReturn(code)) this.#wait(code, reason, good);
    else this.close(code, reason, error);
    if (!this.#opened && this.#proof && !this.#proof.token) this.#askWhy();
  }

  // Without a token there is nothing to send with `auth`. A plain request gets the status that a refused handshake hides:
  // 401 means that this visitor has to sign in, 403 with `banned` that they are banned.
  async #askWhy() {
    const run = this.#run;
    const { fetch, url } = this.#chat.options;
    try {
      const answer = await fetch(url.replace(/^ws/, "http"), { credentials: "include", cache: "no-store" });
      const told = [401, 403].includes(answer.status) ? await answer.json() : {};
      if (run !== this.#run) return;
      if (answer.status === 401 && told.message) this.close(4500, told.message);
      else if (told.code === "banned") this.close(CLOSES.banned, told.message, new ChatError(told.code, told.message, told));
    } catch {
      // the server is away, or CORS forbids the request: keep reconnecting
    }
  }

  #mayReturn(code) {
    if (code !== 4001 && code !== 4500) return reconnects(code);
    const { identity } = this.#chat;
    const guest = this.#proof.guest && this.#proof.token;
    if (guest) identity.forgetGuest();
    identity.expired();
    return Boolean(guest) || (code === 4001 && identity.renewable);
  }

  #wait(code, reason, good) {
    if (good) this.#attempt = 0;
    if (CROWDED.includes(code)) this.#attempt = Math.max(this.#attempt, 2);
    const delay = this.#comeBackIn ?? (this.#mayStandIn() && !this.#HttpSocket ? 0 : jitter(this.#chat.options, this.#attempt));
    this.#comeBackIn = null;
    this.#attempt += 1;
    this.#plan(delay, { code, reason });
  }

  #plan(delay, more) {
    this.#timers.after("wait", delay, () => this.#dial());
    this.#become(noNetwork() ? "offline" : "reconnecting", { ...more, due: now() + delay });
  }

  #replan() {
    if (this.#timers.has("wait")) this.#plan(this.status.retryIn);
  }

  /** Stay closed until `open`. */
  close(code = 1000, reason = "closed by this page", error = null) {
    this.#run += 1;
    this.#stop();
    this.#watchBrowser(false);
    const was = this.online;
    this.online = false;
    this.#detach();
    if (was) this.#chat.lost(code);
    this.#become("closed", { code, reason, error });
  }

  // ---- what the browser knows ----

  #watchBrowser(on) {
    const change = on ? "addEventListener" : "removeEventListener";
    for (const type of ["online", "offline"]) globalThis[change]?.(type, this.#hint);
    globalThis.document?.[change]?.("visibilitychange", this.#hint);
  }

  #hint = ({ type }) => {
    if (type === "visibilitychange" && globalThis.document.visibilityState !== "visible") return;
    if (this.online) this.#probe(HINT_PONG);
    else if (type === "offline" || CROWDED.includes(this.status.code)) this.#replan();
    else this.reconnectNow(); // the page is visible again, or the network is back
  };
}
