// Rooms: how large each is and how much happens in it; and one room: what happens in it now, and who is in it.

import { button, el, fill } from "../../static/dom.js";
import { select } from "./acts.js";
import { momentOf, numberOf } from "./figures.js";
import { words } from "./operator-words.js";
import { badge, labelled, lineForm, pages, table } from "./tables.js";

const LINES = 100; // of the tail that are kept
const SLOWLY = 10_000; // ms between two looks at what changes seldom

const link = (room) => `#/rooms/${encodeURIComponent(room)}`;

export function rooms(desk) {
  const rates = new Rates(desk);
  const { node: list, set } = table(words.tabs.rooms, [words.room, words.kind, words.members, words.here, words.events, words.eventsPerSecond], { testid: "rooms" });
  const empty = el("p.hint", { hidden: true }, words.nothing);
  const { node: busiest, set: setBusiest } = table(words.busiest, [words.room, words.connections, words.eventsPerSecond], { testid: "busiest" });
  const heading = el("h3.section", { hidden: true }, words.busiest);
  let visibility = "";
  const show = (rows) => {
    empty.hidden = rows.length > 0;
    set(rows.map((room) => rowOf(room, rates)));
  };
  const load = async (cursor) => {
    const page = await desk.ask("rooms", { cursor, visibility });
    return page && { rows: page.rooms, cursor: page.cursor };
  };
  const paged = pages(show, load);
  const find = labelled(words.findRoom, { testid: "find-room" });
  const kind = select(words.kind, [["", words.allKinds], ...Object.entries(words.kinds)], { testid: "room-kind", onchange: () => {
    visibility = kind.value;
    paged.again();
  } });
  const node = el("div.stack", {}, el("h2.sr-only", {}, words.tabs.rooms),
    el("div.filters", {}, lineForm(find, words.open, () => find.value && (location.hash = link(find.value))), kind),
    heading, busiest, el("h3.section", {}, words.allRooms), list, empty, paged.more);
  paged.again();

  const tick = async () => {
    const most = desk.history.now?.busiest ?? [];
    heading.hidden = busiest.hidden = most.length === 0;
    await rates.look([...new Set([...most, ...paged.rows()].map(({ room, id }) => room ?? id))]);
    setBusiest(most.map(({ room, connections }) => ({
      key: room, testid: "busy-room",
      cells: [() => el("a", { href: link(room) }, el("bdi", {}, room)), numberOf(connections), numberOf(rates.of({ id: room }).rate)],
    })));
    show(paged.rows());
  };
  return { node, tick };
}

function rowOf(room, rates) {
  const { seq, online, rate } = rates.of(room);
  return {
    key: room.id, testid: "room", sign: `${room.title} ${room.archived}`,
    cells: [
      () => [el("a", { href: link(room.id) }, el("bdi", {}, room.title || room.id)), el("span.under", {}, el("bdi", {}, room.id), room.archived && ` (${words.archived})`)],
      words.kinds[room.visibility] ?? room.visibility, numberOf(room.members), numberOf(online), numberOf(seq), numberOf(rate),
    ],
  };
}

/** How much happens in rooms: from the numbers of their events, which every worker's events have. */
class Rates {
  #now = new Map();

  constructor(desk) {
    this.desk = desk;
  }

  async look(ids) {
    if (!ids.length) return;
    const told = await this.desk.ask("heads", { rooms: ids.slice(0, LINES).join(",") });
    for (const [id, { seq, epoch, online }] of Object.entries(told?.rooms ?? {})) {
      const before = this.#now.get(id);
      const rate = before?.epoch === epoch && told.at > before.at ? (seq - before.seq) / (told.at - before.at) : null;
      this.#now.set(id, { seq, epoch, online, at: told.at, rate });
    }
  }

  of({ id, seq, online }) {
    return this.#now.get(id) ?? { seq, online, rate: null };
  }
}

// ---- one room ----

