// The pinned messages of a room, with a way to each. Loaded with the details of a room.

import { namesOf } from "./attachments.js";
import { offers } from "./counts.js";
import { attempt, problemLine } from "./dialogs.js";
import { button, el, iconButton } from "./dom.js";
import { excerpt, momentOf } from "./format.js";
import { part } from "./part.js";
import { calm, plainText } from "./richtext.js";
import { textOf } from "./timeline.js";
import { words } from "./words.js";

const PAGE = 20;

/** `about`: the room, by the server; `onJump(seq)`. */
export function pins({ chat, room }, about, onJump) {
  const unpins = about.may.includes("message.unpin");
  const list = el("ul", { "aria-label": words.pins.label });
  const none = el("p.hint", { testid: "pins-none" }, about.may.includes("message.pin") ? words.pins.noneYet : words.pins.none);
  const more = button(words.pins.more, () => attempt(problem, load), { testid: "pins-more" });
  const problem = problemLine();
  let cursor;

  const load = async () => {
    const page = await chat.pins(room.id, { limit: PAGE, cursor });
    cursor = page.cursor;
    list.append(...page.messages.map((one) => pinLine(one, { onJump, onUnpin: unpins && unpin })));
    show();
  };
  const show = () => {
    none.hidden = list.childElementCount > 0;
    more.hidden = !cursor;
  };
  const unpin = (one, line) => attempt(problem, async () => {
    await chat.pin(room.id, one.msgId, false);
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    show();
    (next?.querySelector("button") ?? document.querySelector("[data-testid=details-close]")).focus();
  });
  if (!offers(chat, "pins")) return el("p.hint", {}, words.pins.lacking);
  return [part(chat, load, () => [list, none, more], { testid: "pins" }), problem];
}

function pinLine(one, { onJump, onUnpin }) {
  const { seq, sender, timestamp, payload, pinned } = one;
  const name = sender?.name ?? words.server;
  const line = el("li.pin-line", { testid: "pin-line" },
    el("button.hit.grow", { testid: "pin-jump", "data-seq": seq, onclick: () => onJump(seq) },
      el("span.hit-head", {}, el("bdi.author.cut", {}, name), el("time", {}, momentOf(timestamp))),
      el("span.hit-text", { dir: "auto" }, calm([excerpt(plainText(textOf(payload))), namesOf(one)].filter(Boolean).join(" "))),
      pinned?.by && el("span.note.cut", {}, words.pins.by(el("bdi", {}, pinned.by.name)))),
    onUnpin && iconButton("unpin", words.pins.unpin(name), { testid: "unpin", onclick: () => onUnpin(one, line) }));
  return line;
}
