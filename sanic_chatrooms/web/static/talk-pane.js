// The middle pane: head, connection banner, conversation (or its placeholder), composer.

import { addressOf } from "./address.js";
import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { firstAbove, offers, written } from "./counts.js";
import { button, composing, el, fill, icon, iconButton, onPhone } from "./dom.js";
import { number } from "./language.js";
import { sentence, shutBecause, sentenceOf } from "./reasons.js";
import { withLinks } from "./richtext.js";
import { rowActs } from "./row-acts.js";
import { skeleton, statePanel } from "./states.js";
import { words } from "./words.js";

export class TalkPane {
  /** Nobody can write before they have a name. */
  nameless = false;

  /** `acts`: handlers for buttons and keys; a button without one is not shown. `signal`: see Banner. `topic`, `menu`: the app's, in the head. `more`: the menu of the room, with entries by `acts.roomMenu()`. */
  constructor(chat, acts, topic, menu, more) {
    this.chat = chat;
    this.acts = acts;
    this.lock = el("span.sigil", { role: "img", "aria-label": words.room.private, title: words.room.private, testid: "room-lock", hidden: true }, icon("lock"));
    this.called = acts.onDetails ? el("button.called.cut", { title: words.room.details, testid: "open-details", onclick: () => acts.onDetails() }) : el("span");
    this.name = el("h2.cut", { dir: "auto", tabindex: -1, testid: "room-name" }, this.called);
    this.about = el("p.topic.cut", { dir: "auto", testid: "room-about" });
    this.mark = el("span.mark", { testid: "room-mark" });
    this.here = el("span");
    this.menu = menu;
    menu?.classList.add("apps");
    this.topic = topic !== undefined && el("p.topic.cut", { "data-field": "topic", testid: "topic" }, topic);
    this.back = iconButton("back", words.room.back, { class: "back", testid: "back", onclick: acts.onBack });
    this.news = el("span.badge", { hidden: true, testid: "elsewhere" });
    this.back.append(this.news);
    this.search = iconButton("search", words.room.search, { testid: "open-search", onclick: () => acts.onSearch() });
    this.toFirst = el("a.button.to-first", { testid: "to-first", hidden: true }, icon("send"), words.room.toFirst);
    this.people = el("button.people-toggle", { testid: "toggle-people", onclick: acts.onPeople }, icon("people"), this.here);
    this.more = more;
    this.conversation = new Conversation({
      ...rowActs(chat, acts, () => this.room),
      top: () => this.#top(this.room),
      onEnd: acts.onEnd,
      onOlder: () => acts.onOlder(this.room),
      onNewer: () => acts.onNewer(this.room),
      onNewest: () => acts.onNewest(this.room),
      onLost: () => this.enter(!onPhone()),
      composer: () => this.composer,
    });
    this.composer = new Composer({
      onSend: (text, more) => acts.onSend(this.room, text, more),
      people: () => acts.people(this.room),
      onFormat: acts.onFormat,
      onTyping: (active) => this.room && chat.typing(this.room.id, active),
      onEscape: () => this.conversation.goToEnd(),
      onUp: () => this.conversation.editLast(),
    });
    this.element = el("section.talk-pane", { "aria-label": words.room.conversation },
      el("div.pane-head", {},
        acts.onBack && this.back,
        el("div.grow", {}, el("div.title", {}, this.lock, this.name, this.mark), this.about, this.topic),
        menu, acts.onSearch && this.search, acts.onPeople && this.people, more),
      new Banner(chat, acts.signal).element, acts.onLink && this.toFirst, this.conversation.element, this.composer.why, this.composer.element);
    this.conversation.log.addEventListener("keydown", (event) => event.key === "Escape" && !composing(event) && this.composer.focus());
    // There is no room to write to yet.
    this.composer.element.hidden = true;
    this.composer.takeFiles(acts.files, this.element, () => this.room && this.update());
  }

  /** Another room is about to be shown, perhaps this one again: keep where somebody reads. */
  leave() {
    if (this.room) this.room.place = this.conversation.place;
  }

  /** Show another room, or another place in it; `newAfter`, `target`, `place`: see Conversation. */
  open(room, newAfter, target, place) {
    this.#keepDraft();
    this.room = room;
    this.#offerFirst(target ? null : firstAbove(room));
    this.composer.open(room.draft); // before an edit comes there whose message was deleted
    this.conversation.open(room.shown, newAfter, target);
    this.conversation.goBack(place);
    this.update();
    this.conversation.needOlder();
  }

  /** The address names no room that can be opened. */
  openNothing() {
    this.#keepDraft();
    this.room = null;
    this.kind = "nowhere";
    this.#offerFirst(null);
    this.called.textContent = words.room.nothing;
    this.mark.textContent = this.about.textContent = this.said = "";
    this.called.disabled = this.lock.hidden = true;
    this.people.hidden = this.search.hidden = true;
    if (this.more) this.more.hidden = true;
    this.composer.shut("", true);
    this.#appsOwn(true);
    this.conversation.showInstead(statePanel(words.room.nowhere, words.room.nowhereWhy, [[words.room.choose, this.acts.onBack]], "nowhere"));
  }

  /** Move the focus to the room: to where one writes, or to its name. A menu or dialog that is open keeps it: rooms also open by themselves. */
  enter(writing) {
    if (document.activeElement?.closest(".menu, dialog")) return;
    if (!writing || !this.composer.focus()) this.name.focus({ preventScroll: true });
  }