export function room(desk, id) {
  const rates = new Rates(desk);
  const heading = el("h2", { testid: "room-title" }, el("bdi", {}, id));
  const facts = el("dl.facts", { testid: "room-facts" });
  const made = el("p.note");
  const people = el("div.stack", { tabindex: -1 });
  const tail = tailOf(desk, id);
  const node = el("div.stack", {}, el("a.button.back-link", { href: "#/rooms" }, words.back), heading, facts, made,
    el("div.columns", {}, el("section.stack", { "aria-label": words.tail }, el("h3.section", {}, words.tail), tail.node), people));

  const look = async () => {
    const told = await desk.ask("room", { room: id });
    if (!told) return;
    fill(heading, el("bdi", {}, told.title || told.id), " ", badge(words.kinds[told.visibility] ?? told.visibility), told.archived && badge(words.archived));
    const inside = people.contains(document.activeElement);
    fill(people, peopleOf(desk, told, look));
    if (inside) people.focus({ preventScroll: true });
    showFacts(told);
  };
  const showFacts = (told) => {
    const { seq, online, rate } = rates.of(told);
    const rows = [[words.members, told.members], [words.here, online], [words.events, seq], [words.eventsPerSecond, rate]];
    fill(facts, rows.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, numberOf(value)))));
    made.textContent = [words.made(momentOf(told.createdAt), told.createdBy), told.slowMode > 0 && words.slowMode(told.slowMode)].filter(Boolean).join(", ");
    shown = told;
  };
  let shown = null;
  look();
  const slowly = setInterval(() => !people.contains(document.activeElement) && look(), SLOWLY);
  const tick = async () => {
    await Promise.all([tail.tick(), rates.look([id])]);
    if (shown) showFacts(shown);
  };
  return { node, tick, leave: () => clearInterval(slowly) };
}

function tailOf(desk, id) {
  const log = el("ol.tail", { testid: "tail", tabindex: 0, "aria-label": words.tail });
  const note = el("p.hint", {}, words.loading);
  let after = null;
  let behind = false; // more has happened than one answer has: on to the newest
  let asking = false;
  const tick = async () => {
    if (asking) return;
    asking = true;
    const page = await desk.ask("tail", { room: id, after: behind ? null : after });
    asking = false;
    if (!page) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const events = page.events.filter(({ seq }) => after === null || seq > after);
    behind = page.more && after !== null && !behind;
    after = events.at(-1)?.seq ?? (after === null ? page.seq : Math.min(after, page.seq));
    log.append(...events.map(eventLine));
    while (log.children.length > LINES) log.firstChild.remove();
    note.textContent = page.withheld ? words.withheld : log.children.length ? "" : words.noEvents;
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  return { node: el("div.stack", {}, note, log), tick };
}

function eventLine({ seq, type, timestamp, sender, payload, deleted }) {
  const said = deleted || !payload ? "" : payload.text ?? JSON.stringify(payload);
  return el("li", { testid: "event" }, el("span.seq", {}, `${seq}`), el("div.grow", {},
    el("p.event-head", {}, el("strong", {}, type), " ", el("bdi", {}, sender?.name ?? words.theApp), " ", el("time", {}, momentOf(timestamp))),
    said && said !== "{}" && el("p.event-text", {}, el("bdi", {}, said))));
}

// ---- who is in it ----

function peopleOf(desk, told, again) {
  const mutes = told.mutes.map(({ user }) => user.id);
  const people = new Map([...told.present, ...told.listed].map((user) => [user.id, { ...user }]));
  told.listed.forEach(({ id, role }) => (people.get(id).role = role));
  const act = (name, user) => async () => (await desk.act(name, { room: told.id, user: user.id }, user.name, told.title || told.id)) && again();
  const line = (user, names, under) => el("li.list-line", { testid: "room-person" },
    el("div.grow", {}, el("a", { href: personLink(user.id) }, el("bdi", {}, user.name)), under && el("span.under", {}, under)),
    desk.me.mayChange && told.visibility !== "direct" && el("div.list-actions", {}, names.map((name) => button(words.acts[name], act(name, user), { testid: name, "aria-label": words.actAsk[name](user.name, told.id) }))));
  const restricted = (list, title, name) => list.length > 0 && [el("h3.section", {}, title), el("ul", {}, list.map(({ user, until, reason }) => line(user, [name], [until ? words.until(momentOf(until)) : words.forGood, reason].filter(Boolean).join(": "))))];
  const each = [...people.values()].map((user) => line(user, ["kick", mutes.includes(user.id) ? "unmute" : "mute", "ban"], user.role));
  return [
    el("h3.section", {}, words.members), each.length ? el("ul", {}, each) : el("p.hint", {}, words.nothing),
    restricted(told.bans, words.bans, "unban"), restricted(told.mutes, words.mutes, "unmute"),
  ];
}

export const personLink = (id) => `#/people/${encodeURIComponent(id)}`;
