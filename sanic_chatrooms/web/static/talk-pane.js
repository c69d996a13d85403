// The middle: head, connection banner, conversation or what stands in its place, composer.

import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { el, icon, iconButton } from "./dom.js";
import { skeleton, statePanel } from "./states.js";

export class TalkPane {
  /** `app`: what the buttons and keys do. */
  constructor(chat, app, { topic, menu }) {
    this.app = app;
    this.room = null;
    this.name = el("h2", { class: "cut", dir: "auto", tabindex: -1, testid: "room-name" });
    this.here = el("span", {});
    this.people = el("button", { type: "button", class: "people-toggle", testid: "toggle-people", onclick: app.togglePeople }, icon("people"), this.here);
    this.back = iconButton("back", "Back to the rooms", { class: "back", testid: "back", onclick: app.back });
    const head = el("div", { class: "pane-head" }, this.back,
      el("div", { class: "grow" }, this.name, topic !== undefined && el("p", { class: "topic cut", "data-field": "topic", testid: "topic" }, topic)), menu, this.people);
    this.conversation = new Conversation({ ...app, me: () => chat.user, onOlder: () => app.older(this.room), onLost: () => this.composer.focus() });
    this.composer = new Composer({ onSend: (text) => app.send(this.room, text), onTyping: (active) => this.room && chat.typing(this.room.id, active), onEscape: () => this.conversation.goToEnd() });
    this.chat = chat;
    this.element = el("main", { class: "talk-pane" }, head, new Banner(chat).element, this.conversation.element, this.composer.element);
    this.conversation.log.addEventListener("keydown", (event) => event.key === "Escape" && this.composer.focus());
  }

  /** Show another room. `readTo`: up to where it was read. */
  open(room, readTo) {
    if (this.room) this.room.draft = this.composer.text;
    this.room = room;
    this.conversation.open(room.timeline, readTo);
    this.composer.open(room.draft);
    this.update();
    this.conversation.fillScreen();
  }

  /** Something about the room changed. */
  update() {
    const { room, chat } = this;
    if (!room) return;
    this.name.textContent = room.name;
    this.conversation.log.setAttribute("aria-label", `Messages in ${room.name}`);
    this.composer.address(room.isDirect ? room.name : `#${room.name}`);
    this.here.textContent = String(room.online);
    this.people.hidden = room.isDraft || room.status !== "ready";
    this.people.setAttribute("aria-label", `People: ${room.online} here`);
    this.composer.maxText = chat.welcome?.limits.maxText ?? 16000;
    this.composer.showTyping(room.typing.filter(({ id }) => id !== chat.user?.id));
    const panel = this.#panel(room);
    const kind = panel && `${room.id} ${room.status}`;
    if (kind !== this.kind) this.conversation.showInstead(panel && panel());
    this.kind = kind;
    const shut = room.status === "failed" || room.status === "removed";
    const lost = shut && this.composer.element.contains(document.activeElement);
    this.composer.element.hidden = shut;
    if (lost) this.conversation.instead.querySelector("button").focus();
    this.lines();
  }

  /** The messages changed. */
  lines() {
    this.conversation.update(this.#top(this.room));
  }

  #panel(room) {
    const { app } = this;
    const choose = ["Choose another room", app.back];
    if (room.status === "removed") return () => statePanel(`You are no longer in ${room.name}`, departure(room), [choose, ["Try to join again", () => app.reload(room)]], "removed");
    if (room.status === "failed") return () => refusal(room, app, choose);
    if (!room.timeline.loaded && room.status === "loading" && !room.timeline.all().length) return skeleton;
    return null;
  }

  #top(room) {
    const { timeline, gap } = room;
    if (gap) {
      const reload = () => this.app.reload(room);
      return el("div", { class: "gap-line", testid: "gap" }, "Some messages could not be recovered. ", el("button", { type: "button", class: "button plain", onclick: reload }, "Reload history"));
    }
    if (timeline.more) return el("div", { class: "older" }, "Loading older messages…");
    if (!timeline.loaded && !room.isDraft) return el("div", {});
    const empty = !timeline.all().length;
    return el("div", { class: "beginning", testid: empty ? "empty-room" : "beginning" },
      el("h3", { dir: "auto" }, room.isDirect ? room.name : `#${room.name}`),
      el("p", { class: "hint" }, room.isDirect ? `This is between you and ${room.name}, and nobody else.` : empty ? "Nothing was said here yet. Say the first word." : "This is the beginning of the room."));
  }
}

function departure({ reason }) {
  const reasons = { kicked: "Somebody removed you from this room.", left: "You left it, here or in another window.", deleted: "This room was deleted." };
  return reasons[reason] ?? `The reason: ${reason}.`;
}

function refusal(room, app, choose) {
  const { code, message } = room.error;
  if (code === "room_not_found") return statePanel(`There is no room “${room.name}”`, "It may have been deleted, or it is private and you are not a member.", [choose, ["Create a room", app.create]], "unknown-room");
  if (code === "banned") return statePanel(`You cannot enter ${room.name}`, "You were banned from this room.", [choose], "banned");
  return statePanel(`${room.name} cannot be opened`, message, [choose, ["Try again", () => app.reload(room)]], "failed-room");
}
