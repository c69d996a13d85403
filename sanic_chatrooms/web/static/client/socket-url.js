const NO_URL = 'client.js does not come from the chat server here, so name the socket: new ChatRooms({ url: "wss://example.com/chat/ws" })';

// A constant, because bundlers look for the usual way to name a file beside a module, and copy that file.
const HERE = import.meta.url;
const SERVED = /^https?:.*\/client\.js([?#]|$)/;

export function socketUrl(given) {
  if (!given && !SERVED.test(HERE)) throw new TypeError(NO_URL);
  const url = given ? new URL(given, globalThis.location?.href) : new URL("ws", HERE);
  url.protocol = url.protocol.replace(/^http/, "ws");
  url.hash = "";
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(NO_URL);
  return url;
}

/** Where REST is beside a socket at `…/ws` or `…/ws/<room>`, and that room; null: nobody knows. */
export function restBeside(socket, given) {
  const [, before, room] = /^(.*\/)ws(?:\/([^/]+))?$/.exec(socket.pathname) ?? [];
  if (given === null || (before === undefined && given === undefined)) return null;
  const page = new URL(socket);
  page.protocol = page.protocol.replace(/^ws/, "http");
  page.search = "";
  const api = new URL(given ?? `${before}api/`, page).href.replace(/\/?$/, "/");
  return { api, room: room && decodeURIComponent(room) };
}
