// The field for a new message. Enter sends and Shift+Enter begins a line; on a touch screen the button sends. It grows to six lines.

import { Completion } from "./completion.js";
import { button, chosen, el, fill, focusBeside, iconButton, touch } from "./dom.js";
import { isVisible, some } from "./format.js";
import { marksWith } from "./marks.js";
import { words } from "./words.js";
import { Writing } from "./writing.js";

export class Composer {
  /** `onSend(text, more)`: more of its body, such as `mentions`, `people()`: who can be mentioned, `onFormat(act)`: calls `act` with formatting.js, `onTyping(active)`, `onEscape()`, `onUp()`: ArrowUp with nothing written. `name`: begins the ids of a second one. */
  constructor(acts, name = "") {
    this.acts = acts;
    const keys = { onKey: (event) => this.completion.key(event) || marksWith(event, acts.onFormat), onEnter: () => this.#send(), onEscape: acts.onEscape, onUp: acts.onUp };
    this.writing = new Writing({ testid: `${name}composer`, "aria-describedby": `${name}composer-help`, oninput: () => this.#changed(), onblur: () => acts.onTyping(false) }, keys);
    this.field = this.writing.field;
    this.field.addEventListener("focus", () => this.#explain());
    this.completion = new Completion(this.field, acts.people, `${name}mentions`);
    // Keep the focus in the field: on a phone the keyboard would disappear with every message.
    this.button = iconButton("send", words.composer.send, { class: "send", testid: `${name}send`, disabled: true, onclick: () => this.#send(), onpointerdown: (event) => event.preventDefault() });
    this.marks = iconButton("marks", words.composer.formatting, { testid: `${name}formatting`, hidden: !acts.onFormat, "aria-expanded": "false", onclick: () => this.#showMarks(), onpointerdown: (event) => event.preventDefault() });
    this.typing = el("span.cut", { testid: `${name}typing` });
    this.asFile = button(words.composer.asFile, () => this.#toFile(), { hidden: true, testid: `${name}as-file` });
    this.above = el("div");
    this.before = el("div");
    this.bar = el("div");
    this.why = el("p.shut", { role: "status", testid: `${name}shut`, hidden: true });
    this.element = el("div.composer", {}, this.above, this.bar, el("div.as-file", {}, this.asFile),
      el("div.composer-box", {}, this.completion.element, this.before, this.field, this.marks, this.button),
      el("div.under", {}, this.typing, this.writing.limit),
      el("p.sr-only", { id: `${name}composer-help` }));
    this.#explain();
  }

  // What Enter does is the user's choice.
  #explain() {
    const how = touch.matches ? "touch" : (chosen("chatEnter") ?? "send");
    this.element.lastChild.textContent = words.composer.help[how];
  }

  /** Say `why` nothing can be written here, or with "" nothing; `hide`: also without a reason there is no field. Returns whether that took the focus. */
  shut(why, hide) {
    const isShut = why !== "" || hide;
    const lost = isShut && this.element.contains(focusBeside(this.element));
    if (this.why.textContent !== why) this.why.textContent = why;
    this.why.hidden = !why;
    this.element.hidden = isShut;
    return lost;
  }

  /** The receiver, and the longest text. */
  address(name, maxText) {
    this.invite(words.composer.to(name), maxText);
  }

  /** What it is for, and the longest text. */
  invite(purpose, maxText = this.writing.maxText) {
    this.writing.maxText = maxText;
    this.field.placeholder = purpose;
    this.field.setAttribute("aria-label", purpose);
  }

  open(text) {
    if (text !== this.text) this.writing.text = text;
    this.completion.clear();
    this.#fit();
  }

  /** Go on writing this. What stands there already follows it. `here`: with the focus. */
  takeBack(text, here = true) {
    this.open([text, this.text].filter(Boolean).join("\n"));
    if (here) this.focus();
  }

  // Buttons for marks, and what the text will look like; or takes them away.
  #showMarks() {
    const show = (formatting) => {
      this.formatting = formatting;
      fill(this.bar, formatting?.element);
      this.marks.setAttribute("aria-expanded", `${Boolean(formatting)}`);
    };
    if (this.formatting) show(null);
    else this.acts.onFormat(({ formatBar }) => show(formatBar(this.field)));
  }

  /** Take files where the app keeps some: those that are chosen, and those that are dropped on `pane`. `files`: see startChat. */
  takeFiles(files, pane, update) {
    files?.ready.then(() => {
      this.files = files;
      files.listen(pane, () => (this.element.hidden || !this.tray?.add ? null : this.tray));
      update();
    });
  }

  /** Files for messages to `place`, which has them until they are sent: the room, or a thread of it. The app keeps files by rooms. */
  attachTo(place, room) {
    const { files } = this;
    if (files) this.#attach(room.isDraft ? (this.later ??= { button: iconButton("clip", words.composer.filesLater, { disabled: true }) }) : (place.tray ??= files.tray(room.id, () => this.#fit())));
  }

  // What the app keeps them in: {element, button, busy, ready, take(), add(files)}.
  #attach(tray) {
    if (tray === this.tray) return;
    this.tray = tray;
    fill(this.above, tray?.element);
    fill(this.before, tray?.button);
    this.#fit();
  }

  get text() {
    return this.writing.text;
  }

  /** Returns whether it got the focus. */
  focus() {
    this.field.focus({ preventScroll: true });
    return focusBeside(this.field) === this.field;
  }

  showTyping(people) {
    const names = people.map(({ name }) => name);
    this.typing.textContent = names.length ? words.composer.typing(some(names), names.length) : "";
  }

  #send() {
    const text = this.text.trimEnd();
    if (this.tray?.busy) this.writing.limit.textContent = words.composer.files;
    if (this.button.disabled) return;
    const mentions = this.completion.mentions(text);
    this.writing.text = "";
    this.completion.clear();
    const attachments = this.tray?.take?.() ?? [];
    this.#fit();
    this.acts.onSend(text, { ...(mentions.length && { mentions }), ...(attachments.length && { attachments }) });
  }

  #toFile() {
    this.tray.add([new File([this.text], words.composer.fileName, { type: "text/plain" })]);
    this.writing.text = "";
    this.#changed();
    this.focus();
  }

  #changed() {
    this.#fit();
    this.acts.onTyping(isVisible(this.text));
  }

  #fit() {
    const { tray, writing, button } = this;
    const said = writing.fit();
    this.formatting?.update();
    this.asFile.hidden = !(writing.tooLong && tray?.add);
    button.disabled = Boolean(tray?.busy || writing.tooLong || !(said || tray?.ready));
    button.title = tray?.busy ? words.composer.files : words.composer.send;
  }
}
