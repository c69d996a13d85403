// Whom the user has blocked, with a way to end it. Loaded when somebody opens it.

import { el } from "./dom.js";
import { toldApart } from "./format.js";
import { listLine, openList } from "./moderating.js";
import { words } from "./words.js";

/** `blocks`: see blocks.js. */
export async function blocked(blocks) {
  if (blocks.chat.state === "online") await blocks.load();
  const { allBlocked, noneBlocked, unblock, unblockOne } = words.card;
  const people = blocks.all();
  const marks = toldApart(people);
  const draw = (one, problem) => listLine([el("bdi.author", {}, one.name), " ", el("span.mark", {}, marks.get(one.id))], [[unblock, () => blocks.set(one, false), unblockOne(one.name)]], problem, "blocked-person");
  return openList(allBlocked, people, noneBlocked, draw, "blocked-dialog");
}
