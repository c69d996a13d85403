// What was reported, who decided what, and why somebody may do something.

import { el, fill } from "../../static/dom.js";
import { select } from "./acts.js";
import { momentOf } from "./figures.js";
import { words } from "./operator-words.js";
import { personLink } from "./room-parts.js";
import { badge, labelled, lineForm, pages, table } from "./tables.js";

const roomLink = (room) => el("a", { href: `#/rooms/${encodeURIComponent(room)}` }, el("bdi", {}, room));
const userLink = (id, name = id) => el("a", { href: personLink(id) }, el("bdi", {}, name));

// ---- reports ----

export function reports(desk) {
  const list = el("ul", { testid: "reports" });
  const empty = el("p.hint", { hidden: true, testid: "no-reports" }, words.noReports);
  let open = "true";
  const show = (rows) => {
    empty.hidden = rows.length > 0;
    fill(list, rows.map((report) => reportLine(desk, report, () => (which.focus(), paged.again()))));
  };
  const paged = pages(show, async (cursor) => {
    const page = await desk.ask("reports", { cursor, open });
    return page && { rows: page.reports, cursor: page.cursor };
  });
  const which = select(words.tabs.reports, [["true", words.openReports], ["false", words.allReports]], { testid: "which-reports", onchange: () => {
    open = which.value;
    paged.again();
  } });
  paged.again();
  return { node: el("div.stack", {}, el("h2.sr-only", {}, words.tabs.reports), el("div.filters", {}, which), list, empty, paged.more) };
}

function reportLine(desk, report, again) {
  const outcome = labelled(words.outcome, { maxlength: 500, required: true, testid: "outcome" });
  const close = async () => (await desk.does("close-report", { id: report.id, outcome: outcome.value }, words.reportClosed)) && again();
  const held = report.held && el("blockquote.quote", {}, el("bdi", {}, report.held.text ?? JSON.stringify(report.held)));
  return el("li.list-line", { testid: "report" },
    el("div.grow", {}, el("p", {}, roomLink(report.room), report.held && [" ", badge(words.heldBack)]),
      el("p", {}, el("bdi", {}, report.reason)), held,
      el("p.under", {}, words.reportedBy(report.by?.name ?? words.theApp, momentOf(report.at)), report.msgId && ` · ${report.msgId}`)),
    report.outcome !== undefined ? el("p.note", {}, words.closed(report.outcome)) : desk.me.mayChange && lineForm(outcome, words.close, close));
}

// ---- audit ----

export function audit(desk) {
  const room = labelled(words.findRoom, { testid: "audit-room" });
  const actor = labelled(words.actor, { testid: "audit-actor" });
  const { node: list, set } = table(words.tabs.audit, [words.when, words.what, words.room, words.actor, words.whom, words.reason], { testid: "audit" });
  const empty = el("p.hint", { hidden: true }, words.noDecisions);
  const show = (rows) => {
    empty.hidden = rows.length > 0;
    list.hidden = rows.length === 0;
    set(rows.map(auditRow));
  };
  const paged = pages(show, async (cursor) => {
    const page = await desk.ask("audit", { cursor, room: room.value, actor: actor.value });
    return page && { rows: page.lines, cursor: page.cursor };
  });
  paged.again();
  return { node: el("div.stack", {}, el("h2.sr-only", {}, words.tabs.audit), lineForm([room, actor], words.look, paged.again, { testid: "audit-form" }), list, empty, paged.more) };
}

function auditRow({ room, seq, at, type, actor, user, reason, details }) {
  return {
    key: `${room ?? ""} ${seq} ${at} ${type}`, testid: "decision",
    cells: [momentOf(at), type, () => (room ? roomLink(room) : words.wholeServer), () => (actor ? userLink(actor.id, actor.name) : words.theApp),
      () => (user ? userLink(user) : details.worker ?? words.none), reason || details.outcome || settingsOf(details)],
  };
}

const settingsOf = ({ settings = {} }) => Object.entries(settings).map(([name, value]) => `${name} = ${value === null ? words.asConfigured : JSON.stringify(value)}`).join(", ");

// ---- explain ----

export function explain(desk) {
  const user = labelled(words.findPerson, { required: true, testid: "explain-user" });
  const room = labelled(words.findRoom, { required: true, testid: "explain-room" });
  const action = select(words.action, desk.me.actions.map((name) => [name, name]), { testid: "explain-action" });
  action.value = "message";
  const verdict = el("div.verdict", { role: "status", testid: "verdict" });
  const go = async () => {
    const told = await desk.ask("explain", { user: user.value, action: action.value, room: room.value });
    if (!told) return;
    fill(verdict, badge(told.allowed ? words.allowed : words.forbidden, told.allowed ? "good" : "bad"), el("p", {}, told.because), el("p.under", {}, words.byRule(told.rule, told.seq)));
  };
  return { node: el("div.stack", {}, el("h2.sr-only", {}, words.tabs.explain), el("p.hint", {}, words.explainHint), lineForm([user, action, room], words.ask, go), verdict) };
}

