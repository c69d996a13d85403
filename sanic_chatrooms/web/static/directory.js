// Finds people by their names, beside those whom this page has seen: members of the user's rooms, and whom the app knows.

const ROOMS = 5; // that are asked
const PAGE = 20;
const PAUSE = 300; // ms after the last key

export class Directory {
  #turn = 0;

  /** `find(letters)`: people of the app; see startChat. */
  constructor(chat, book, find) {
    Object.assign(this, { chat, book, find });
  }

  /** Everybody who is known by now: {id, name}. */
  people() {
    return this.book.names.all();
  }

  /** Ask for people who are called so, unless somebody asks for others soon. Resolves with whether this was the last question. */
  async look(letters) {
    const turn = ++this.#turn;
    if (letters) await new Promise((done) => setTimeout(done, PAUSE));
    if (turn === this.#turn && this.chat.state === "online") {
      for (const { value } of await Promise.allSettled(this.#asked(letters))) this.book.meet(value ?? []);
    }
    return turn === this.#turn;
  }

  #asked(letters) {
    const rooms = this.book.listed().filter(({ counted, isDirect }) => counted && !isDirect);
    const members = async ({ id }) => (await this.chat.members(id, { query: letters, limit: PAGE })).members;
    return [this.find?.(letters), ...rooms.slice(0, ROOMS).map(members)];
  }
}
