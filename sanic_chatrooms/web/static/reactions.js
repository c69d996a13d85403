// Reactions to messages: a row of counted chips, and the names behind a chip.

import { el, fill, icon } from "./dom.js";
import { listedNodes, number } from "./language.js";
import { onLongPress } from "./long-press.js";
import { sentence } from "./reasons.js";
import { calm } from "./richtext.js";
import { words } from "./words.js";

/** The emoji to choose from: [emoji, name, all words by which it is found]. */
export function emojiNames() {
  return words.reactions.names.split("|").map((line) => {
    const [, emoji, all, name] = /^(\S+) (([^,]+).*)$/.exec(line);
    return [emoji, name, all.toLocaleLowerCase()];
  });
}

const NAMED = 10;
const HOVER = 150; // ms of hovering before somebody wants to know who it was

/** Our own reactions, shown at once, dimmed until the server has stored them. */
export class Reactions {
  /** `changed()`: draw. `refused(title, error)`: say why it did not work. */
  constructor(chat, changed, refused) {
    Object.assign(this, { chat, changed, refused });
  }

  toggle(room, item, emoji) {
    return this.set(room, item, emoji, !chipsOf(item).find((chip) => chip.emoji === emoji)?.me);
  }

  async set(room, item, emoji, on) {
    const wish = { on };
    this.#put(item, { reacting: { ...item.reacting, [emoji]: wish } });
    try {
      const { count } = await this.chat.react(room.id, item.id, emoji, on);
      if (!item.deleted) item.reactions = { ...item.reactions, [emoji]: { count, me: on } };
    } catch (error) {
      if (!item.deleted) this.refused(on ? words.reactions.notAdded : words.reactions.notRemoved, error);
    }
    // A later click may have changed the wish.
    if (item.reacting[emoji] === wish) this.#put(item, { reacting: without(item.reacting, emoji) });
  }

  #put(item, fields) {
    Object.assign(item, fields, { version: item.version + 1 });
    this.changed();
  }

  /** Who reacted with this emoji: {names, others}, ourselves first. */
  async who(room, item, emoji) {
    const me = this.chat.user?.id;
    const { count = 0 } = item.reactions?.[emoji] ?? {};
    const { reactions } = await this.chat.reactions(room.id, item.id, { emoji, limit: NAMED });
    const users = reactions.map(({ user }) => user).sort((a, b) => (b.id === me) - (a.id === me));
    return { names: users.map(({ id, name }) => (id === me ? words.you : name)), others: Math.max(0, count - users.length) };
  }
}

function without(all, key) {
  const left = { ...all };
  delete left[key];
  return left;
}

/** What to show: {emoji, count, me, pending}, always in the same order, so that no chip moves away from a finger. */
export function chipsOf({ reactions = {}, reacting = {} }) {
  const chips = new Map(Object.entries(reactions).map(([emoji, { count, me = false }]) => [emoji, { emoji, count, me, pending: false }]));
  for (const [emoji, { on }] of Object.entries(reacting)) {
    const { count, me } = chips.get(emoji) ?? { count: 0, me: false };
    chips.set(emoji, { emoji, count: count + on - me, me: on, pending: true });
  }
  return [...chips.values()].filter(({ count }) => count > 0).sort((a, b) => (a.emoji < b.emoji ? -1 : 1));
}

/** The chips under a message, or null. `context`: see row-acts.js. */
export function reactionRow(item, context) {
  if (!item.reactions && !item.reacting) return null; // nothing is made for most messages
  const chips = chipsOf(item);
  if (!chips.length || item.deleted) return null;
  const add = el("button.chip.add", { "aria-label": words.message.react, title: words.message.react, testid: "react-more", onclick: ({ currentTarget }) => context.onPick(item, currentTarget) }, icon("smile"));
  return el("div.reactions", { role: "group", "aria-label": words.reactions.label, testid: "reactions" }, chips.map((chip) => chipElement(chip, item, context)), add);
}

function chipElement({ emoji, count, me, pending }, item, { onReact, reactors }) {
  const said = calm(emoji);
  const chip = el("button", { class: `chip ${me ? "mine" : ""} ${pending ? "pending" : ""}`, "aria-pressed": String(me), "aria-label": words.reactions.count(said, count), testid: `reaction ${emoji}`, onclick: () => onReact(item, emoji) },
    el("span.emoji", {}, said), el("span.number", {}, number(count)));
  return explained(chip, () => reactors(item, emoji));
}

// ---- who it was ----

let openTip = null; // at most one tip

// On hover, on focus, and after a finger has rested on it, until the next press.
function explained(chip, ask) {
  let timer = 0;
  const hide = () => {
    clearTimeout(timer);
    if (openTip?.chip === chip) hideTip();
  };
  const show = () => {
    clearTimeout(timer);
    showTip(chip, ask);
  };
  const byMouse = (act) => ({ pointerType }) => pointerType !== "touch" && act();
  const rest = () => {
    timer = setTimeout(show, HOVER);
  };
  const place = el("span.chip-place", { onpointerenter: byMouse(rest), onpointerleave: byMouse(hide), onfocusin: show, onfocusout: hide, onkeydown: ({ key }) => key === "Escape" && hide() }, chip);
  onLongPress(place, () => (show(), addEventListener("pointerdown", hide, { once: true })));
  return place;
}

function hideTip() {
  openTip.chip.removeAttribute("aria-describedby");
  openTip.tip.remove();
  openTip = null;
}

async function showTip(chip, ask) {
  if (openTip?.chip === chip || !chip.isConnected) return;
  if (openTip) hideTip();
  const tip = el("span.tip", { role: "tooltip", id: "reaction-tip", testid: "reaction-names" }, "…");
  openTip = { chip, tip };
  chip.parentElement.append(tip);
  chip.setAttribute("aria-describedby", "reaction-tip");
  try {
    fill(tip, ...inTip(await ask()));
  } catch (error) {
    fill(tip, sentence(error));
  }
}

/** "You, Ada, and 3 others", each name isolated, as it may run from right to left. */
function inTip({ names, others }) {
  return listedNodes([...names.map((name) => el("bdi", {}, calm(name))), ...(others ? [words.others(others)] : [])]);
}
