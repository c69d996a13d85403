// The components, each with all its states: name → function that makes them.

import { actSheet } from "../act-sheet.js";
import { avatar } from "../avatar.js";
import { Banner } from "../banner.js";
import { createRoom, changeName } from "../belonging.js";
import { blocked } from "../blocked.js";
import { card } from "../card.js";
import { askToDelete } from "../deleting.js";
import { details } from "../details.js";
import { ask, choiceGroup, radio, textField } from "../dialogs.js";
import { button, el, icon, ICONS, iconButton } from "../dom.js";
import { pickEmoji } from "../emoji-picker.js";
import { help } from "../help.js";
import { invite } from "../inviting.js";
import { equip } from "../message-row.js";
import { carryOut, report, reports, restrictions } from "../moderating.js";
import { Notices } from "../notices.js";
import { PeoplePane } from "../people-pane.js";
import { menuButton } from "../popover.js";
import { prefs } from "../prefs.js";
import { giveRole } from "../roles.js";
import { roomMenu } from "../room-menu.js";
import { archive, remove, settings as changeRoom } from "../room-settings.js";
import { Me, RoomsPane } from "../rooms-pane.js";
import { search } from "../searching.js";
import { settings } from "../settings.js";
import { chooseName, showEnd } from "../sign-in.js";
import { skeleton } from "../states.js";
import { openSwitcher } from "../switcher.js";
import { TalkPane } from "../talk-pane.js";
import { ThreadPane } from "../thread-pane.js";
import { Timeline } from "../timeline.js";
import { ABOUT, ADA, BOB, client, EVE, INVITATIONS, lively, MARKS, PEOPLE, refused, room, ROOMS, TWIN } from "./said.js";

const nothing = () => {};
const never = () => new Promise(nothing);
const set = (...nodes) => el("div.set", {}, nodes);
const soon = () => new Promise((done) => setTimeout(done));
const book = { listed: () => ROOMS, unread: { marks: { rooms: () => [] } }, strangers: () => [room("@emil", { visibility: "direct", partner: { id: "emil", name: "Emil" }, status: "idle" })], names: new Map([[BOB.id, BOB.name]]), rooms: new Map(ROOMS.map((one) => [one.id, one])) };
book.names.of = (id) => book.names.get(id);
const desktop = (state) => ({ state });

// ---- dialogs ----

/** The dialog that `open` opens, when all of it is there. `then(dialog)`: what is done in it. */
async function dialog(open, then = nothing) {
  open();
  let node = null;
  while (!node) {
    await soon();
    node = document.querySelector("body > dialog");
  }
  await then(node);
  // Answers come in a few steps, some only after another question.
  for (let step = 0; step < 5; step++) await soon();
  return node;
}

const all = async (...opened) => {
  const nodes = [];
  for (const [open, then] of opened) {
    nodes.push(await dialog(open, then));
    nodes.at(-1).remove();
  }
  return nodes;
};

const submit = (value) => async (node) => {
  if (value !== undefined) node.querySelector("input").value = value;
  node.querySelector("[type=submit]").click();
};

// ---- panes ----

const acts = {
  people: () => [BOB, { ...TWIN, here: false }, EVE],
  nameOf: (_, id) => PEOPLE.find((one) => one.id === id)?.name,
  isBlocked: (person) => person?.id === "troll",
  roomMenu: () => [["", nothing]],
  reactors: never,
  onFormat: async (act) => act(await import("../formatting.js")),
  ...Object.fromEntries(["onBack", "onCard", "onCreate", "onDelete", "onDetails", "onDiscard", "onEnd", "onInvite", "onLink", "onCopy", "onOlder", "onPeople", "onPick", "onPin", "onReact", "onReload", "onReport", "onRetry", "onSave", "onSearch", "onSend", "onThread", "onUnread", "onClose", "onJump", "onReply", "onOlderReplies"].map((name) => [name, nothing])),
};

function talk(shown, newAfter = null) {
  const pane = new TalkPane(client(), acts, undefined, undefined, menuButton(iconButton("more", "Room"), () => []));
  pane.open(shown, newAfter);
  return pane;
}

