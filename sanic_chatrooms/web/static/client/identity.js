import { now } from "./timers.js";

/** `given` with a copy in memory, because storage throws in private windows and on full disks. */
function safeStorage(given, prefix) {
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

/** The token that proves who we are: the app's, or the one that the server gave to a guest. */
export class Identity {
  #source;
  #storage;
  #token = null;
  #expiresAt = 0;

  constructor({ token, name, storage }, prefix) {
    this.#storage = safeStorage(storage, prefix);
    this.name = name ?? this.#storage.get("name");
    this.use(token);
  }

  /** Only a function can bring a fresh token later. */
  use(source) {
    this.#source = source;
    this.renewable = typeof source === "function";
    this.expired();
  }

  expired() {
    this.#expiresAt = 0;
  }

  /** {token, guest} for the next connection; `token` is null for a new guest. */
  async proof() {
    if (this.#expiresAt <= now()) await this.renew();
    const token = this.#token ?? this.#storage.get("guestToken");
    return { token, guest: !this.#token };
  }

  async renew() {
    this.#token = (this.renewable ? await this.#source() : this.#source) || null;
    this.#expiresAt = Infinity;
    return this.#token;
  }

  learn({ expiresIn, guestToken }) {
    this.#expiresAt = now() + expiresIn;
    if (guestToken) this.#storage.set("guestToken", guestToken);
  }

  forgetGuest() {
    this.#storage.remove("guestToken");
  }

  rename(name) {
    this.name = name;
    this.#storage.set("name", name);
  }
}
