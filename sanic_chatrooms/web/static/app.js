// The application: wires the client, the rooms, the panes and the address.

import { addressOf, placeAt } from "./address.js";
import { Addressees } from "./addressees.js";
import { Attention } from "./attention.js";
import { answerInvitation, changeName, createRoom, leaveRoom, signOut } from "./belonging.js";
import { keepHistory, readdress, up } from "./back.js";
import { Banner } from "./banner.js";
import { Columns } from "./columns.js";
import { offers } from "./counts.js";
import { askToDelete } from "./deleting.js";
import { Directory } from "./directory.js";
import { el, iconButton, narrow, onPhone } from "./dom.js";
import { tellOfMentions } from "./for-you.js";
import { followGrowth } from "./growing.js";
import { markHidden } from "./hiding.js";
import { jump } from "./jumping.js";
import { listenToKeys } from "./keys.js";
import { Nearby } from "./nearby.js";
import { Notices } from "./notices.js";
import { Parts } from "./parts.js";
import { PeoplePane } from "./people-pane.js";
import { menuButton } from "./popover.js";
import { listenToPushes } from "./pushes.js";
import { Reactions } from "./reactions.js";
import { nextUnread } from "./room.js";
import { RoomBook } from "./room-book.js";
import { Me, RoomsPane } from "./rooms-pane.js";
import { messageActs } from "./row-acts.js";
import { openSwitcher } from "./switcher.js";
import { TalkPane } from "./talk-pane.js";
import { noticeOf } from "./telling.js";
import { ThreadColumn } from "./thread-column.js";
import { words } from "./words.js";

/** `options`: see startChat. Show `element`, then `begin()`. */
export class App {
  room = null;
  notices = new Notices();