const talks = (...rooms) => rooms.map((one) => talk(one).element);

function thread(fields, replies = []) {
  const [message] = lively().timeline.items.filter(({ type }) => type === "message");
  const one = { room: room("General"), id: message.id, message, draft: "", status: "ready", timeline: new Timeline(), ...fields };
  one.timeline.replace(replies, false);
  const pane = new ThreadPane(client(), acts);
  document.body.append(pane.element);
  pane.open(one);
  return pane.element;
}

const reply = { type: "message", msgId: "reply", seq: 900, sender: BOB, timestamp: Date.now() / 1000, payload: { text: "Here." } };

/** One of ours with its tools, and one that is being rewritten. */
function tools() {
  const one = lively();
  one.timeline.replace([{ ...reply, sender: ADA }, { ...reply, msgId: "other", seq: 901 }], false);
  one.timeline.pending = [];
  const shown = ["reply", "other"].map((key) => {
    const pane = talk(one);
    const row = pane.conversation.list.get(key);
    equip(row);
    row.classList.add("shown-tools");
    return pane.element;
  });
  const rewritten = talk(one);
  rewritten.conversation.edit(one.timeline.items[0]);
  return [shown, rewritten.element];
}

async function composers() {
  const write = (text, maxText) => {
    const { element, composer } = talk(room("General", { typing: [BOB, EVE] }));
    composer.field.value = text;
    if (maxText) composer.writing.maxText = maxText;
    return { element: composer.element, composer };
  };
  const marked = write(MARKS.slice(0, 60));
  marked.composer.marks.click();
  const mentioning = write("@b");
  mentioning.element.classList.add("mentioning");
  const states = [write(""), write("Some text"), write("Almost too long", 100), write("Too long", 4), marked, mentioning];
  const box = el("div", {}, states.map(({ element }) => element));
  box.style.width = "100%";
  document.body.append(box);
  await import("../formatting.js");
  await soon();
  for (const { composer } of states) composer.field.dispatchEvent(new Event("input"));
  return box;
}

function banner(...steps) {
  let follow = nothing;
  const chat = client({ state: "offline", on: (type, act) => (follow = act) });
  const { element } = new Banner(chat);
  for (const step of [{}, ...steps]) {
    Object.assign(chat, step);
    follow(chat);
  }
  return element.cloneNode(true); // it says something else in a moment
}

function notices() {
  const all = new Notices();
  all.add({ title: "Lunch", content: "It is ready." });
  all.add({ title: "Bob mentioned you in General", content: "Bob: look here", href: "#/general/at/1" });
  all.refused("That did not work", refused("lost"));
  all.ask({ title: "Get notified?", content: "We can alert you.", acts: [["Turn on", nothing], ["Not now", nothing]] });
  const toasts = [...all.toasts.children].map((one) => one.cloneNode(true)); // they go in a moment
  const none = new Notices();
  for (const { bell } of [all, none]) bell.firstChild.click();
  return [all.questions, toasts, all.bell, none.bell];
}

function menu(entries) {
  const anchor = menuButton(iconButton("more", "Menu"), () => entries);
  document.body.append(anchor);
  anchor.firstChild.click();
  return anchor;
}

function full(show) {
  const box = el("div");
  show(box);
  return [...box.children];
}

const pair = (label, style = "", props = {}) => [button(label, nothing, { class: style, ...props }), button(`${label}, disabled`, nothing, { class: style, disabled: true })];

function field(label, props, problem) {
  const { field: input, row } = textField(label, { autofocus: false, ...props });
  if (problem) input.setAttribute("aria-invalid", "true");
  return problem ? [row, el("p.problem", {}, problem)] : row;
}

const asked = (style) => [() => ask("Decline the invitation to Kitchen?", ["You can only come in when somebody invites you again."], "Decline", "question", style)];

