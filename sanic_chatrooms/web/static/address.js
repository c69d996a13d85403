// Where one is, as the part of the address behind "#": "#/general", "#/@ada", "#/general/people".

const PLACE = /^#?\/?([^/]*)(?:\/(people))?$/;

/** The address of a room or, by an id that begins with "@", of a person. Every id comes back by `placeAt` as it was. */
export function addressOf(id, pane) {
  return `#/${encoded(id)}${pane ? `/${pane}` : ""}`;
}

/** What an address names: {id, pane}, `id` empty where it names nothing; null where it cannot be understood. */
export function placeAt(hash) {
  const [, id, pane] = PLACE.exec(hash) ?? [];
  try {
    return id === undefined || id === "@" || (pane && !id) ? null : { id: decoded(id), pane };
  } catch {
    return null; // a "%" that begins no character
  }
}

// What may stand in an address as it is stays readable. Half of a surrogate pair has no form of its own there.
function encoded(id) {
  return id.replace(/\p{Cs}|[^\p{Cs}@:]+/gu, (part) => (/\p{Cs}/u.test(part) ? `%u${part.charCodeAt().toString(16)}` : encodeURIComponent(part)));
}

function decoded(text) {
  const parts = text.split(/%u(d[89a-f][0-9a-f]{2})/);
  return parts.map((part, at) => (at % 2 ? String.fromCharCode(parseInt(part, 16)) : decodeURIComponent(part))).join("");
}
