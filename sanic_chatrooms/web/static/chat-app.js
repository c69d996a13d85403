// The whole application: `startChat(element, options)`. Wires the client, the rooms, the panes and the address.

import { ChatRooms } from "../client.js";
import { openForm, textField } from "./dialogs.js";
import { el, fill, iconButton } from "./dom.js";
import { slug } from "./format.js";
import { Notices } from "./notices.js";
import { PeoplePane } from "./people-pane.js";
import { menuButton } from "./popover.js";
import { listenToPushes } from "./pushes.js";
import { RoomBook } from "./room-book.js";
import { Me, RoomsPane } from "./rooms-pane.js";
import { ended, signIn } from "./sign-in.js";
import { openSwitcher } from "./switcher.js";
import { TalkPane } from "./talk-pane.js";

const STORED = "chatrooms ";
const narrow = matchMedia("(max-width: 719.98px)");
const tight = matchMedia("(max-width: 979.98px)");
const touch = matchMedia("(pointer: coarse)");

/**
 * Options: `title`; `topic` (a first value of the field that `update {field: "topic"}` changes); `firstRoom`: opened
 * where the address names none; `people` (false hides that pane at first); `actions`: {label, entries: [[label, function]]},
 * a menu of the host's; `client`: options of the client, such as `token`.
 */
export async function startChat(element, { client = {}, ...options }) {
  const chat = new ChatRooms({ storage: localStorage, ...client });
  chat.on("state", ({ state, code, reason }) => state === "closed" && code !== null && showEnd(element, reason));
  if (chat.name === null && client.token === undefined) await chooseName(chat, element, options);
  else chat.connect().catch(() => {}); // `state` tells
  const app = new App(chat, options);
  fill(element, app.element);
  app.begin();
  return chat;
}

function chooseName(chat, element, { title }) {
  return new Promise((resolve) => {
    const enter = async (name) => {
      await chat.connect();
      await chat.rename(name);
      resolve();
    };
    fill(element, signIn({ title, enter }));
    element.querySelector("input").focus();
  });
}

function showEnd(element, reason) {
  fill(element, ended({ heading: "You are disconnected", text: reason || "The server ended this connection.", action: "Connect again", act: () => location.reload() }));
  element.querySelector("button").focus();
}

class App {
  constructor(chat, options) {
    this.chat = chat;
    this.options = options;
    this.room = null;
    this.notices = new Notices();
    this.book = new RoomBook(chat, (what, room, item) => this.#changed(what, room, item));
    this.#panes(options);
    if (options.people === false || tight.matches) this.element.classList.add("no-people");
    listenToPushes(chat, this.notices);
    window.addEventListener("hashchange", () => this.#route());
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  #panes({ title, topic, actions }) {
    const { book } = this;
    const create = () => this.#create();
    const menu = actions && menuButton(iconButton("bolt", actions.label, { testid: "host-pushes" }), () => actions.entries(this.chat));
    const onPerson = (person) => this.#go(book.with(person).id);
    this.talk = new TalkPane(this.chat, {
      create, onPerson,
      back: () => this.#go(""),
      togglePeople: () => this.#togglePeople(),
      older: (room) => book.older(room),
      reload: (room) => book.reload(room),
      send: (room, text) => this.#send(room, text),
      onRetry: (key) => this.chat.retry(key),
      onDiscard: (key) => this.chat.discard(key),
      onEnd: () => this.#seen(),
    }, { topic, menu });
    this.people = new PeoplePane({ onPerson, onClose: () => this.#togglePeople(false) });
    this.me = new Me(menuButton(iconButton("more", "You", { testid: "me-menu" }), () => [["Change your name", () => this.#rename(), "rename"], ["Sign out", () => this.#signOut(), "sign-out"]]));
    this.rooms = new RoomsPane({ title, bell: this.notices.bell, footer: this.me.element, onCreate: create, onSwitch: () => this.#switch() });
    this.element = el("div", { class: "app", testid: "app" }, this.rooms.element, this.talk.element, this.people.element, this.notices.toasts);
  }

  begin() {
    this.book.refresh();
    this.#route();
  }

  // ---- what changed ----

  #changed(what, room, item) {
    if (what === "list") this.#listed();
    else if (what === "moved") this.#moved(room, item);
    else if (room !== this.room) what !== "room" && this.#list();
    else if (what === "loaded") this.#show(room);
    else if (what === "came") this.talk.conversation.came(item);
    else this.#current(what);
  }

  #current(what) {
    // While nobody looks, what comes is new; the line says from where.
    if (document.visibilityState !== "visible") this.talk.conversation.markNew(this.book.marks.of(this.room.id));
    if (what === "lines") this.room.timeline.trim();
    this.talk.update();
    this.people.update(this.#people(), this.room.online, this.chat.user);
    this.#seen();
  }

  #people() {
    return [...this.room.people.values()].sort((a, b) => Number(b.here) - Number(a.here) || a.name.localeCompare(b.name));
  }

  #list() {
    const rooms = this.book.listed();
    this.rooms.update(rooms, this.room?.id);
    if (this.chat.user) this.me.update(this.chat.user);
    const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
    document.title = [unread && `(${unread})`, this.room && this.room.name, this.room && "·", this.options.title].filter(Boolean).join(" ");
  }

  /** The rooms are known now, or others than before: where none is open yet, the first one is. */
  #listed() {
    this.#list();
    if (!this.room && !narrow.matches && this.#first()) this.#route();
  }

  /** What is on the screen is read. */
  #seen() {
    const { room } = this;
    if (!room || document.visibilityState !== "visible" || !this.talk.conversation.stuck) return;
    if (!narrow.matches || this.element.dataset.pane === "talk") this.book.read(room);
  }

  // ---- where we are ----

  #go(id) {
    const hash = id ? `#/${id}` : "#/";
    if (location.hash === hash) this.#route();
    else location.hash = hash;
  }

  #route() {
    const [id = "", sub] = decodeURIComponent(location.hash.replace(/^#\/?/, "")).split("/");
    const wanted = id || (narrow.matches ? "" : this.#first());
    this.#pane(!wanted ? "rooms" : sub === "people" ? "people" : "talk");
    if (wanted) this.#open(wanted);
    else this.#leaveRoom();
  }

  #first() {
    const rooms = this.book.listed();
    const first = this.options.firstRoom;
    if (first && (rooms.some((room) => room.id === first) || (this.book.following && !rooms.length))) return first;
    return rooms[0]?.id ?? "";
  }

  #open(id) {
    const room = id.startsWith("@") ? this.book.with({ id: id.slice(1), name: id.slice(1) }) : this.book.get(id);
    if (room === this.room) return;
    this.room = room;
    this.#show(room);
    this.book.enter(room);
    this.book.look(room);
    this.#current("room");
    this.#list();
    this.#focus();
  }

  #show(room) {
    this.talk.open(room, room.unread ? this.book.marks.of(room.id) ?? 0 : null);
  }

  #leaveRoom() {
    const left = this.room;
    this.room = null;
    this.#list();
    const line = left && [...this.rooms.element.querySelectorAll("[data-room]")].find((node) => node.dataset.room === left.id);
    line?.focus();
  }

  #moved(room, from) {
    if (room === this.room) history.replaceState(null, "", `#/${room.id}`);
    else if (this.room?.id === from) this.#open(room.id);
    this.#list();
  }

  #pane(name) {
    this.element.dataset.pane = name;
  }

  // On a phone the keyboard should not jump up with every room.
  #focus() {
    if (touch.matches || narrow.matches || this.talk.composer.element.hidden) this.talk.name.focus({ preventScroll: true });
    else this.talk.composer.focus();
  }

