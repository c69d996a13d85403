// Dialogs for keeping a room in order: reports, removing, muting and banning people. Loaded when somebody opens one.

import { button, el, fill } from "./dom.js";
import { actions, doneButton, openDialog, openForm, problemLine, radio, textField } from "./dialogs.js";
import { excerpt, momentOf } from "./format.js";
import { sentence } from "./reasons.js";
import { calm } from "./richtext.js";
import { giveRole } from "./roles.js";

const HOUR = 3600;
const TIMES = [[HOUR / 6, "10 minutes"], [HOUR, "1 hour"], [24 * HOUR, "1 day"], [7 * 24 * HOUR, "1 week"], [null, "Until somebody ends it"]];
const PAGE = 100;

const ACTS = {
  "member.role": { label: "Change role" },
  "member.kick": { label: "Remove from the room", yes: "Remove", explains: "They are no member any more. They may come back if somebody invites them, or if everybody can enter." },
  "member.mute": { label: "Mute", yes: "Mute", timed: true, explains: "They can read on, and say nothing." },
  "member.ban": { label: "Ban from the room", yes: "Ban", timed: true, explains: "They are removed, and cannot come back." },
};

const reasonField = (label, props) => textField(label, { maxlength: 500, required: false, testid: "reason", ...props });

// ---- people ----

/** What the user may do about others in the room: [act, words] pairs. */
export function actsOver(room) {
  // Only members can be removed. In a public room, who is a member is not known here.
  const acts = Object.keys(ACTS).filter((act) => room.may.has(act) && (act !== "member.kick" || room.visibility !== "public"));
  return acts.map((act) => [act, ACTS[act].label]);
}

/** Ask for the role, or for how long and why, and do it. */
export async function carryOut(chat, room, person, act) {
  if (act === "member.role") return giveRole(chat, room, person);
  const { label, yes, timed, explains } = ACTS[act];
  const { field, row } = reasonField("Reason (everybody in the room reads it)", { autofocus: !timed });
  const choice = ([seconds, words], at) => radio({ name: "time", value: seconds ?? "", checked: at === 1, autofocus: at === 1 }, words);
  const times = timed && el("fieldset.row", {}, el("legend.label", {}, "For how long"), TIMES.map(choice));
  const submit = () => {
    const seconds = Number(times && times.querySelector(":checked").value);
    const until = seconds ? Math.round(Date.now() / 1000 + seconds) : undefined;
    return chat.request(act, { room: room.id, payload: { user: person.id, until, reason: field.value.trim() || undefined } }).then(() => true);
  };
  const heading = `${label}: ${person.name}`;
  return openForm(heading, [el("p.hint", {}, explains), times, row], yes, submit, "act-dialog", "danger");
}

/** Who is banned or muted in the room, with a way to end it. */
export async function restrictions(chat, room) {
  const asked = ["ban", "mute"].map((kind) => chat.request("restrictions", { room: room.id, payload: { kind, limit: PAGE } }));
  const [banned, muted] = (await Promise.all(asked)).map((page) => page.restrictions);
  const lines = [...banned.map((one) => ({ ...one, word: "Banned", end: "Unban", act: "member.unban" })), ...muted.map((one) => ({ ...one, word: "Muted", end: "Unmute", act: "member.unmute" }))];
  return openList(`Banned and muted in ${room.name}`, lines, "Nobody is banned or muted here.", (line, problem) => restrictionLine(chat, room, line, problem), "restrictions-dialog");
}

function restrictionLine(chat, room, { user, by, until, reason, word, end, act }, problem) {
  const undo = () => chat.request(act, { room: room.id, payload: { user: user.id } });
  const how = `${word}${until ? ` until ${momentOf(until)}` : ""}${by ? ` by ${by.name}` : ""}${reason ? `: ${reason}` : ""}`;
  return listLine([el("p.author.cut", {}, el("bdi", {}, user.name)), el("p.note", {}, calm(how))], [[end, undo, `${end} ${user.name}`]], problem, "restriction");
}

// ---- messages ----

/** Tell the moderators of a message. */
export async function report(chat, room, item, notices) {
  const { field, row } = reasonField("What is wrong with it?", { required: true });
  const quote = el("blockquote.quote", {}, calm(`${item.sender.name}: ${excerpt(item.text)}`));
  const submit = () => chat.request("report", { room: room.id, payload: { msgId: item.id, reason: field.value.trim() } });
  const readers = room.isDirect ? "Those who run this chat" : "The moderators of this room";
  const hint = el("p.hint", {}, `${readers} read it. ${item.sender.name} is not told.`);
  const done = await openForm("Report this message", [quote, row, hint], "Report", submit, "report-dialog");
  if (done) notices.add({ title: done.duplicate ? "You have reported this before" : "Reported", content: `${readers} will look at it.` });
}

/** Open reports of the room. */
export async function reports(chat, room, book) {
  const page = await chat.request("reports", { room: room.id, payload: { limit: PAGE } });
  return openList(`Reports in ${room.name}`, page.reports, "There are no open reports.", (line, problem) => reportLine(chat, room, book, line, problem), "reports-dialog");
}

function reportLine(chat, room, book, { id, msgId, reason, by, at, held }, problem) {
  const item = room.timeline.items.find((one) => one.id === msgId);
  const text = held ? held.text : item?.text;
  const said = typeof text === "string" && text ? excerpt(text) : item?.deleted ? "The message was deleted." : "The message is further up in the room.";
  const close = (outcome) => chat.request("report.close", { payload: { id, outcome } });
  const remove = async () => {
    await chat.delete(room.id, msgId);
    await close("deleted");
  };
  const canDelete = msgId && !item?.deleted && room.may.has("message.delete.any");
  const who = held ? `Held back. ${by?.name ?? "Somebody"} wanted to say:` : `${by?.name ?? "Somebody"}, ${momentOf(at)}`;
  const body = [el("p.note", {}, who), el("p", {}, calm(reason)), el("blockquote.quote", {}, item?.sender && `${item.sender.name}: `, calm(said))];
  return listLine(body, [canDelete && ["Delete message", remove], ["Close report", () => close("closed")]].filter(Boolean), problem, "report-line");
}

// ---- lists ----

/** A list in a dialog, or `empty`. `draw(line, problem)`: see listLine. */
export function openList(heading, lines, empty, draw, testid) {
  return openDialog(heading, (close) => {
    const problem = problemLine();
    const none = el("p.hint", { testid: "none" }, empty);
    const box = el("ul.people-list", {}, lines.map((line) => draw(line, problem)));
    none.hidden = lines.length > 0;
    box.addEventListener("done", () => {
      none.hidden = box.childElementCount > 0;
      (box.querySelector("button") ?? done).focus();
    });
    const done = doneButton(close, "list-done");
    return [el("h2", {}, heading), none, box, problem, actions(done)];
  }, { testid });
}

/** `acts`: [label, async function, name?]; after each the line is gone. */
export function listLine(content, acts, problem, testid) {
  const run = async (act, { currentTarget }) => {
    const list = line.parentElement;
    fill(problem);
    currentTarget.disabled = true;
    try {
      await act();
      line.remove();
      list.dispatchEvent(new Event("done"));
    } catch (error) {
      currentTarget.disabled = false;
      problem.textContent = sentence(error);
    }
  };
  const buttons = acts.map(([label, act, name]) => button(label, (event) => run(act, event), { "aria-label": name }));
  const line = el("li.list-line", { testid }, el("div.grow", {}, content), el("div.list-actions", {}, buttons));
  return line;
}
