// Whether the other one of a direct conversation is here. No event tells it of all rooms, so it is asked for, a few times a minute.

const EVERY = 60_000; // ms
const PAUSE = 250; // between two questions
const SOON = [1000, 6000]; // ms after somebody has left a room: perhaps all of them
const MOST = 20; // conversations

export class Nearby {
  #asked = new Map(); // room → when
  #isAsking = false;

  /** `changed()`: what is shown has to be drawn again. */
  constructor(chat, changed) {
    Object.assign(this, { chat, changed });
    chat.on("presence", ({ payload }) => this.#heard(payload));
  }

  /** Ask where it is time. `rooms`: those that are listed. */
  async look(rooms, now = Date.now()) {
    this.directs = rooms.filter(({ isDirect, isDraft, partner }) => isDirect && !isDraft && partner).slice(0, MOST);
    if (this.#isAsking) return;
    this.#isAsking = true;
    for (const room of this.directs) {
      if (this.chat.state !== "online" || now - this.#asked.get(room) < EVERY) continue;
      this.#asked.set(room, now);
      await this.#ask(room);
      await new Promise((done) => setTimeout(done, PAUSE));
    }
    this.#isAsking = false;
  }

  async #ask(room) {
    const page = await this.chat.members(room.id, { limit: 2 }).catch(() => null);
    const one = page?.members.find(({ id }) => id === room.partner.id);
    if (one) this.#is(room, one.online);
  }

  #is(room, near) {
    if (room.near === near) return;
    room.near = near;
    this.changed();
  }

  #of(people) {
    return (this.directs ?? []).filter(({ partner }) => people.some(({ id }) => id === partner.id));
  }

  #heard({ joined = [], left = [] }) {
    for (const room of this.#of(joined)) this.#is(room, true);
    const gone = this.#of(left);
    const again = () => {
      for (const room of gone) this.#asked.delete(room);
      this.changed();
    };
    if (gone.length) for (const wait of SOON) setTimeout(again, wait);
  }
}
