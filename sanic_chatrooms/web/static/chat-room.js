// <chat-room room="general">: a room for any page (typed and described in chat-room.d.ts). The server joins this file and what it
// imports to one, which it serves beside client.js.

import { ChatRooms } from "../client.js";
import { Addressees } from "./addressees.js";
import { OneRoom } from "./chat-room/one-room.js";
import own from "./chat-room/element.css" with { type: "text" };
import { nameForm } from "./chat-room/name-form.js";
import { sheetOf } from "./chat-room/sheet.js";
import { askToDelete } from "./deleting.js";
import { el, fill } from "./dom.js";
import { pickEmoji } from "./emoji-picker.js";
import { format, formatBar } from "./formatting.js";
import { followGrowth } from "./growing.js";
import { kept } from "./kept.js";
import { directionOf } from "./language.js";
import { Reactions } from "./reactions.js";
import { ending, sentence } from "./reasons.js";
import { messageActs } from "./row-acts.js";
import { speechless, statePanel } from "./states.js";
import { TalkPane } from "./talk-pane.js";
import { speak, words } from "./words.js";

const NAME = "chat-room";
const OWN = ["token"]; // properties without an attribute; a page may have set them before this file came
const NOTED = 8000; // ms

// On a server that renders pages there are no elements, and importing this does nothing.
const Base = globalThis.HTMLElement ?? class {};

/** See chat-room.d.ts. */
export class ChatRoomElement extends Base {
  static observedAttributes = ["src", "room", "name", "token-url"];
  #frame = null;
  #shown = null; // what is there while the element is in a page
  #token = null;
  #due = false;

