import { now } from "./timers.js";

/** Storage or {get, set, remove}, and memory: private windows and full disks make storage throw. */
function keeper(given, prefix) {
  const memory = new Map();
  const ask = (verb, key, value) => {
    try {
      const storage = given ?? globalThis.sessionStorage;
      return (storage[`${verb}Item`] ?? storage[verb]).call(storage, prefix + key, value);
    } catch {
      return null;
    }
  };
  return {
    get: (key) => memory.get(key) ?? ask("get", key) ?? null,
    set: (key, value) => (memory.set(key, value), ask("set", key, value)),
    remove: (key) => (memory.delete(key), ask("remove", key)),
  };
}

/** What we show to prove who we are: the host's token, or the one that the server gave to a guest. */
export class Identity {
  #source;
  #kept;
  #token = null;
  #expiresAt = 0;

  constructor({ token, name, storage }, prefix) {
    this.#kept = keeper(storage, prefix);
    this.name = name ?? this.#kept.get("name");
    this.use(token);
  }

  /** A string is all there is; a function can bring another one. */
  use(source) {
    this.#source = source;
    this.renewable = typeof source === "function";
    this.expired();
  }

  expired() {
    this.#expiresAt = 0;
  }

  /** {token, guest}: to be shown with the next connection; the token is null for a new guest. */
  async proof() {
    if (this.#expiresAt <= now()) await this.renew();
    const token = this.#token ?? this.#kept.get("guestToken");
    return { token, guest: !this.#token };
  }

  async renew() {
    this.#token = (this.renewable ? await this.#source() : this.#source) || null;
    this.#expiresAt = Infinity;
    return this.#token;
  }

  learn({ expiresIn, guestToken }) {
    this.#expiresAt = now() + expiresIn;
    if (guestToken) this.#kept.set("guestToken", guestToken);
  }

  forgetGuest() {
    this.#kept.remove("guestToken");
  }

  rename(name) {
    this.name = name;
    this.#kept.set("name", name);
  }
}
