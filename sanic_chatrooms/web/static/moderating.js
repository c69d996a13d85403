// Dialogs for keeping a room in order: reports, removing, muting and banning people. Loaded when somebody opens one.

import { askToDelete } from "./deleting.js";
import { button, el } from "./dom.js";
import { attempt, choiceGroup, closableHead, openDialog, openForm, problemLine, radio, reasonField } from "./dialogs.js";
import { excerpt, momentOf } from "./format.js";
import { duration } from "./language.js";
import { mustBeOnline } from "./reasons.js";
import { calm, plainText } from "./richtext.js";
import { giveRole } from "./roles.js";
import { words } from "./words.js";

const HOUR = 3600;
const TIMES = [HOUR / 6, HOUR, 24 * HOUR, 7 * 24 * HOUR, null];
const PAGE = 100;
const PAGES = 20;

// Their words: words.moderation.
const ACTS = { "member.mute": "mute", "member.kick": "kick", "member.ban": "ban" };

// ---- people ----

/** The mute of a person in the room: {until}. Undefined: there is none; null: nobody can say. */
export async function muteOf(chat, room, { id }) {
  const isTheirs = ({ user }) => user.id === id;
  const lines = chat.state === "online" && room.may.has("restrictions") && (await restricted(chat, room, "mute", isTheirs).catch(() => null));
  return lines ? lines.find(isTheirs) ?? (lines.cursor ? null : undefined) : null;
}

// Bans or mutes of the room, page by page, up to the one that is wanted. They have a `cursor` if there are more.
async function restricted(chat, room, kind, isWanted = () => false) {
  const lines = [];
  for (let cursor, page = 1; ; page++) {
    const answer = await chat.request("restrictions", { room: room.id, payload: { kind, cursor, limit: PAGE } });
    lines.push(...answer.restrictions);
    cursor = lines.cursor = answer.cursor;
    if (!cursor || page === PAGES || answer.restrictions.some(isWanted)) return lines;
  }
}

/** What the user may do about others in the room: [act, words, look] triples. `mute`: see muteOf. */
export function actsOver(room, mute) {
  // Only members can be removed. In a public room, who is a member is not known here.
  const acts = Object.keys(ACTS).filter((act) => room.may.has(act) && (act !== "member.kick" || room.visibility !== "public") && !(mute && act === "member.mute"));
  const role = room.may.has("member.role") ? [["member.role", words.roles.change]] : [];
  const unmute = mute !== undefined && room.may.has("member.mute") ? [["member.unmute", words.moderation.unmute]] : [];
  return [...role, ...unmute, ...acts.map((act) => [act, words.moderation[ACTS[act]].label, "risky"])];
}

/** Ask for the role, or for how long and why, and do it. */
export async function carryOut(chat, room, person, act) {
  if (act === "member.role") return giveRole(chat, room, person);
  if (act === "member.unmute") return chat.request(act, { room: room.id, payload: { user: person.id } });
  const said = words.moderation;
  const { heading, yes, what } = said[ACTS[act]];
  const timed = act !== "member.kick";
  const { field, row } = reasonField(said.why, { autofocus: !timed });
  const choice = (seconds, at) => radio({ name: "time", value: seconds ?? "", checked: at === 1, autofocus: at === 1 }, seconds === null ? said.forEver : duration(seconds));
  const times = timed && choiceGroup(said.howLong, TIMES.map(choice));
  const submit = async () => {
    mustBeOnline(chat);
    const seconds = Number(times && times.querySelector(":checked").value);
    const until = seconds ? Math.round(Date.now() / 1000 + seconds) : undefined;
    return chat.request(act, { room: room.id, payload: { user: person.id, until, reason: field.value.trim() || undefined } }).then(() => true);
  };
  return openForm(heading(person.name, room.name), [el("p.hint", {}, what(person.name)), times, row], yes, submit, "act-dialog", act === "member.mute" ? "primary" : "danger");
}

/** Who is banned or muted in the room, with a way to end it. `names`: of people, because the server has only ids of those whom it never met. */
export async function restrictions(chat, room, names) {
  const [banned, muted] = await Promise.all(["ban", "mute"].map((kind) => restricted(chat, room, kind)));
  const said = words.moderation;
  const lines = [...banned.map((one) => ({ ...one, what: said.banned, end: said.unban, act: "member.unban" })), ...muted.map((one) => ({ ...one, what: said.muted, end: said.unmute, act: "member.unmute" }))];
  return openList(said.restrictions(room.name), lines, said.noRestrictions, (line, problem) => restrictionLine(chat, room, { ...line, name: names.of(line.user.id) ?? line.user.name }, problem), "restrictions-dialog");
}

