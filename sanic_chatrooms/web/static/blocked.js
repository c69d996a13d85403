// Whom the user has blocked, with a way to end it. Loaded when somebody opens it.

import { el } from "./dom.js";
import { toldApart } from "./format.js";
import { listLine, openList } from "./moderating.js";

/** `blocks`: see blocks.js. */
export async function blocked(blocks) {
  if (blocks.chat.state === "online") await blocks.load();
  const people = blocks.all();
  const marks = toldApart(people);
  const draw = (one, problem) => listLine([el("bdi.author", {}, one.name), " ", el("span.mark", {}, marks.get(one.id))], [["Unblock", () => blocks.set(one, false), `Unblock ${one.name}`]], problem, "blocked-person");
  return openList("Blocked people", people, "You have blocked nobody.", draw, "blocked-dialog");
}
