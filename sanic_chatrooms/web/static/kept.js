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
    return kept.lasts(key);
  },
  /** Whether this value lasts longer than the page. */
  lasts: (key) => !instead.has(key),
  remove(key) {
    instead.delete(key);
    attempt((storage) => storage.removeItem(key));
  },
  /** All values whose key begins with this. */
  removeAll(prefix) {
    for (const key of kept.keys(prefix)) kept.remove(key);
  },
  /** All keys that begin with this. */
  keys(prefix) {
    return [...new Set([...instead.keys(), ...(attempt(Object.keys) ?? [])])].filter((key) => key.startsWith(prefix));
  },
  /** Call `fn(value)` whenever another tab sets this key. */
  watch(key, fn) {
    window.addEventListener("storage", (event) => event.key === key && event.newValue !== null && fn(event.newValue));
  },
};
