/** A promise that needs no catch: an event reports the same outcome. */
export function deferred() {
  const it = {};
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
  it.promise.catch(() => {});
  return it;
}