  #keepDraft() {
    if (this.room) this.room.draft = this.composer.text;
  }

  // To the first unread message, where it is further up than what is loaded.
  #offerFirst(seq) {
    this.toFirst.hidden = !seq;
    if (seq) this.toFirst.href = addressOf(this.room.id, "at", `${seq}`);
  }

  /** How much is new in other rooms: on a phone their list is not beside the conversation. */
  elsewhere({ unread: count, mentions }) {
    this.news.hidden = !count;
    this.news.classList.toggle("mentions", mentions > 0);
    this.news.textContent = mentions ? `@${written(mentions)}` : written(count);
    this.back.setAttribute("aria-label", count ? words.room.backWith(count, mentions) : words.room.back);
  }

  // What the app has in the head is about rooms that are open.
  #appsOwn(hidden) {
    for (const node of [this.topic, this.menu]) if (node) node.hidden = hidden;
  }

  /** Draw changes. */
  update() {
    const { room, chat, composer, conversation } = this;
    if (this.called.textContent !== room.name) this.called.textContent = room.name;
    this.called.disabled = this.people.hidden = room.isDraft || room.status !== "ready";
    this.lock.hidden = room.isClosed || room.visibility !== "private";
    const about = room.isClosed ? "" : [room.archived && words.room.archived, room.isDirect ? whereIs(room) : room.topic].filter(Boolean).join(" · ");
    if (about !== this.said) fill(this.about, withLinks((this.said = about))); // otherwise a link may have the focus
    this.mark.textContent = room.mark;
    this.here.textContent = number(room.online);
    this.search.hidden = room.isClosed || !offers(chat, "search");
    // Not before it is whole.
    if (this.more) this.more.hidden = room.status !== "ready" || !room.may.size || !this.acts.roomMenu().length;
    this.people.setAttribute("aria-label", words.room.people(room.online));
    conversation.log.setAttribute("aria-label", words.room.messages(room.name));
    composer.address(room.visibility === "public" ? `#${room.name}` : room.name, chat.welcome?.limits.maxText);
    composer.showTyping(room.typing.filter((one) => one.id !== chat.user?.id && !this.acts.isBlocked(one)));
    composer.attachTo(room, room);
    this.#instead(room);
    conversation.timeline = room.shown; // a window far up may have become a part of it
    conversation.update();
    // A page may have failed, or waited for another, or the connection was lost: whoever is at the end or the top cannot scroll to ask again.
    conversation.needNewer();
    if (!conversation.stuck) conversation.needOlder();
  }

  #instead(room) {
    const panel = this.#panel(room);
    const kind = panel && `${room.id} ${room.status}`;
    if (kind !== this.kind) this.conversation.showInstead(panel && panel());
    this.kind = kind;
    const { isClosed, shut } = room;
    const lost = this.composer.shut(!isClosed && shut ? shutBecause(shut) : "", isClosed);
    this.#appsOwn(isClosed);
    if (this.topic && this.about.textContent) this.topic.hidden = true; // there is room for one line
    if (lost) (this.conversation.instead?.querySelector("button") ?? this.conversation.log).focus();
  }

  #panel(room) {
    const { status, timeline } = room;
    if (room.isClosed) return () => refusal(room, this.acts);
    return status === "loading" && !timeline.loaded && !timeline.all().length ? skeleton : null;
  }

  #top(room) {
    const { shown: timeline, gap, isDirect, name } = room;
    const said = words.room;
    if (gap) return el("div.gap-line", { testid: "gap" }, said.gap, el("button.button.plain", { onclick: () => this.acts.onReload(room) }, said.reload));
    if (timeline.more || this.conversation.hidden) return el("div.older", {}, said.older);
    if (!timeline.loaded && !room.isDraft) return el("div");
    const empty = !timeline.all().some(({ type }) => type === "message");
    const invite = this.acts.onInvite && room.may.has("member.invite") && room.visibility === "private" && !timeline.more;
    const mayWrite = !room.shut && !this.nameless;
    const hint = isDirect ? said.direct(name) : !empty ? said.beginning : mayWrite ? `${said.empty} ${said.first}` : said.empty;
    return el("div.beginning", { testid: empty ? "empty-room" : "beginning" }, el("h3", {}, el("bdi", {}, name)), el("p.hint", {}, hint),
      invite && button(words.people.invite, this.acts.onInvite, { testid: "invite-first" }));
  }
}

// Nothing is known before somebody has looked.
function whereIs({ people, partner, near }) {
  const here = people.get(partner?.id)?.here ?? near;
  return here === undefined ? "" : here ? words.hereNow : words.notHereNow;
}

function departure({ reason, error, verdict }) {
  if (reason === "kicked" || reason === "banned") return sentenceOf(reason, verdict);
  return ["left", "deleted", "forbidden"].includes(reason) ? words.room[reason] : error ? sentence(error) : words.room.because(reason);
}

function refusal(room, { onBack, onCreate, onReload }) {
  const { name, status, reason, error } = room;
  const said = words.room;
  const choose = [said.chooseOther, onBack];
  const again = [status === "removed" ? said.joinAgain : words.tryAgain, () => onReload(room)];
  if (status === "removed") return statePanel(said.removed(name), departure(room), reason === "banned" || reason === "deleted" ? [choose] : [choose, again], "removed");
  // An invalid id names no room.
  const isInvalid = error.code === "invalid_field";
  if (error.code !== "room_not_found" && !isInvalid) return statePanel(said.failed(name), sentence(error), error.code === "banned" ? [choose] : [choose, again], "failed-room");
  const create = [isInvalid ? words.rooms.create : said.createThis, onCreate && (() => onCreate(isInvalid ? "" : room.id))];
  return statePanel(said.unknown(name), said.unknownWhy, [choose, create], "unknown-room");
}