  constructor(chat, options) {
    Object.assign(this, { chat, options });
    this.book = new RoomBook(chat, (what, room, item) => this.#changed(what, room, item), options.firstRoom);
    this.parts = new Parts(this, (...place) => this.#go(...place), (room) => this.#leave(room));
    this.directory = new Directory(chat, this.book, options.find);
    followGrowth(chat, this.book, (what, room, item) => room === this.room && this.talk.conversation[what](item));
    this.reactions = new Reactions(chat, () => this.#soon(), (title, error) => this.notices.refused(title, error));
    this.attention = new Attention(chat, this.book, this.notices, { go: (id) => this.#go(id), changed: () => this.#soon(), load: (part, act) => this.parts.load(part, act) });
    chat.on("state", ({ state }) => this.element.classList.toggle("offline", state !== "online"));
    this.nearby = new Nearby(chat, () => this.#soon());
    this.#panes(options);
    this.columns = new Columns(this.element, this.talk, this.people, this.column, options.people !== false, (pane) => (pane ? this.#go(this.room.id, pane) : this.#up(this.room.id)));
    listenToPushes(chat, this.notices);
    tellOfMentions(chat, this.book, this.notices, (message) => this.#sees(message));
    keepHistory(() => this.#route(), () => this.#goBack());
    listenToKeys({ next: (step) => this.#next(step), onSwitch: () => this.#switch(), onSearch: () => this.parts.search(), onHelp: () => this.attention.help() });
    document.addEventListener("visibilitychange", () => this.#looking());
    window.addEventListener("beforeunload", (event) => this.#leaving(event));
  }

  #panes(options) {
    const { title, topic, menu } = options;
    const { book, chat, reactions, attention, parts } = this;
    const addressees = new Addressees(chat, book);
    const onCreate = (id) => this.#create(id);
    const onPerson = (person) => this.#go(book.with(person).id);
    const onCard = (person, mark) => attention.card(this.room, { here: false, ...person, ...this.room.people.get(person.id) }, mark, onPerson);
    const onInvite = () => parts.invite();
    const appMenu = menu && menuButton(iconButton("bolt", menu.label, { testid: "app-pushes" }), () => menu.entries(chat));
    const acts = {
      onCreate,
      onCard,
      onInvite,
      onBack: () => this.#up(""),
      onPeople: () => this.columns.toggle(),
      onOlder: (room) => book.paging.older(room),
      onNewer: (room) => book.paging.newer(room),
      onNewest: (room) => (book.paging.newest(room), this.#show(room)),
      onLink: (room, item) => parts.link(room, item),
      onFormat: (act) => parts.load(() => import("./formatting.js"), act),
      onCopy: (_, item) => parts.copy(item),
      onReload: (room) => book.reload(room),
      onSend: (room, text, more) => this.#send(room, text, more),
      ...messageActs(chat, book, addressees, reactions),
      onDelete: (room, item) => this.#delete(room, item),
      onReport: (room, item) => parts.moderate(({ report }) => report(chat, room, item, this.notices)),
      onUnread: (room, item) => this.#keepUnread(room, item),
      onSearch: () => parts.search(),
      isBlocked: (person) => attention.isBlocked(person),
      onPick: (room, item, near) => this.#pick(room, item, near),
      onDetails: () => parts.details(),
      onPin: (room, item) => parts.attempt(() => chat.pin(room.id, item.id, !item.pinned)),
      onThread: (room, item) => this.#go(room.id, "thread", item.id),
      onEnd: () => this.#seen(),
      roomMenu: () => parts.roomMenu((narrow.matches && menu?.entries(chat)) || []), // a small head has no room for both
      files: options.files,
    };
    this.talk = new TalkPane(chat, acts, topic, appMenu, menuButton(iconButton("more", words.people.menu, { testid: "room-menu" }), acts.roomMenu));
    this.column = new ThreadColumn(chat, book.threads, acts, {
      onClose: () => this.#up(this.room.id),
      onJump: (room, seq) => seq && this.#go(room.id, "at", `${seq}`),
      onReply: (thread, text, more) => book.send(thread.room, text, { ...more, parent: thread.id }),
      onShown: (shown) => this.columns.besideThread(shown),
      onLeft: ({ message }) => (message && this.talk.conversation.focus(message)) || this.#enter(),
      load: (part, act) => parts.load(part, act),
      mayFocus: () => !onPhone(),
    });
    this.people = new PeoplePane({ onPerson, onInvite, onCard, onClose: () => this.columns.toggle(true) });
    const rename = [words.rename.label, () => changeName(chat), "rename"];
    const leave = [words.signOut.label, () => this.#signOut(options.signOut), "sign-out"];
    const own = () => [...attention.entries(), ...(options.rename === false ? [] : [rename]), ...(options.own?.((end) => this.#signOut(end)) ?? []), leave];
    this.me = new Me(menuButton(iconButton("more", words.you, { testid: "me-menu" }), own));
    this.rooms = new RoomsPane({ title, bell: this.notices.bell, banner: new Banner(chat, undefined, "rooms-").element, footer: this.me.element, onCreate: () => onCreate(), onSwitch: () => this.#switch(), onWrite: () => this.#switch("@"), onAgain: () => this.#enter(), onAnswer: (invitation, answer) => this.#answer(invitation, answer) });
    const { questions, toasts } = this.notices;
    this.element = el("main.app", { testid: "app" }, el("h1.sr-only", {}, title), questions, this.rooms.element, this.talk.element, this.column.element, this.people.element, toasts);
    // Below what stands above the conversation, such as the banner. On small screens the style sheet gives them another place.
    new ResizeObserver(([{ target }]) => (toasts.style.top = `${target.getBoundingClientRect().top + 8}px`)).observe(this.talk.conversation.element);
  }

  begin() {
    this.book.refresh();
    this.#route();
    // Of whom it is, is known after the welcome.
    if (this.chat.user) this.#remember();
    else this.stop = this.chat.on("user", () => (this.stop(), this.#remember()));
  }

  #remember() {
    return this.parts.load(() => import("./remembering.js"), ({ remember }) => {
      this.memory = remember(this);
    });
  }

  // ---- what changed ----

  #changed(what, room, item) {
    const here = room === this.room;
    const notice = noticeOf(what, room, item);
    if (notice && !this.attention.isBlocked(item?.sender)) this.notices.add(notice, notice.about);
    if (what === "moved") this.#moved(room);
    else if (what === "loaded" && here) this.#show(room);
    else if (what === "came") this.#came(room, item, here);
    else if (what !== "room" || here) this.#soon();
  }

  // Draw many changes at once. Not with requestAnimationFrame, which does not run in the background.
  #soon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (this.room) this.#current();
      this.#list();
    });
  }

  #came(room, item, here) {
    const { conversation } = this.talk;
    this.attention.came(room, item);
    this.#soon();
    if (!here) return;
    // What arrives while the page is hidden is new; the line marks its beginning.
    if (document.hidden) conversation.newAfter ??= this.book.unread.upTo(room) ?? null;
    conversation.came(item);
  }

  #current() {
    const { room } = this;
    if (this.talk.conversation.stuck) room.timeline.trim();
    this.talk.update();
    this.people.update(room, this.chat.user, this.attention.blocks);
    this.column.update();
    this.#seen();
  }

  #list() {
    const { room, options, chat, book } = this;
    const rooms = book.listed();
    const invitations = [...book.invitations.values()];
    markHidden(rooms, chat.user?.id);
    this.rooms.update(rooms, room?.id, invitations);
    this.notices.seen((message) => this.#wasSeen(message));
    this.nearby.look(rooms);
    if (chat.user) this.me.update(chat.user);
    this.talk.elsewhere(this.attention.count(rooms, invitations.length, room, options.title));
    // The rooms are known only now: open the first one if none is open.
    if (!room && !narrow.matches && placeAt(location.hash) && this.#first()) this.#route();
  }

  #looking() {
    const { conversation } = this.talk;
    // All that was new has been seen.
    if (document.hidden && conversation.stuck) conversation.newAfter = null;
    this.#seen();
  }

  // Whether a pane is on the screen of a phone; elsewhere they stand side by side.
  #shows(pane) {
    return !document.hidden && (!narrow.matches || this.element.dataset.pane === pane);
  }

  #sees({ room, seq }) {
    const has = ({ items }) => items.some((item) => item.seq === seq);
    const { thread } = this.column;
    if (thread?.room.id === room && has(thread.timeline)) return this.#shows("thread");
    return this.room?.id === room && this.#shows("talk") && this.talk.conversation.stuck && has(this.room.timeline);
  }

  // Also elsewhere. Of a thread nothing says how far it was read.
  #wasSeen(message) {
    if (message.invitation) return !this.book.invitations.has(message.invitation);
    const room = this.book.get(message.room);
    return this.#sees(message) || (!message.parent && this.book.unread.upTo(room) >= message.seq);
  }

  /** Mark what is on the screen as read. */
  #seen() {
    const onScreen = this.#shows("talk") && this.talk.conversation.stuck;
    if (this.room && onScreen) this.book.unread.read(this.room);
  }

  // ---- address ----

  #go(id, pane, of) {
    const hash = id ? addressOf(id, pane, of) : "#/";
    if (location.hash === hash) this.#route();
    else location.hash = hash;
  }

  #up(id) {
    if (!up(id ? addressOf(id) : "#/")) this.#go(id);
  }

  #route() {
    this.before = null;
    const place = placeAt(location.hash);
    const wanted = place?.id || (narrow.matches ? "" : this.#first());
    this.element.dataset.pane = !place ? "talk" : !wanted ? "rooms" : (place.pane === "at" ? "talk" : (place.pane ?? "talk"));
    if (!place) this.#nowhere();
    else if (!wanted) this.#leaveRoom();
    else if (this.room?.id !== wanted) this.#open(wanted);
    this.column.show(this.room, place?.pane === "thread" ? place.of : undefined);
    if (place?.pane === "at" && this.room) this.#jump(this.room, Number(place.of));
  }

  /** Show one message, wherever it is. The address is the room's again: the same link can be followed once more. */
  #jump(room, seq) {
    const { book, talk, notices } = this;
    readdress(addressOf(room.id));
    this.before = { room, place: talk.conversation.place };
    const isHere = () => this.room === room;
    jump(room, seq, { book, talk, notices, isHere, onThread: (parent) => this.#go(room.id, "thread", parent) });
  }

  // The browser's way back from a message that was jumped to leads to where one was. In the same room, the address does not change by that.
  #goBack() {
    const { before, room } = this;
    // Without a room in the address, the first one is shown.
    if (!before || before.room !== room || ![addressOf(room.id), addressOf(""), ""].includes(location.hash)) return;
    this.before = null;
    this.book.paging.newest(room);
    this.#show(room, before.place);
  }

  // Never open a similar room instead: a message written there would reach somebody else.
  #nowhere() {
    this.room = null;
    this.talk.openNothing();
    this.people.clear();
    this.#list();
  }

  #first() {
    const { firstRoom } = this.options;
    const rooms = this.book.listed();
    return rooms.some(({ id }) => id === firstRoom) || (this.book.known && !rooms.length) ? firstRoom : (rooms[0]?.id ?? "");
  }

  #open(id) {
    const room = id.startsWith("@") ? this.book.with({ id: id.slice(1), name: id.slice(1) }) : this.book.get(id);
    this.room = room;
    room.kept = false;
    this.memory?.open(room);
    this.talk.leave();
    this.book.enter(room); // before something is drawn: the answer is under way meanwhile
    this.#show(room, room.place);
    this.book.shown = room;
    this.book.look(room);
    this.#list();
    this.#enter();
  }

  // On a phone the keyboard should not jump up with every room.
  #enter() {
    this.talk.enter(!onPhone());
  }

  // What is new goes before the `place` where one was.
  #show(room, place) {
    this.talk.open(room, room.unread ? (this.book.unread.upTo(room) ?? 0) : null, null, room.unread ? null : place);
    this.#current();
  }

  // What they tell of can be seen now: invitations, and the counts beside the rooms.
  #leaveRoom() {
    this.notices.clear();
    const id = this.room?.id;
    this.room = null;
    this.#list();
    this.rooms.focus(id);
  }

  #moved(room) {
    const place = placeAt(location.hash);
    // The user may already have chosen another room: the address changes before its event.
    if (place?.id === `@${room.partner.id}`) readdress(addressOf(room.id, place.pane, place.of));
    this.#list();
  }

  // ---- what people do ----

  #send(room, text, more) {
    this.talk.conversation.newAfter = null;
    this.before = null;
    room.kept = false;
    this.book.send(room, text, more);
    this.talk.conversation.goToEnd();
  }

  async #delete(room, item) {
    const here = this.#here();
    const answer = await askToDelete(item, { mine: item.sender?.id === this.chat.user.id });
    // The button is hidden while the focus is elsewhere, so it cannot get the focus back.
    here.focus(item);
    if (answer) this.book.edits.remove(room, item, answer);
  }

