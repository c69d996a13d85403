// Values that this browser keeps between visits, for all tabs. Every use of the storage may throw (switched off, full, private
// window); then a value lasts as long as the page.

/** What all tabs of this browser watch: it changes when the user signs out. */
export const SIGNED_OUT = "chatrooms signed out";

const instead = new Map();

function attempt(use) {
  try {
    return use(window.localStorage) ?? null;
  } catch {
    return null;
  }
}

/** For the client's option `storage`. */
export const kept = {
  get: (key) => instead.get(key) ?? attempt((storage) => storage.getItem(key)),
  /** Returns whether it lasts longer than the page. */
  set(key, value) {
    instead.set(key, value);
    attempt((storage) => {
      storage.setItem(key, value);
      instead.delete(key);
    });
    return !instead.has(key);
  },
  remove(key) {
    instead.delete(key);
    attempt((storage) => storage.removeItem(key));
  },
  /** All values whose key begins with this. */
  removeAll(prefix) {
    const keys = [...instead.keys(), ...(attempt(Object.keys) ?? [])];
    for (const key of keys) if (key.startsWith(prefix)) kept.remove(key);
  },
  /** Call `fn(value)` whenever another tab sets this key. */
  watch(key, fn) {
    window.addEventListener("storage", (event) => event.key === key && event.newValue !== null && fn(event.newValue));
  },
};
