// Files that go with the next message: chosen, dropped or pasted. They are uploaded at once, and shown above the field meanwhile.

import { sizeOf } from "/chat/static/attachments.js";
import { button, el, fill, icon, iconButton } from "/chat/static/dom.js";
import { excerpt } from "/chat/static/format.js";
import { sentence } from "/chat/static/reasons.js";
import { calm } from "/chat/static/richtext.js";
import { words } from "./words.js";

const MOST = 10;
const PREVIEW = 40; // pixels

/** The files for one room. `upload(file, { signal, onProgress })` → promise of the attachment; `largest`: bytes. `changed()`: look at `busy` and `ready` again. */
export class Tray {
  #entries = [];

  constructor({ upload, largest }, changed) {
    Object.assign(this, { upload, largest, changed });
    this.list = el("ul", { class: "tray-list", "aria-label": words.files.next });
    this.said = el("p", { class: "problem", role: "status" });
    this.element = el("div", { class: "tray", hidden: true, testid: "tray" }, this.list, this.said);
    const chosen = () => {
      this.add(this.chooser.files);
      this.chooser.value = ""; // so that the same file can be chosen again
    };
    this.chooser = el("input", { type: "file", multiple: true, hidden: true, testid: "chooser", onchange: chosen });
    this.button = el("span", {}, this.chooser, iconButton("clip", words.files.attach, { testid: "attach", onclick: () => this.chooser.click() }));
  }

  /** Files are on their way. */
  get busy() {
    return this.#entries.some(({ done, error }) => !done && !error);
  }

  /** There is something to send. */
  get ready() {
    return this.#entries.some(({ done }) => done);
  }

  add(files) {
    const free = MOST - this.#entries.length;
    const entries = [...files].slice(0, free).map((file) => this.#entry(file));
    this.#entries.push(...entries);
    fill(this.said, files.length > free && words.files.most(MOST, files.length - free));
    this.#draw();
    for (const entry of entries) this.#begin(entry);
  }

  /** The attachments of the message that is sent now. What was refused stays. */
  take() {
    const done = this.#entries.filter((entry) => entry.done);
    this.#entries = this.#entries.filter((entry) => !entry.done);
    fill(this.said);
    this.#draw();
    return done.map((entry) => entry.done);
  }

  #entry(file) {
    const entry = { file, done: null, error: null };
    const name = calm(excerpt(file.name, 120));
    entry.bar = el("progress", { max: 1, value: 0, "aria-label": words.files.upload(name) });
    entry.note = el("span", { class: "note", role: "status" });
    entry.again = button(words.files.tryAgain, () => this.#begin(entry), { hidden: true });
    entry.remove = iconButton("close", words.files.remove(name), { testid: "remove-file", onclick: () => this.#remove(entry) });
    entry.look = el("span", { class: "tray-look" }, icon("file"));
    entry.node = el("li", { class: "tray-file", testid: "tray-file" }, entry.look, el("div", { class: "grow" }, el("bdi", { class: "cut" }, name), entry.note, entry.bar), entry.again, entry.remove);
    preview(file, entry.look);
    return entry;
  }

  async #begin(entry) {
    const { file } = entry;
    entry.control = new AbortController();
    const { signal } = entry.control;
    this.#show(entry, { error: null });
    try {
      if (file.size > this.largest) throw new Error(words.files.tooLarge(sizeOf(this.largest)));
      const onProgress = (share) => {
        entry.bar.value = share;
      };
      const done = await this.upload(file, { signal, onProgress });
      if (!signal.aborted) this.#show(entry, { done });
    } catch (error) {
      if (!signal.aborted) this.#show(entry, { error });
    }
  }

  #show(entry, state) {
    Object.assign(entry, state);
    const { done, error, file } = entry;
    fill(entry.note, error ? sentence(error) : sizeOf(file.size));
    entry.note.className = error ? "problem" : "note";
    entry.bar.hidden = Boolean(done || error);
    entry.again.hidden = !error?.temporary;
    entry.node.setAttribute("data-state", done ? "done" : error ? "refused" : "coming");
    this.changed();
  }

  #remove(entry) {
    entry.control?.abort();
    const at = this.#entries.indexOf(entry);
    this.#entries = this.#entries.filter((one) => one !== entry);
    fill(this.said);
    this.#draw();
    const next = this.#entries[at] ?? this.#entries.at(-1);
    (next?.remove ?? this.button.querySelector("button")).focus();
  }

  #draw() {
    fill(this.list, this.#entries.map(({ node }) => node));
    this.element.hidden = !this.#entries.length;
    this.changed();
  }
}

// Drawn, because pictures from anywhere else than this server are not loaded.
async function preview(file, place) {
  if (!/^image\//.test(file.type) || !globalThis.createImageBitmap) return;
  const bitmap = await createImageBitmap(file, { resizeHeight: PREVIEW * 2, resizeQuality: "medium" }).catch(() => null);
  if (!bitmap) return;
  const canvas = el("canvas", { width: PREVIEW * 2, height: PREVIEW * 2, "aria-hidden": "true" });
  canvas.getContext("2d").drawImage(bitmap, (PREVIEW * 2 - bitmap.width) / 2, 0);
  bitmap.close();
  fill(place, canvas);
}

/** Files may be dropped on the pane, and pasted into its field. `tray()`: that of the room on show, or null. */
export function droppable(pane, tray) {
  const over = (on) => pane.classList.toggle("dropping", on);
  const holdsFiles = (event) => Boolean(event.dataTransfer?.types.includes("Files") && tray());
  pane.append(el("p", { class: "drop-here", "aria-hidden": "true" }, words.files.drop));
  pane.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    over(true);
  });
  pane.addEventListener("dragleave", ({ relatedTarget }) => pane.contains(relatedTarget) || over(false));
  pane.addEventListener("drop", (event) => {
    over(false);
    if (!holdsFiles(event)) return;
    event.preventDefault();
    tray().add(event.dataTransfer.files);
  });
  pane.addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    // Office programs offer a picture of every text.
    if (!files.length || !tray() || event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    tray().add(files);
  });
}
