// The place in the app, as the part of the address after "#": "#/general", "#/@ada", "#/general/people", "#/general/thread/<message>",
// "#/general/at/<number>".

const PLACE = /^#?\/?([^/]*)(?:\/(?:(people)|(thread|at)\/([^/]+)))?$/;

const NUMBER = /^[1-9]\d{0,14}$/;

/** The address of a room or, by an id that begins with "@", of a person. `of`: the id of the message whose thread it is, or the number to jump to. `placeAt` gives back exactly the same ids. */
export function addressOf(id, pane, of) {
  return `#/${encoded(id)}${pane ? `/${pane}` : ""}${of ? `/${encoded(of)}` : ""}`;
}

/** The place of an address: {id, pane, of}, with an empty `id` for none. Null for an address that is invalid. */
export function placeAt(hash) {
  const [, id, people, other, of] = PLACE.exec(hash) ?? [];
  const pane = people ?? other;
  if (pane === "at" && !NUMBER.test(of)) return null;
  try {
    return id === undefined || id === "@" || (pane && !id) ? null : { id: decoded(id), pane, ...(of && { of: decoded(of) }) };
  } catch {
    return null; // a "%" that begins no character
  }
}

// Characters that are valid in an address stay readable. Half of a surrogate pair cannot be encoded.
function encoded(id) {
  return id.replace(/\p{Cs}|[^\p{Cs}@:]+/gu, (part) => (/\p{Cs}/u.test(part) ? `%u${part.charCodeAt().toString(16)}` : encodeURIComponent(part)));
}

function decoded(text) {
  const parts = text.split(/%u(d[89a-f][0-9a-f]{2})/);
  return parts.map((part, at) => (at % 2 ? String.fromCharCode(parseInt(part, 16)) : decodeURIComponent(part))).join("");
}
