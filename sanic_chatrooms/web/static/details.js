// The details of a room: what it is, what one may do in it, what is pinned, who is a member. Loaded when somebody opens it.

import { avatar, lineName } from "./avatar.js";
import { attempt, openDialog, problemLine } from "./dialogs.js";
import { button, el, fill, icon, iconButton } from "./dom.js";
import { byName, dayName, toldApart } from "./format.js";
import { capital } from "./language.js";
import { part } from "./part.js";
import { pins } from "./pins.js";
import { withLinks } from "./richtext.js";
import { byRole, entryInWords, inWords, mayChange, roleName } from "./room-words.js";
import { giveRole } from "./roles.js";
import { archive, remove, settings } from "./room-settings.js";
import { words } from "./words.js";

const PAGE = 100;

/** Show the details until they are closed. `it`: {chat, book, room}, and `jump(seq)` to a message, `invite()`, `prefs()`; `at`: "pins" for nothing else. */
export async function details(it) {
  const heading = it.at ? words.pins.label : words.details.heading(it.room.name);
  const show = (close) => content(it, close);
  // What somebody opens from here stands alone; the details come back after it, where they were, unless it resolves with "over", the room is
  // closed to us, or the address is another room's now.
  const { hash } = location;
  let act = null;
  do act = await openDialog(heading, show, { class: "dialog search", testid: "details" });
  while (act && (await act()) !== "over" && !it.room.isClosed && location.hash === hash);
}

function content(it, close) {
  const { room, chat } = it;
  const load = () => chat.request("room", { room: room.id });
  const jump = (seq) => close(() => (it.jump(seq), "over"));
  const draw = (about) => (it.at ? pins(it, about, jump) : whole(it, about, close, jump));
  return [
    el("div.search-head", {},
      el("h2.grow.title", {}, it.at ? words.pins.label : [room.visibility === "private" && lock(), el("bdi", {}, room.name)]),
      iconButton("close", words.details.close, { onclick: () => close(), autofocus: true, testid: "details-close" })),
    part(chat, load, draw, { class: "details", testid: "details-body" }),
  ];
}

/** A private room. */
function lock() {
  return [icon("lock"), el("span.sr-only", {}, words.details.private)];
}

function whole(it, about, close, jump) {
  const { chat, room } = it;
  const then = (act) => ({ currentTarget }) => {
    it.from = selectorOf(currentTarget);
    close(act);
  };
  goBack(it);
  const may = (action) => about.may.includes(action);
  const acts = [
    may("room.update") && [words.details.change, () => settings(chat, room, about), "details-change"],
    !room.isDirect && (may("member.invite") || may("member.add")) && [words.people.invite, it.invite, "details-invite"],
    room.counted && [words.details.notifications, it.prefs, "details-notify"],
  ];
  const { topic, archived } = about;
  return [
    topic && el("p", { dir: "auto", testid: "details-topic" }, withLinks(topic)),
    archived && el("p.shut", { testid: "details-archived" }, words.details.archived),
    row(acts, then),
    facts(it, about),
    section(words.pins.label, pins(it, about, jump)),
    !room.isDirect && section(words.details.members, members(it, about, then, () => goBack(it))),
    row(may("room.govern") && [
      about.archived ? [words.details.reopen, () => archive(chat, room, false), "details-reopen"] : [words.details.archive, () => archive(chat, room, true), "details-archive"],
      may("room.delete") && [words.details.delete, () => remove(chat, room), "details-delete", "danger"],
    ], then),
  ];
}

function selectorOf(button) {
  const person = button.closest("[data-user]")?.dataset.user;
  return `${person ? `[data-user="${CSS.escape(person)}"] ` : ""}[data-testid=${button.dataset.testid}]`;
}

// To the button by which somebody left the details, as soon as it is there again.
function goBack(it) {
  queueMicrotask(() => {
    const button = it.from && document.querySelector(`[data-testid=details] :is(${it.from})`);
    if (!button) return;
    it.from = null;
    button.focus();
  });
}

function row(acts, then) {
  const some = (acts || []).filter(Boolean);
  return some.length > 0 && el("div.details-acts", {}, some.map(([label, act, testid, look]) => button(label, then(act), { testid, class: look ?? "" })));
}

function section(heading, content) {
  return el("section", {}, el("h3", {}, heading), content);
}

function facts({ chat, book, room }, about) {
  const { slowMode, createdBy, createdAt, role } = about;
  const said = words.details;
  const day = dayName(createdAt);
  const maker = !createdBy ? day : createdBy === chat.user.id ? said.madeByYou(day) : said.madeBy(day, book.names.of(createdBy) ?? createdBy);
  const fact = (term, ...lines) => el("div", {}, el("dt", {}, term), lines.filter(Boolean).map((line) => el("dd", {}, line)));
  const rights = el("details", {}, el("summary", {}, said.rights), el("p", {}, inWords(about.may)));
  const made = fact(said.made, maker);
  return el("dl", { testid: "details-facts" }, room.isDirect ? made : [
    fact(words.people.label, said.people(about.members, about.online)),
    fact(words.create.whoEnters, ...entryInWords(about)),
    slowMode > 0 && fact(said.pace, said.slowMode(slowMode)),
    fact(words.you, role !== "guest" && said.role(roleName(role)), rights),
    made]);
}

function members({ chat, room }, about, then, onDrawn) {
  const all = [];
  const load = async () => {
    const page = await chat.members(room.id, { limit: PAGE, cursor: all.cursor });
    all.push(...page.members);
    all.cursor = page.cursor;
  };
  const draw = () => {
    const marks = toldApart(all);
    const line = (one) => memberLine(one, marks.get(one.id), { about, me: chat.user.id, onRole: then(() => giveRole(chat, room, one)) });
    onDrawn();
    const groups = byRole(all).map(([role, people]) => el("div", {}, el("h4.label", {}, words.details.group(capital(roleName(role)), people.length)), el("ul", {}, people.sort(byName).map(line))));
    return [groups, !all.length && el("p.hint", {}, words.details.nobody), all.cursor && button(words.details.more, more, { testid: "details-more" })];
  };
  const problem = problemLine();
  const box = part(chat, load, draw, { testid: "details-members" });
  const more = () => attempt(problem, async () => {
    await load();
    fill(box, draw());
    document.querySelector(`[data-testid=${all.cursor ? "details-more" : "details-close"}]`).focus();
  });
  return [box, problem];
}

function memberLine(one, mark, { about, me, onRole }) {
  const isMe = one.id === me;
  return el("li.people-line", { testid: "member", "data-user": one.id },
    el("span", { class: `dot ${one.online ? "here" : ""}` }, avatar(one, "small")),
    lineName(one.name, mark),
    el("span.sr-only", {}, one.online ? words.online : words.offline),
    isMe && el("span.count", {}, words.aboutYou),
    mayChange(about, one, me) && button(isMe ? words.roles.stepDown : words.roles.change, onRole, { "aria-label": isMe ? null : words.roles.changeOf(one.name), testid: "member-role" }));
}