  // What shows the message that somebody does something with.
  #here(node = document.activeElement) {
    const { column, talk } = this;
    return column.pane?.element.contains(node) ? column.pane : talk.conversation;
  }

  #pick(room, item, near) {
    const here = this.#here(near);
    const place = near.getBoundingClientRect(); // it is gone when the focus has left the message
    return this.parts.load(() => import("./emoji-picker.js"), async ({ pickEmoji }) => {
      const emoji = await pickEmoji(place);
      here.focus(item);
      if (emoji) this.reactions.set(room, item, emoji, true);
    });
  }

  #keepUnread(room, item) {
    this.talk.conversation.newAfter = item.seq - 1;
    return this.parts.attempt(() => this.book.unread.keep(room, item));
  }

  async #switch(typed) {
    const chosen = await openSwitcher(this.directory, offers(this.chat, "search"), typed);
    if (typeof chosen === "string") this.#go(chosen);
    else if (chosen) this.parts.search(chosen.search);
  }

  #next(step) {
    const next = nextUnread(this.book.listed(), this.room?.id, step);
    if (next) this.#go(next.id);
    return Boolean(next);
  }

  async #create(id) {
    const made = await createRoom(this.chat, id);
    if (!made) return;
    await this.book.refresh();
    this.book.enter(this.book.get(made.room)); // its address may be the page's already
    this.#go(made.room);
  }

  async #answer(invitation, answer) {
    const done = await answerInvitation(this.book, invitation, answer, this.notices);
    if (done && answer === "accept") this.#go(invitation.id);
  }

  async #leave(room) {
    if (!(await leaveRoom(this.book, room, this.notices))) return;
    this.room = null;
    this.#go("");
  }

  async #signOut(end) {
    this.over = await signOut(this.chat, end, this.notices);
    if (this.over) location.assign(location.pathname);
  }

  /** The browser asks before messages that were not sent are lost, or edits and files, which only the page has. */
  #leaving(event) {
    const areKept = this.memory?.save();
    const isOnlyHere = (room) => room.hasFiles || room.edits.size;
    if (((this.chat.outbox.length && !areKept) || [...this.book.rooms.values()].some(isOnlyHere)) && !this.over) event.preventDefault();
  }
}