export const SPECIMENS = {
  Colours: () => set(["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "accent", "on-accent", "danger", "ok", "warn"].map((name) => {
    const swatch = el("span.swatch", {}, el("b", {}, name));
    swatch.style.background = `var(--${name})`;
    return swatch;
  })),
  Text: () => [el("h2", {}, "A heading"), el("p", {}, "Text with ", el("a", { href: "#" }, "a link"), ", ", el("code", {}, "code"), ", ", el("mark", {}, "what was found"), " and ", el("kbd", {}, "Ctrl K")), el("p.hint", {}, "A hint"), el("p.note", {}, "A note"), el("p.problem", {}, "A problem"), el("span.label", {}, "A label"), el("blockquote.quote", {}, "A quote")],
  Buttons: () => [set(pair("Plain words")), set(pair("Main", "primary")), set(pair("Destructive", "danger")), set(pair("Risky", "risky")), set(pair("Like a link", "plain")), set(iconButton("edit", "Edit"))],
  Icons: () => set(Object.keys(ICONS).map((name) => el("span", { title: name }, icon(name)))),
  Fields: () => [field("Empty", { placeholder: "What it is for" }), field("Filled", { value: "Words" }), field("Refused", { value: "General" }, "There is such a room already."), field("Password", { type: "password", value: "correct horse" }),
    el("label.row", {}, el("span.label", {}, "Choice"), el("select.field", {}, el("option", {}, "One"))),
    choiceGroup("Several", [radio({ name: "a", checked: true }, "One"), radio({ name: "a" }, el("span", {}, "Another", el("span.note", {}, "With an explanation")))]), el("label.choice", {}, el("input", { type: "checkbox", checked: true }), "On or off")],
  "People and counts": () => set(avatar(ADA), avatar(EVE), avatar(BOB, "small"), el("span.dot.here", {}, avatar(BOB, "small")), el("span.dot", {}, avatar(TWIN, "small")), el("span.badge", {}, "3"), el("span.badge.mentions", {}, "@2"), el("span.count", {}, "99+"), el("span.mark", {}, "bob-2"), el("span.tip", {}, "You, Bob, and 3 others")),
  "List of rooms": () => {
    const me = new Me(iconButton("more", "You"));
    const pane = new RoomsPane({ title: "Chat", bell: new Notices().bell, footer: me.element, onCreate: nothing, onSwitch: nothing, onWrite: nothing, onAgain: nothing, onAnswer: nothing });
    me.update(ADA);
    pane.update(ROOMS, "Open now", INVITATIONS);
    return pane.element;
  },
  "People in a room": () => {
    const pane = new PeoplePane({ onPerson: nothing, onClose: nothing, onInvite: nothing, onCard: nothing });
    pane.update(room("General", { people: PEOPLE, online: 9, role: "owner" }), ADA, new Set(["troll"]));
    return pane.element;
  },
  Messages: () => {
    const shown = lively();
    const { element } = talk(shown, shown.timeline.items[5].seq);
    element.classList.add("whole");
    return element;
  },
  "What can be done with a message": async () => [tools(), await all([() => actSheet([["smile", "React", "react"], ["edit", "Edit", "edit"], ["bin", "Delete", "delete"]], document.body, nothing)], [() => pickEmoji({ top: 0, bottom: 0, left: 0, right: 0 })])],
  Composer: composers,
  "A room in other states": () => talks(room("Empty"), room("Private", { visibility: "private", topic: "Only for us" }), room("d1", { visibility: "direct", partner: BOB, near: true }), Object.assign(room("Loading", { status: "loading" }), { timeline: new Timeline() }), room("Gap", { gap: true }),
    room("Archived", { archived: true, shut: refused("forbidden", { needs: "unarchived" }) }), room("Muted", { shut: refused("muted", { until: Date.now() / 1000 + 3600, reason: "spam" }) }), room("Read only", { shut: refused("forbidden", { needs: 10 }) })),
  "A room that is closed": () => talks(room("Left", { status: "removed", reason: "left" }), room("Banned", { status: "removed", reason: "banned", verdict: { by: BOB, reason: "spam" } }), room("Unknown", { status: "failed", error: refused("room_not_found") }), room("Failed", { status: "failed", error: refused("lost") })),
  Thread: () => [thread({}, [reply, { ...reply, msgId: "second", seq: 901, sender: EVE }]), thread({}), thread({ status: "loading" }), thread({ status: "failed", error: refused("message_not_found") })],
  Connection: () => [banner(), banner({ state: "connecting", status: { code: 1012, retryIn: 5 } }), banner({ state: "connecting", status: { code: 4008, retryIn: null } }), banner({ state: "online" })],
  Notices: notices,
  Menus: () => [menu(roomMenu(ROOMS[3], { chat: client(), book })), menu([["Settings", nothing], ["Keyboard shortcuts", nothing], ["Sign out", nothing]])],
  Questions: () => all(asked("primary"), asked("danger"), [() => askToDelete({ text: "Where do we **eat**?" }, { mine: true })], [() => askToDelete({ text: "Where do we **eat**?" })]),
  Forms: () => all([() => createRoom(client())], [() => createRoom(client({ createRoom: () => Promise.reject(refused("conflict")) })), submit("General")], [() => changeName(client())], [() => changeName(client({ rename: () => Promise.reject(refused("invalid_field", { field: "name" }, "name must not be longer than 64")) })), submit("Ada")]),
  Switcher: () => all(...["", "ga", "@e", "nothing like this"].map((typed) => [() => openSwitcher({ book, look: async () => true }, true, typed)])),
  Search: () => {
    const find = (query, more) => [() => search(client(more), { room: ROOMS[0], nameOf: (id) => id, isPrivate: (id) => id === "Garden", query })];
    return all(find(""), find("bread"), find("nothing", { search: async () => ({ messages: [] }) }), find("slow", { search: never }), find("offline", { state: "offline", search: () => Promise.reject(refused("lost")) }), find("too much", { search: () => Promise.reject(refused("invalid_field", { field: "query" })) }));
  },
  "Details of a room": () => {
    const show = (more, at) => [() => details({ at, chat: client(more), book, room: ROOMS[3], jump: nothing, invite: nothing, prefs: nothing })];
    return all(show(), show({}, "pins"), show({ state: "offline" }), show({ request: never }));
  },
  "Settings of a room": () => all([() => changeRoom(client(), ROOMS[3], ABOUT)], [() => archive(client(), ROOMS[3], true)], [() => remove(client(), ROOMS[3])], [() => prefs(client(), ROOMS[3], desktop("unasked"), nothing)], [() => prefs(client(), ROOMS[3], desktop("denied"), nothing)]),
  "A person": () => {
    const blocks = (...ids) => ({ has: (id) => ids.includes(id), chat: client(), load: nothing, all: () => PEOPLE.filter(({ id }) => ids.includes(id)) });
    const show = (person, shown, ...ids) => [() => card(client(), shown, person, { mark: "", blocks: blocks(...ids), write: nothing })];
    return all(show({ ...BOB, here: true, role: "member" }, room("General", { visibility: "private", role: "owner" })), show({ ...EVE, role: "guest" }, room("General", { may: [] }), EVE.id), [() => giveRole(client(), ROOMS[3], BOB)], [() => blocked(blocks())], [() => blocked(blocks("bob", "bob-2"))]);
  },
  Inviting: () => {
    const directory = (people) => ({ people: () => people, look: async () => true });
    return all([() => invite(client(), ROOMS[3], directory(PEOPLE))], [() => invite(client(), ROOMS[3], directory([]))]);
  },
  Moderation: () => {
    const none = { request: async () => ({ reports: [], restrictions: [] }) };
    const over = (act) => [() => carryOut(client(), ROOMS[3], BOB, act)];
    return all(over("member.mute"), over("member.kick"), over("member.ban"), [() => report(client(), ROOMS[3], { id: "m", text: "Rude words", sender: BOB })], [() => reports(client(), ROOMS[3], nothing)], [() => reports(client(none), ROOMS[3], nothing)], [() => restrictions(client(), ROOMS[3], book.names)], [() => restrictions(client(none), ROOMS[3], book.names)]);
  },
  "Settings and keys": () => all([() => settings(desktop("on"))], [help]),
  "Full screens": () => [full((box) => chooseName(client(), box, { title: "Chat" }, never())), el("div.loading", {}, skeleton()), full((box) => showEnd(box, "The session is over. Sign in again.", true, {})), full((box) => showEnd(box, "You are banned until Monday.", false, { signOut: never }, true))],
};
