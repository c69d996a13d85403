// Questions in the middle of the screen. The browser's own <dialog> keeps the focus inside and gives it back after.

import { button, el } from "./dom.js";

/** Show a modal dialog until it is closed. `content(close)` makes what is in it; resolves with what `close` was given. */
export function openDialog(heading, content, props = {}) {
  return new Promise((resolve) => {
    let result;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const dialog = el("dialog", { ...props, class: `dialog ${props.class ?? ""}`, "aria-label": heading, onclose: () => {
      dialog.remove();
      resolve(result);
    } }, content(close));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A question with two answers; true for the first. */
export function ask({ heading, text, yes, no, testid }) {
  return openDialog(heading, (close) => [
    el("h2", {}, heading),
    text.map((line) => el("p", {}, line)),
    el("div", { class: "actions" },
      button(no, () => close(false), { autofocus: true, testid: "answer-no" }),
      button(yes, () => close(true), { class: "primary", testid: "answer-yes" })),
  ], { testid }).then(Boolean);
}

/** A form in a dialog. `submit()` may throw: then its message is shown and the dialog stays. Resolves with its result. */
export function openForm({ heading, fields, yes, submit, testid }) {
  const problem = el("p", { class: "problem", role: "alert", testid: "form-problem" });
  return openDialog(heading, (close) => {
    const go = button(yes, null, { type: "submit", class: "primary" });
    const send = async (event) => {
      event.preventDefault();
      problem.textContent = "";
      go.disabled = true;
      try {
        close(await submit());
      } catch (error) {
        problem.textContent = error.message;
      } finally {
        go.disabled = false;
      }
    };
    return el("form", { onsubmit: send }, el("h2", {}, heading), fields, problem,
      el("div", { class: "actions" }, button("Cancel", () => close(undefined)), go));
  }, { testid });
}

/** A labelled text field; `node.value` is what was written. */
export function textField(label, props = {}) {
  const field = el("input", { class: "field", type: "text", autocomplete: "off", ...props });
  const row = el("label", { class: "row" }, el("span", { class: "label" }, label), field);
  return { field, row };
}
