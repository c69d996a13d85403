// The column for a thread. What draws it is loaded when the first one is opened.

import { el } from "./dom.js";
import { words } from "./words.js";

export class ThreadColumn {
  thread = null;
  pane = null;

  /**
   * `rows`: the acts of the app on messages. `acts`: `onClose()`, `onReply(thread, text, mentions)`; `onShown(shown)`: the column has come or gone; `onLeft(thread)`:
   * it went with the focus; `load(part, act)`: load a part of the page; `mayFocus()`: whether a field may have the focus by itself.
   */
  constructor(chat, threads, rows, acts) {
    Object.assign(this, { chat, threads, rows, acts });
    this.element = el("section.thread-place", { "aria-label": words.thread.label, hidden: true });
  }

  /** Show the thread of this message, or with `id` undefined none. */
  show(room, id) {
    const { thread } = this;
    if (id === thread?.id && (!thread || thread.room === room)) return;
    const wasInside = this.element.contains(document.activeElement);
    if (thread) this.#leave();
    if (room && id) this.#open(this.threads.open(room, id));
    else if (thread) this.acts.onShown(false);
    if (wasInside && !this.thread) this.acts.onLeft(thread);
  }

  #open(thread) {
    this.thread = thread;
    this.element.hidden = false;
    this.acts.onShown(true);
    return this.acts.load(() => import("./thread-pane.js"), ({ ThreadPane }) => {
      if (this.thread !== thread) return; // somebody went on meanwhile
      this.pane ??= this.#made(ThreadPane);
      this.pane.open(thread);
      if (this.pane.conversation.marked) return; // it has the focus
      this.pane.enter();
    });
  }

  #made(ThreadPane) {
    const { threads, acts } = this;
    const pane = new ThreadPane(this.chat, { ...this.rows, ...acts, onOlderReplies: (thread) => threads.older(thread), onReload: (thread) => threads.load(thread) });
    this.element.append(pane.element);
    return pane;
  }

  #leave() {
    if (this.pane?.thread) this.pane.close();
    this.threads.close(this.thread);
    this.thread = null;
    this.element.hidden = true;
  }

  /** Draw changes. There is no thread in a room that one is not in. */
  update() {
    const { status } = this.thread?.room ?? {};
    if (status === "removed" || status === "failed") this.acts.onClose();
    else this.pane?.update();
  }
}