  #togglePeople(open) {
    if (narrow.matches) {
      const show = open ?? this.element.dataset.pane !== "people";
      this.#go(show ? `${this.room.id}/people` : this.room.id);
      (show ? this.people.element : this.talk.element).querySelector(".back").focus();
      return;
    }
    const hidden = this.element.classList.toggle("no-people", open === undefined ? undefined : !open);
    this.talk.people.setAttribute("aria-expanded", String(!hidden));
    if (tight.matches) (hidden ? this.talk.people : this.people.element.querySelector(".back")).focus();
  }

  // ---- what people do ----

  #send(room, text) {
    this.talk.conversation.forgetNew();
    this.book.send(room, text);
    this.talk.conversation.goToEnd();
  }

  async #switch() {
    if (document.querySelector("dialog[open]")) return;
    const id = await openSwitcher(this.book.listed());
    if (id) this.#go(id);
  }

  #key(event) {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      this.#switch();
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      const next = this.book.nextUnread(this.room?.id, event.key === "ArrowUp" ? -1 : 1);
      if (next) this.#go(next.id);
    }
  }

  async #create() {
    const { field, row } = textField("Name", { maxlength: 100, required: true, autofocus: true, testid: "room-title" });
    const isPrivate = el("input", { type: "radio", name: "visibility", value: "private" });
    const choices = el("fieldset", { class: "plain-set" }, el("legend", { class: "label" }, "Who can enter"),
      el("label", { class: "choice" }, el("input", { type: "radio", name: "visibility", value: "public", checked: true }), "Everybody"),
      el("label", { class: "choice" }, isPrivate, "Only members"));
    const submit = () => this.#createRoom(field.value.trim(), isPrivate.checked);
    const made = await openForm({ heading: "Create a room", fields: [row, choices], yes: "Create", submit, testid: "create-dialog" });
    if (!made) return;
    await this.book.refresh();
    this.#go(made);
  }

  async #createRoom(title, isPrivate) {
    // A public room gets an address that people can read; a private one must not tell by a conflict that it exists.
    const room = (!isPrivate && slug(title)) || undefined;
    try {
      return (await this.chat.createRoom({ room, title, visibility: isPrivate ? "private" : "public" })).room;
    } catch (error) {
      throw error.code === "conflict" ? new Error("There is a room of this name already. Choose another one.") : error;
    }
  }

  #rename() {
    const { field, row } = textField("Your name", { maxlength: 64, required: true, autofocus: true, value: this.chat.user?.name ?? "", testid: "new-name" });
    return openForm({ heading: "Change your name", fields: [row], yes: "Change", submit: () => this.chat.rename(field.value.trim()), testid: "rename-dialog" });
  }

  #signOut() {
    this.chat.disconnect();
    for (const key of Object.keys(localStorage)) if (key.startsWith(STORED)) localStorage.removeItem(key);
    location.assign(location.pathname);
  }
}