function restrictionLine(chat, room, { user, name, by, until, reason, what, end, act }, problem) {
  const undo = () => chat.request(act, { room: room.id, payload: { user: user.id } });
  const how = words.events.more(what, { until: until ? momentOf(until) : words.reasons.noEnd, by: by?.name, reason });
  return listLine([el("p.author.cut", {}, el("bdi", {}, name)), el("p.note", {}, calm(how))], [[end, undo, words.moderation.endOf(end, name)]], problem, "restriction");
}

// ---- messages ----

/** Tell the moderators of a message. */
export async function report(chat, room, item, notices) {
  const said = words.moderation;
  const { field, row } = reasonField(said.whatIsWrong, { required: true });
  const quote = el("blockquote.quote", {}, calm(words.message.said(item.sender.name, excerpt(plainText(item.text)))));
  const submit = async () => (mustBeOnline(chat), chat.request("report", { room: room.id, payload: { msgId: item.id, reason: field.value.trim() } }));
  const { isDirect } = room;
  const hint = el("p.hint", {}, (isDirect ? said.readByRunners : said.readByModerators)(item.sender.name));
  const done = await openForm(said.report, [quote, row, hint], said.reportYes, submit, "report-dialog");
  if (done) notices.done({ title: done.duplicate ? said.reportedBefore : said.reported, content: isDirect ? said.seenByRunners : said.seenByModerators });
}

/** Open reports of the room. `jump(seq)`: to a message. */
export async function reports(chat, room, jump) {
  const page = await chat.request("reports", { room: room.id, payload: { limit: PAGE } });
  const draw = (line, problem, close) => reportLine(chat, room, line, problem, (seq) => (close(), jump(seq)));
  return openList(words.moderation.reports(room.name), page.reports, words.moderation.noReports, draw, "reports-dialog");
}

function reportLine(chat, room, { id, msgId, reason, by, at, held }, problem, jump) {
  const item = room.timeline.items.find((one) => one.id === msgId);
  const text = held ? held.text : item?.text;
  const { wasDeleted, furtherUp, held: heldBack, by: from, goTo, keepMessage, closeReport } = words.moderation;
  const said = typeof text === "string" && text ? excerpt(plainText(text)) : item?.deleted ? wasDeleted : furtherUp;
  const name = by?.name ?? words.somebody;
  const close = (outcome) => chat.request("report.close", { payload: { id, outcome } });
  const go = async () => jump(item?.seq ?? (await chat.thread(room.id, msgId, { limit: 1 })).message.seq);
  const remove = async () => {
    const answer = await askToDelete({ text: said });
    if (!answer) return false;
    await chat.delete(room.id, msgId, answer);
    return close("deleted");
  };
  const isThere = msgId && !item?.deleted;
  const canDelete = isThere && room.may.has("message.delete.any");
  const body = [el("p.note", {}, held ? heldBack(name) : from(name, momentOf(at))), el("p", {}, calm(reason)), el("blockquote.quote", {}, calm(item?.sender ? words.message.said(item.sender.name, said) : said))];
  const acts = [isThere && [goTo, go], canDelete && [words.message.delete, remove, null, "risky"], [isThere ? keepMessage : closeReport, () => close("closed")]];
  return listLine(body, acts.filter(Boolean), problem, "report-line");
}

// ---- lists ----

/** A list in a dialog, or `empty`. `draw(line, problem, close)`: see listLine. */
export function openList(heading, lines, empty, draw, testid) {
  return openDialog(heading, (close) => {
    const head = closableHead(heading, close, "list-done");
    const problem = problemLine();
    const none = el("p.hint", { testid: "none" }, empty);
    const box = el("ul.people-list", {}, lines.map((line) => draw(line, problem, close)));
    none.hidden = lines.length > 0;
    box.addEventListener("done", () => {
      none.hidden = box.childElementCount > 0;
      (box.querySelector("button") ?? head.lastChild).focus();
    });
    return [head, none, box, problem];
  }, { testid });
}

/** `acts`: [label, async function, name?, look?]; after each the line is gone, unless it resolves with false. */
export function listLine(content, acts, problem, testid) {
  const run = async (act, { currentTarget }) => {
    const list = line.parentElement;
    let stays = false;
    currentTarget.disabled = true;
    const isDone = await attempt(problem, async () => (stays = (await act()) === false));
    if (isDone && !stays) {
      line.remove();
      return list.dispatchEvent(new Event("done"));
    }
    currentTarget.disabled = false;
    currentTarget.focus();
  };
  const buttons = acts.map(([label, act, name, look = ""]) => button(label, (event) => run(act, event), { class: look, "aria-label": name }));
  const line = el("li.list-line", { testid }, el("div.grow", {}, content), el("div.list-actions", {}, buttons));
  return line;
}