  get src() { return this.getAttribute("src") ?? ""; } // prettier-ignore
  set src(value) { this.#reflect("src", value); } // prettier-ignore
  get room() { return this.getAttribute("room") ?? ""; } // prettier-ignore
  set room(value) { this.#reflect("room", value); } // prettier-ignore
  get name() { return this.getAttribute("name") ?? ""; } // prettier-ignore
  set name(value) { this.#reflect("name", value); } // prettier-ignore
  get tokenUrl() { return this.getAttribute("token-url") ?? ""; } // prettier-ignore
  set tokenUrl(value) { this.#reflect("token-url", value); } // prettier-ignore
  get theme() { return this.getAttribute("theme") ?? ""; } // prettier-ignore
  set theme(value) { this.#reflect("theme", value); } // prettier-ignore
  get token() { return this.#token; } // prettier-ignore
  get chat() { return this.#shown?.chat ?? null; } // prettier-ignore
  get status() { return this.chat?.state ?? "closed"; } // prettier-ignore

  set token(token) {
    const before = this.#token;
    this.#token = token ?? null;
    // A function is asked when a token is needed. Frameworks set a new one whenever they draw.
    const asked = typeof before === "function" && typeof token === "function";
    if (!asked && before !== this.#token) this.#again();
  }

  #reflect(attribute, value) {
    if (value === null || value === undefined || value === "") this.removeAttribute(attribute);
    else this.setAttribute(attribute, value);
  }

  send(text) {
    if (!this.#shown) throw new Error("<chat-room> is not in a page, or has no room");
    return this.#shown.send(text);
  }

  focus() {
    this.#shown?.focus();
  }

  connectedCallback() {
    for (const property of OWN.filter((one) => Object.hasOwn(this, one))) {
      const value = this[property];
      delete this[property];
      this[property] = value;
    }
    if (this.#shown) return; // it was only moved
    this.#frame ??= this.#build();
    this.#start();
  }

  // A moved element is taken out and put back in one go.
  disconnectedCallback() {
    queueMicrotask(() => this.isConnected || this.#end());
  }

  attributeChangedCallback(attribute, before, now) {
    if (before === now) return;
    if (attribute === "name" && now && this.status === "online") this.#shown.rename(now);
    else this.#again();
  }

  #build() {
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheetOf(own)];
    const frame = el("div.frame", { part: "frame" });
    root.append(frame);
    return frame;
  }

  // Several attributes are often set at once. Outside of a page it begins when it comes there.
  #again() {
    if (!this.isConnected) this.#end();
    if (!this.isConnected || !this.#frame || this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#end();
      if (this.isConnected) this.#start();
    });
  }

  #start() {
    if (!this.room) return this.#unavailable("no-room", "<chat-room> has no room: it needs the attribute room");
    try {
      this.#shown = new Shown(this, this.#frame, this.#options());
    } catch (error) {
      // Without an address, in a bundle.
      this.#unavailable("no-server", error.message);
      this.#tell("error", { during: "start", error });
      return;
    }
    this.#shown.begin((type, detail) => this.#tell(type, detail), () => this.#again());
  }

  /** Say that there is no room; to developers also why. */
  async #unavailable(testid, why) {
    if (!(await isSpoken(this.#frame, (type, detail) => this.#tell(type, detail), () => this.#again())) || this.#shown) return;
    const { unavailable, comeLater } = words.element;
    fill(this.#frame, statePanel(unavailable, comeLater, [], testid, "h2"));
    console.warn(why);
  }

  #options() {
    const { src, name, tokenUrl } = this;
    const given = typeof this.#token === "function" ? () => this.#token?.() : this.#token;
    const token = given ?? (tokenUrl ? () => tokenFrom(tokenUrl) : undefined);
    return { storage: kept, url: src || undefined, name: name || undefined, token };
  }

  #end() {
    const shown = this.#shown;
    this.#shown = null;
    shown?.end();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Load the words in the language of the page around. Resolves with whether they are there; else this is told, and there is a way to try again. */
async function isSpoken(frame, tell, again) {
  const { host } = frame.getRootNode();
  const around = host.closest("[lang]") ?? host.getRootNode().host?.closest("[lang]");
  try {
    frame.lang = await speak(around?.lang ?? "");
  } catch (error) {
    fill(frame, speechless(again));
    tell("error", { during: "start", error });
    return false;
  }
  frame.dir = directionOf(frame.lang);
  return true;
}

/** The app says who its user is; null: nobody is signed in. */
async function tokenFrom(address) {
  const answer = await fetch(address, { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" } });
  if (answer.status === 401 || answer.status === 403) return null;
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
  return (await answer.json()).token;
}

/** Act when nothing is on its way any more. What the server has refused does not count. */
function whenSent(chat, act) {
  const waits = () => chat.state !== "closed" && chat.outbox.some(({ status }) => status !== "failed");
  if (!waits()) return act();
  const stop = chat.on("outbox", () => {
    if (waits()) return;
    stop();
    act();
  });
}

/** The room as it is shown, from the connection to the last button. */
class Shown {
  #ended = new AbortController();
  #timer = null;

  constructor(element, frame, options) {
    const chat = new ChatRooms(options);
    Object.assign(this, { frame, chat, options });
    this.book = new OneRoom(chat, element.room, (what, item) => this.#changed(what, item));
    this.reactions = new Reactions(chat, () => this.#soon(), (title, error) => this.#refused(title, error));
  }

  #build() {
    this.here = el("p.hint.here", { part: "people", testid: "here" });
    this.note = el("p.problem.note-line", { role: "alert", testid: "note" });
    this.talk = new TalkPane(this.chat, this.#acts(), undefined, this.here);
    this.talk.element.append(this.note);
    this.#name();
  }

  // For ::part() in style sheets of the page.
  #name() {
    const { element, name, conversation, composer } = this.talk;
    const parts = { header: element.querySelector(".pane-head"), title: name, banner: element.querySelector(".banner"), messages: conversation.log, composer: composer.element, field: composer.field, send: composer.button };
    for (const [part, node] of Object.entries(parts)) node.part = part;
  }

  #acts() {
    const { book, chat, frame, reactions } = this;
    const addressees = new Addressees(chat, { names: { of: (id) => book.names.get(id) } });
    return {
      signal: this.#ended.signal,
      onOlder: (room) => book.paging.older(room),
      onNewer: (room) => book.paging.newer(room),
      onNewest: (room) => book.paging.newest(room),
      onReload: () => book.enter(),
      onSend: (_, text, more) => this.send(text, more),
      ...messageActs(chat, book, addressees, reactions),
      onDelete: (room, item) => this.#delete(room, item),
      onFormat: (act) => act({ format, formatBar }),
      isBlocked: () => false,
      onPick: (room, item, near) => this.#pick(room, item, pickEmoji(near.getBoundingClientRect(), frame)),
      onEnd: () => this.#seen(),
    };
  }

  /** Connect and show. `tell(type, detail)`: an event of the element. `again()`: start anew. */
  async begin(tell, again) {
    Object.assign(this, { tell, again });
    if (!(await isSpoken(this.frame, tell, again)) || this.over) return;
    this.#build();
    this.#connect();
  }

  #connect() {
    const { chat, book, talk, frame, tell } = this;
    followGrowth(chat, book, (what, _, item) => talk.conversation[what](item));
    chat.on("state", (status) => this.#state(status));
    chat.on("problem", (detail) => tell("error", detail));
    chat.on("message", (event) => event.room === book.room.id && tell("message", event));
    chat.on("welcome", ({ payload }) => payload.guestToken && chat.name === null && this.#askName());
    document.addEventListener("visibilitychange", () => this.#seen(), { signal: this.#ended.signal });
    fill(frame, talk.element);
    talk.open(book.room, null);
    chat.connect().catch(() => {}); // `state` reports it
    book.enter();
  }

  /** Take it away. The connection ends when all that was written is sent. */
  end() {
    this.over = true;
    this.#ended.abort();
    clearTimeout(this.#timer);
    whenSent(this.chat, () => this.chat.disconnect());
    fill(this.frame);
  }

  send(text, more) {
    const sending = this.book.send(text, more);
    sending.done.catch(() => {}); // the message says it
    this.talk?.conversation.goToEnd();
    return sending;
  }

  focus() {
    const name = this.form?.querySelector("input");
    if (name) name.focus();
    else this.talk?.composer.focus();
  }

  rename(name) {
    this.chat.rename(name).catch((error) => this.#refused(words.rename.failed, error));
  }

  // ---- what changed ----

  #state(status) {
    if (this.over) return;
    this.tell("status", status);
    const { state, code, reason, error } = status;
    if (state !== "closed" || code === null) return;
    this.tell("error", { during: "connection", error: error ?? new Error(reason) });
    this.over = true;
    this.#ended.abort();
    fill(this.frame, statePanel(words.start.disconnected, ending(code, reason, error), [[words.start.connectAgain, this.again]], "ended", "h2"));
  }

  #changed(what, item) {
    if (this.over) return;
    const { talk, book } = this;
    if (what === "refused") this.tell("error", { during: "join", error: item });
    else if (what === "loaded") talk.open(book.room, null);
    else if (what === "came") talk.conversation.came(item);
    this.#soon();
  }

  // Not with requestAnimationFrame, which does not run in the background.
  #soon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.over) return;
      const { talk, book, here } = this;
      if (talk.conversation.stuck) book.room.timeline.trim();
      here.textContent = book.room.status === "ready" ? words.room.here(book.room.online) : "";
      talk.update();
      this.#seen();
    });
  }

  #seen() {
    if (!document.hidden && this.talk.conversation.stuck && this.frame.checkVisibility?.() !== false) this.book.read();
  }

  #refused(title, error) {
    const said = `${title}: ${sentence(error)}`;
    this.note.textContent = said;
    setTimeout(() => this.note.textContent === said && fill(this.note), NOTED);
    this.tell("error", { during: "action", error });
  }

  // ---- what people do ----

  // Others can be read before one has a name.
  #askName() {
    if (this.form) return;
    this.form = nameForm(async (name) => {
      await this.chat.rename(name);
      this.form.remove();
      this.form = null;
      this.frame.classList.remove("nameless");
      this.talk.nameless = false;
      this.#soon();
      this.talk.composer.focus();
    });
    this.frame.classList.add("nameless");
    this.talk.nameless = true;
    this.#soon();
    this.talk.element.append(this.form);
  }

  async #delete(room, item) {
    const answer = await askToDelete(item, { mine: item.sender?.id === this.chat.user.id, into: this.frame });
    // The button is hidden while the focus is elsewhere, so it cannot get the focus back.
    this.talk.conversation.focus(item);
    if (answer) this.book.edits.remove(room, item, answer);
  }

  async #pick(room, item, answer) {
    const emoji = await answer;
    this.talk.conversation.focus(item);
    if (emoji) this.reactions.set(room, item, emoji, true);
  }
}

// Two versions of this file may be in one page.
if (globalThis.customElements && !customElements.get(NAME)) customElements.define(NAME, ChatRoomElement);
