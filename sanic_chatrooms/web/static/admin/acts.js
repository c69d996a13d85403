// Questions before acts: modal, with a reason and a time where the act takes them.

import { button, el } from "../../static/dom.js";
import { words } from "./operator-words.js";

const WITH_REASON = ["kick", "ban", "mute", "ban-user"];
const WITH_TIME = ["ban", "mute", "ban-user"];
const HARMLESS = ["unban", "unmute", "unban-user"];

/** Ask about an act; what was given for it ({ reason, until }), or null. */
export function confirmAct(name, who, room) {
  const reason = WITH_REASON.includes(name) && el("input.field", { maxlength: 500, testid: "reason", "aria-label": words.reason });
  const time = WITH_TIME.includes(name) && select(words.howLong, words.times, { testid: "time" });
  const fields = [
    time && el("label.row", {}, el("span.label", {}, words.howLong), time),
    reason && el("label.row", {}, el("span.label", {}, words.reason), reason),
  ];
  const given = () => ({
    ...(reason && reason.value ? { reason: reason.value } : {}),
    ...(time && time.value ? { until: Date.now() / 1000 + Number(time.value) } : {}),
  });
  return question(words.actAsk[name](who, room), words.actMeans[name], words.acts[name], { fields, given, look: HARMLESS.includes(name) ? "primary" : "danger" });
}

/** A question with two answers. Resolves with what `given` returns, or null. */
export function question(heading, text, yes, { fields = [], given = () => ({}), look = "danger" } = {}) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    // At once: the browser tells of a dialog that was closed later than it gives the focus back.
    const end = (answer) => {
      dialog.remove();
      before?.focus({ preventScroll: true });
      resolve(answer);
    };
    const dialog = el("dialog.dialog", { "aria-label": heading, testid: "question", oncancel: () => end(null) });
    const submit = (event) => {
      event.preventDefault();
      end(given());
    };
    dialog.append(el("form", { onsubmit: submit }, el("h2", {}, heading), el("p.row", {}, text), fields,
      el("div.actions", {}, button(words.cancel, () => end(null), { autofocus: true, testid: "cancel" }),
        button(yes, null, { type: "submit", class: look, testid: "yes" }))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A choice among [value, label] pairs. */
export function select(label, choices, props = {}) {
  return el("select.field", { "aria-label": label, ...props }, choices.map(([value, text]) => el("option", { value }, text)));
}
