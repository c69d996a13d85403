// Modal dialogs. The browser's <dialog> keeps the focus inside and restores it afterwards.

import { above, button, composing, el, focusBeside, iconButton } from "./dom.js";
import { sentence } from "./reasons.js";
import { words } from "./words.js";

/** Show a modal dialog until it is closed. `content(close)` returns its content. Resolves with the argument of `close`. `into`: what it is a part of. */
export function openDialog(heading, content, { into = document.body, ...props } = {}) {
  return new Promise((resolve) => {
    let result;
    const dialog = el("dialog.dialog", { "aria-label": heading, ...props, onclose: () => {
      uncover();
      takeAway(dialog);
      resolve(result);
    } }, content((value) => {
      result = value;
      dialog.close();
    }));
    const uncover = above.opens(() => dialog.close());
    into.append(dialog);
    dialog.showModal();
  });
}

/** For `openDialog`: a press beside the dialog closes it. */
export const light = { onclick: ({ target, currentTarget }) => target === currentTarget && currentTarget.close() };

// Otherwise Chromium keeps typing into the removed field although the focus is elsewhere.
function takeAway(dialog) {
  const activeElement = focusBeside(dialog);
  activeElement?.blur();
  dialog.remove();
  activeElement?.focus({ preventScroll: true });
}

/** A question; true for `yes`. `look`: "danger" if something is lost that the user cannot bring back. `into`: see openDialog. */
export function ask(heading, lines, yes, testid, look = "primary", into = undefined) {
  return openDialog(heading, (close) => [
    el("h2", {}, heading), lines.map((line) => el("p", {}, line)),
    actions(button(words.cancel, () => close(false), { autofocus: true, testid: "answer-no" }), button(yes, () => close(true), { class: look, testid: "answer-yes" })),
  ], { into, testid });
}

/** The buttons at the end of a dialog, the main one last. */
export function actions(...buttons) {
  return el("div.actions", {}, buttons);
}

/** The head of a dialog that only has to be closed. `testid`: of the button that does it. */
export function closableHead(heading, close, testid) {
  return el("div.dialog-head", {}, el("h2.grow", {}, heading), iconButton("close", words.close, { onclick: () => close(), testid }));
}

/** A dialog that only has to be closed. Its test ids begin with `name`. */
export function openPanel(heading, name, ...content) {
  return openDialog(heading, (close) => [closableHead(heading, close, `${name}-done`), content], { testid: `${name}-dialog` });
}

/** One of several choices. */
export function radio(props, ...content) {
  return el("label.choice", {}, el("input", { type: "radio", ...props }), content);
}

/** Several choices. `style` "sr-only": the label is clear from what is around. */
export function choiceGroup(label, choices, style = "label") {
  return el("fieldset.row", {}, el("legend", { class: style }, label), choices);
}

/** The line for what did not work. */
export function problemLine() {
  return el("p.problem", { id: `problem-${++problems}`, role: "alert", testid: "form-problem" });
}

let problems = 0;

/** Do something. If it rejects, `problem` shows the reason. Resolves with whether it is done. */
export async function attempt(problem, act) {
  problem.textContent = "";
  try {
    await act();
    return true;
  } catch (error) {
    problem.textContent = sentence(error);
    return false;
  }
}

/** An error about what stands in the field of this name. */
export function wrongField(name, said) {
  return Object.assign(new Error(said), { field: name });
}

/** The handler of a form: if `submit()` rejects, `problem` shows the reason, below the field that the error is about. */
export function submitting(submit, problem) {
  return async (event) => {
    event.preventDefault();
    const form = event.target;
    const go = form.querySelector("[type=submit]");
    const fields = [...form.querySelectorAll("input.field")];
    go.disabled = true;
    problem.textContent = "";
    for (const one of fields) for (const name of ["aria-invalid", "aria-describedby"]) one.removeAttribute(name);
    try {
      await submit();
    } catch (error) {
      const named = error.field ?? error.details?.field;
      const wrong = fields.find(({ name }) => name && name === named);
      wrong?.setAttribute("aria-invalid", "true");
      wrong?.setAttribute("aria-describedby", problem.id);
      if (wrong) wrong.closest(".row").after(problem);
      else form.querySelector(".actions, [type=submit]").before(problem);
      problem.textContent = sentence(error);
      (wrong ?? form.querySelector("input:not([hidden])")).focus();
    }
    go.disabled = false;
  };
}

/** A form in a dialog. Resolves with the result of `submit`. `look`: as for `ask`. `into`: see openDialog. */
export function openForm(heading, fields, yes, submit, testid, look = "primary", into = undefined) {
  const problem = problemLine();
  return openDialog(heading, (close) => el("form", { onsubmit: submitting(() => submit().then(close), problem) },
    el("h2", {}, heading), fields, problem,
    actions(button(words.cancel, () => close(), { testid: "answer-no" }), button(yes, null, { type: "submit", class: look, testid: "answer-yes" }))), { into, testid });
}

/** A labelled text field that must not be empty. */
export function textField(label, props) {
  // The Enter that ends a word of an input method must not send the form.
  const onkeydown = (event) => event.key === "Enter" && composing(event) && event.preventDefault();
  const field = el("input.field", { type: "text", autocomplete: "off", required: true, autofocus: true, onkeydown, ...props });
  return { field, row: el("label.row", {}, el("span.label", {}, label), field) };
}

/** A field for the reason of what is done to others. */
export const reasonField = (label, props) => textField(label, { maxlength: 500, required: false, testid: "reason", ...props });
