// The place in the app, as the part of the address after "#": "#/general", "#/@ada", "#/general/people".

const PLACE = /^#?\/?([^/]*)(?:\/(people))?$/;

/** The address of a room or, by an id that begins with "@", of a person. `placeAt` gives back exactly the same id. */
export function addressOf(id, pane) {
  return `#/${encoded(id)}${pane ? `/${pane}` : ""}`;
}

/** The place of an address: {id, pane}, with an empty `id` for none. Null for an address that is invalid. */
export function placeAt(hash) {
  const [, id, pane] = PLACE.exec(hash) ?? [];
  try {
    return id === undefined || id === "@" || (pane && !id) ? null : { id: decoded(id), pane };
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
