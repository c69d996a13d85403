/** Messages that are being written: passes their pieces on in order, without gap and overlap. Asks for what it missed. */
export class Pieces {
  #chat;
  #known = new Map(); // message -> its room, how much of its text we have (in code points), and whether we have asked

  constructor(chat) {
    this.#chat = chat;
  }

  /** A message as a page or an event shows it. */
  show({ msgId, room, streaming, payload }) {
    if (streaming) this.#known.set(msgId, { room, at: [...payload.text].length, asked: false });
    else this.#known.delete(msgId);
  }

  /** A durable event. */
  hear({ type, payload, ...message }) {
    if (type === "message") this.show({ ...message, payload });
    else if ((type === "message.edited" && payload.closed) || type === "message.deleted") this.#known.delete(payload.msgId);
  }

  /** The live event `message.delta`. */
  take(envelope) {
    const { msgId, at, text } = envelope.payload;
    const known = this.#known.get(msgId);
    if (!known || known.asked) return; // it is not on a page that we have; or the answer has this, too
    if (at > known.at) this.#ask(msgId, known);
    else this.#add(envelope, known, [...text].slice(known.at - at));
  }

  #add(envelope, known, more) {
    if (more.length === 0) return;
    const payload = { ...envelope.payload, at: known.at, text: more.join("") };
    known.at += more.length;
    this.#chat.emitWire({ ...envelope, payload });
  }

  #ask(msgId, known) {
    known.asked = true;
    this.#chat.calls.start("message.text", { room: known.room, payload: { msgId, from: known.at } }, (error, ack) => {
      known.asked = false; // after an error, the next piece makes us ask again
      if (error || this.#known.get(msgId) !== known) return;
      const envelope = { type: "message.delta", room: known.room, timestamp: Date.now() / 1000, payload: { msgId } };
      this.#add(envelope, known, [...ack.text].slice(known.at - ack.at));
    });
  }

  /** After a recovery we may have missed pieces. */
  catchUp(room) {
    for (const [msgId, known] of this.#known) if (known.room === room && !known.asked) this.#ask(msgId, known);
  }

  /** The room is shown anew. */
  forget(room) {
    for (const [msgId, known] of [...this.#known]) if (known.room === room) this.#known.delete(msgId);
  }
}
