import { deferred } from "./deferred.js";
import { ChatError, unanswered } from "./errors.js";
import { jitter, Timers } from "./timers.js";

/** The rooms that we are in or want to be in, with our position (epoch, seq) in each. */
export class Rooms {
  #chat;
  #rooms = new Map();
  #timers = new Timers();
  #uses = 0;

  constructor(chat) {
    this.#chat = chat;
  }

  get(id) {
    return this.#rooms.get(id);
  }

  ids() {
    return [...this.#rooms.keys()];
  }

  /** The user looks at this room, or did something in it. */
  use(id) {
    const room = this.get(id);
    if (room) room.used = ++this.#uses;
  }

  /** The rooms, the one used last first. */
  byUse() {
    const rooms = [...this.#rooms.values()].sort((one, other) => other.used - one.used);
    return rooms.map(({ id }) => id);
  }

  #add(id) {
    const room = { id, epoch: null, seq: 0, status: "out", entered: false, history: undefined, tries: 0, holes: 0, wait: null, used: 0 };
    this.#rooms.set(id, room);
    return room;
  }

  join(id, history) {
    const room = this.get(id) ?? this.#add(id);
    const wait = (room.wait ??= deferred());
    room.history = history;
    if (history !== 0) this.use(id);
    this.#timers.after(`wait ${id}`, this.#chat.options.timeout, () => this.#tell(room, unanswered()));
    if (room.status !== "joining") this.#enter(room, true);
    return wait.promise;
  }

  #tell(room, error, ack) {
    const { wait } = room;
    room.wait = null;
    this.#timers.clear(`wait ${room.id}`);
    if (error) wait?.reject(error);
    else wait?.resolve(ack);
  }

  /** Join all rooms again after a welcome. */
  rejoin() {
    for (const room of [...this.#rooms.values()]) if (room.status === "out") this.#enter(room);
  }

  lost() {
    for (const room of this.#rooms.values()) {
      room.status = "out";
      this.#timers.clear(room.id);
    }
  }

  forget(id, error = new ChatError("discarded", "the room was left")) {
    const room = this.get(id);
    if (!room) return;
    this.#timers.clear(id);
    this.#rooms.delete(id);
    this.#chat.pieces.forget(id);
    this.#tell(room, error);
  }

  #enter(room, afresh) {
    if (!this.#chat.link.online) return;
    this.#timers.clear(room.id);
    room.status = "joining";
    const since = afresh || !room.epoch ? undefined : { epoch: room.epoch, seq: room.seq };
    this.#chat.calls.start("join", { room: room.id, payload: { since, history: room.history } }, (error, ack) => {
      if (this.get(room.id) !== room) return; // it was left meanwhile
      if (error) this.#refused(room, error);
      else this.#entered(room, ack, since);
    });
  }

  #enterLater(room, seconds) {
    room.status = "out";
    this.#timers.after(room.id, seconds, () => this.#enter(room));
  }

  #refused(room, error) {
    room.status = "out";
    if (error.code === "lost" || error.code === "closed") return; // the next welcome joins again
    if (error.temporary) {
      this.#enterLater(room, error.retryAfter ?? 0.5 + jitter(this.#chat.options, room.tries++));
      this.#tell(room, error);
      return;
    }
    const untold = !room.wait;
    this.forget(room.id, error);
    if (untold || room.entered) this.#chat.emit("removed", { room: room.id, reason: error.code, error });
  }

  #entered(room, ack, since) {
    const { messages, more, epoch, seq, recovered } = ack;
    // No gap if we had nothing and this page is everything.
    const gap = since && !recovered && (room.seq > 0 || more);
    Object.assign(room, { status: "in", entered: true, tries: 0 });
    this.#timers.clear(room.id);
    if (!recovered) {
      Object.assign(room, { epoch, seq });
      messages.forEach((message) => this.#chat.confirm(message));
      this.#chat.pieces.forget(room.id);
      messages.forEach((message) => this.#chat.pieces.show(message));
    }
    this.#chat.emit("joined", { ...ack, rejoin: Boolean(since) });
    if (gap) this.#chat.emit("gap", { room: room.id, epoch, seq, messages, more });
    if (recovered) messages.forEach((message) => this.take(message));
    if (recovered) this.#chat.pieces.catchUp(room.id);
    this.#tell(room, null, ack);
    this.#chat.outbox.pumpAll();
  }

  /** Pass a durable event on if it is the next one of its room. */
  take(envelope) {
    const room = this.get(envelope.room);
    if (!room?.epoch || envelope.seq <= room.seq) return;
    if (envelope.seq > room.seq + 1) {
      if (room.status === "in") this.#hole(room);
      return;
    }
    room.seq = envelope.seq;
    room.holes = 0;
    this.#chat.confirm(envelope);
    this.#chat.pieces.hear(envelope);
    this.#chat.emitWire(envelope);
  }

  #hole(room) {
    if (room.holes++ === 0) this.#enter(room);
    else this.#enterLater(room, 0.5 + jitter(this.#chat.options, room.holes)); // the same hole again: wait, to avoid a tight loop
  }

  reset({ room: id, rejoinIn }) {
    const room = this.get(id);
    if (room?.status === "in") this.#enterLater(room, rejoinIn ?? 0);
  }

  /** The server put this connection into a room; its events from seq + 1 follow. */
  added({ room: id, epoch, seq }) {
    const room = this.get(id) ?? this.#add(id);
    room.entered = true;
    if (room.status === "joining") return;
    room.status = "in";
    if (!room.epoch) Object.assign(room, { epoch, seq });
    else if (room.epoch !== epoch || room.seq < seq) this.#enter(room);
    this.#chat.outbox.pumpAll();
  }

  /** The server joined the room of the socket's path for us. */
  joinedByPath(ack) {
    if (this.get(ack.room)) return;
    const room = this.#add(ack.room);
    this.use(room.id);
    this.#entered(room, ack);
  }
}
