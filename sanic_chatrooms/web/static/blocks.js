// Whom the user has blocked, the same in all tabs of this browser.

import { kept } from "./kept.js";

const PAGE = 200;

export class Blocks {
  #users = new Map(); // id → {id, name}
  #asked = 0;

  /** `changed()`: what is shown has to be drawn again. */
  constructor(chat, changed) {
    Object.assign(this, { chat, changed });
    chat.on("welcome", () => this.load());
    kept.watch(this.#key, () => this.load());
    if (chat.state === "online") this.load();
  }

  // The value is of no use but that it changes.
  get #key() {
    return "chatrooms blocks changed";
  }

  has(id) {
    return this.#users.has(id);
  }

  /** Everybody who is blocked: {id, name}. */
  all() {
    return [...this.#users.values()];
  }

  async load() {
    const turn = ++this.#asked;
    const users = new Map();
    try {
      for (let cursor, first = true; first || cursor; first = false) {
        const page = await this.chat.blocked({ limit: PAGE, cursor });
        for (const user of page.users) users.set(user.id, user);
        cursor = page.cursor;
      }
    } catch {
      return; // the next welcome asks again
    }
    if (turn !== this.#asked || same(users, this.#users)) return;
    this.#users = users;
    this.changed();
  }

  /** Block somebody, or with `on` false end it. Rejects if the server refuses. */
  async set(person, on) {
    await this.chat.block(person.id, on);
    this.#asked++; // an answer that is on its way is older
    if (on) this.#users.set(person.id, { id: person.id, name: person.name });
    else this.#users.delete(person.id);
    kept.set(this.#key, String(Date.now()));
    this.changed();
  }
}

function same(one, other) {
  return one.size === other.size && [...one.keys()].every((id) => other.has(id));
}
