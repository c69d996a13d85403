// What is known of a person, and what one may do about them. Loaded when somebody opens it.

import { avatar } from "./avatar.js";
import { openDialog } from "./dialogs.js";
import { button, el, iconButton } from "./dom.js";
import { momentOf } from "./format.js";
import { actsOver, carryOut, muteOf } from "./moderating.js";
import { mayModerate } from "./people-pane.js";
import { roleName } from "./room-words.js";
import { words } from "./words.js";

/** Show the card of a person. `mark` tells them apart from others of their name. `write`: opens a direct conversation. `blocks`: see blocks.js. */
export async function card(chat, room, person, { mark, blocks, write }) {
  const isBlocked = blocks.has(person.id);
  const isBelow = mayModerate(room, person);
  const mute = isBelow ? await muteOf(chat, room, person) : undefined;
  const acts = [["write", words.card.write, "primary"], ...(isBelow ? actsOver(room, mute) : []), isBlocked ? ["unblock", words.card.unblock] : ["block", words.card.block, "risky"]];
  const chosen = await openDialog(person.name, (close) => {
    const choices = (some) => el("div.choices", {}, some.map(([act, label, style = ""]) => button(label, () => close(act), { class: style, autofocus: act === "write", testid: act })));
    const isRisky = ([, , style]) => style === "risky";
    return [
      el("div.card-head", {}, avatar(person), el("div.grow", {}, el("h2", {}, el("bdi", {}, person.name)), el("p.note", {}, about(person, { mark, mute, isBlocked }))), iconButton("close", words.close, { onclick: () => close(), testid: "card-close" })),
      [acts.filter((act) => !isRisky(act)), acts.filter(isRisky)].filter(({ length }) => length).map(choices),
      !isBlocked && el("p.note.card-note", {}, words.card.blocking),
    ];
  });
  if (chosen === "write") write(person);
  else if (chosen === "block" || chosen === "unblock") await blocks.set(person, chosen === "block");
  else if (chosen) await carryOut(chat, room, person, chosen);
}

function about({ here, role }, { mark, mute, isBlocked }) {
  const muted = mute && words.events.more(words.moderation.muted, { until: mute.until && momentOf(mute.until) });
  return [mark, role && role !== "guest" && roleName(role), here ? words.card.here : words.card.notHere, isBlocked && words.card.blocked, muted].filter(Boolean).join(" · ");
}
