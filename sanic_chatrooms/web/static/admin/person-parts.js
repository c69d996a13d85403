// People: who is connected to any worker; and one person: every connection, how much of the limits is used, and what can be done.

import { button, el, fill } from "../../static/dom.js";
import { longTime, momentOf, nameOf } from "./figures.js";
import { words } from "./operator-words.js";
import { personLink } from "./room-parts.js";
import { badge, labelled, lineForm, pages, table } from "./tables.js";

const FULL = 0.8; // of a limit
const EVERY = 3; // ticks from one look at people to the next

export function people(desk) {
  const { node: list, set } = table(words.tabs.people, [words.person, words.findPerson], { testid: "people" });
  const total = el("p.note", { testid: "people-total" }, words.loading);
  const rowOf = ({ id, name }) => ({ key: id, sign: name, testid: "person", cells: [() => el("a", { href: personLink(id) }, el("bdi", {}, name)), () => el("bdi", {}, id)] });
  const paged = pages((rows) => set(rows.map(rowOf)), async (cursor) => {
    const page = await desk.ask("people", { cursor });
    if (page) total.textContent = words.online(page.total);
    return page && { rows: page.people, cursor: page.cursor };
  });
  const find = labelled(words.findPerson, { testid: "find-person" });
  const node = el("div.stack", {}, el("h2.sr-only", {}, words.tabs.people),
    el("div.filters", {}, lineForm(find, words.open, () => find.value && (location.hash = personLink(find.value)))), total, list, paged.more);
  let ticks = 0;
  // Not while further pages are on show: they would go.
  const tick = () => ticks++ % EVERY === 0 && paged.rows().length <= 25 && paged.again();
  return { node, tick };
}

// ---- one person ----

export function person(desk, id) {
  const heading = el("h2", { testid: "person-name" }, el("bdi", {}, id));
  const notes = el("div.stack");
  const acts = el("div.list-actions", { testid: "person-acts" });
  const rooms = el("div.stack");
  const changing = el("div.stack", { tabindex: -1 }, acts, rooms);
  const columns = [words.device, words.worker, words.address, words.since, words.heard, words.used, ""];
  const { node: list, set } = table(words.devices, columns, { testid: "devices" });
  let sign = "";

  const look = async () => {
    const told = await desk.ask("person", { user: id });
    if (!told) return;
    const names = new Map((desk.history.now?.workers ?? []).map((worker) => [worker.worker, nameOf(worker)]));
    fill(heading, el("bdi", {}, told.user.name), " ", el("bdi.under", {}, id));
    fill(notes, notesOf(told, names));
    set(told.devices.map((device) => deviceRow(desk, told, device, names, look)));
    list.hidden = told.devices.length === 0;
    const now = JSON.stringify([told.rooms, Boolean(told.banned)]);
    if (now === sign) return; // buttons keep the focus
    sign = now;
    const inside = changing.contains(document.activeElement);
    fill(acts, desk.me.mayChange ? actsOn(desk, told, look) : el("p.hint", {}, words.mayNot));
    fill(rooms, roomsOf(desk, told, look));
    if (inside) changing.focus({ preventScroll: true });
  };
  let ticks = 0;
  const node = el("div.stack", {}, el("a.button.back-link", { href: "#/people" }, words.back), heading, notes,
    el("h3.section", {}, words.devices), list, changing);
  return { node, tick: () => ticks++ % EVERY === 0 && look() };
}

function notesOf({ devices, silent, banned }, names) {
  return [
    banned && el("p.problem", { testid: "banned" }, words.bannedFromServer(`${banned.until ? words.until(momentOf(banned.until)) : words.forGood}${banned.reason ? `: ${banned.reason}` : ""}`)),
    silent.length > 0 && el("p.problem", { testid: "silent" }, words.silentWorkers(silent.map((one) => names.get(one) ?? one).join(", "))),
    devices.length === 0 && el("p.hint", {}, words.offline),
  ];
}

function deviceRow(desk, { user, at }, device, names, again) {
  const close = async () => (await desk.act("disconnect", { user: user.id, session: device.session }, user.name)) && again();
  const used = Object.entries(device.used);
  return {
    key: device.session, testid: "device", sign: JSON.stringify([device.rooms, device.used]),
    cells: [
      () => [el("span", {}, device.agent || words.unknownAgent, device.guest && ` (${words.guest})`), el("span.under", {}, words.roomsOfDevice(device.inRooms, device.rooms.join(", ")))],
      names.get(device.worker) ?? device.worker, device.ip, momentOf(device.since), longTime(Math.max(0, at - device.heard)),
      () => (used.length ? used.map(([kind, share]) => badge(`${kind} ${Math.round(100 * share)} %`, share > FULL ? "bad" : "calm")) : words.none),
      () => desk.me.mayChange && button(words.acts.disconnect, close, { testid: "disconnect-one", "aria-label": words.actAsk.disconnect(user.name) }),
    ],
  };
}

function actsOn(desk, { user, banned }, again) {
  const names = ["disconnect", "revoke", banned ? "unban-user" : "ban-user"];
  const act = (name) => async () => (await desk.act(name, { user: user.id }, user.name)) && again();
  return names.map((name) => button(words.acts[name], act(name), { testid: name, class: name === "ban-user" ? "danger" : "" }));
}

function roomsOf(desk, { user, rooms, inRooms }, again) {
  if (!rooms.length) return [];
  const act = (name, room) => async () => (await desk.act(name, { room, user: user.id }, user.name, room)) && again();
  const line = ({ room, role }) => el("li.list-line", { testid: "membership" },
    el("div.grow", {}, el("a", { href: `#/rooms/${encodeURIComponent(room)}` }, el("bdi", {}, room)), el("span.under", {}, role)),
    desk.me.mayChange && !room.startsWith("~") && el("div.list-actions", {}, ["kick", "mute", "ban"].map((name) => button(words.acts[name], act(name, room), { testid: name, "aria-label": words.actAsk[name](user.name, room) }))));
  return [el("h3.section", {}, `${words.inRooms} (${inRooms})`), el("ul", {}, rooms.map(line))];
}
