// Ctrl+K: go to a room by a few letters of its name.

import { lineName } from "./avatar.js";
import { loud, written } from "./counts.js";
import { composing, el, icon, iconButton } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { KeyedList } from "./keyed.js";
import { words } from "./words.js";

const SHOWN = 50;
const SIGILS = { public: "# ", direct: "@ " }; // else an icon
const ROOM_ID = /^(?!~|\.{1,2}$)[\w.:~-]{1,128}$/;

/**
 * Ask for a room of the book, or a person to write to; resolves with an id, a typed id, or undefined. `searches`: messages can be searched; then also
 * with {search: text}. `directory`: see directory.js. `typed`: what stands in the field; after "@", there are people only.
 */
export function openSwitcher(directory, searches, typed = "") {
  return openDialog(typed === "@" ? words.rooms.write : words.switcher.heading, (close) => content(directory, searches, typed, close), { class: "dialog switcher", testid: "switcher" });
}

function content(directory, searches, value, close) {
  let chosen = 0;
  let rows = [];
  const { book } = directory;
  const rooms = book.listed();
  const read = book.unread.marks.rooms();
  const lately = ({ id }) => (id === book.shown?.id ? -1 : read.indexOf(id));
  const recent = [...rooms].sort((a, b) => lately(b) - lately(a)); // the one before this one is first
  const { label, none, nobody } = words.switcher;
  const field = el("input.field", { role: "combobox", autocomplete: "off", autofocus: true, placeholder: label, "aria-label": label, "aria-expanded": "true", "aria-controls": "switcher-list", testid: "switcher-field", oninput: look, onkeydown: key });
  const box = el("ul", { id: "switcher-list", role: "listbox", "aria-label": words.rooms.label });
  const nothing = el("p.hint", { role: "status", testid: "switcher-nothing" });
  const list = new KeyedList(box, (row) => option(row, close));

  function show(index) {
    const asked = field.value.trim();
    const [typed, isPerson] = [asked.replace(/^[#@]/, ""), asked[0] === "@"];
    rows = matching(asked ? [...rooms, ...book.strangers()] : recent, typed, isPerson);
    const found = rows.some(({ isRoom }) => isRoom);
    if (searches && typed && !isPerson) rows.push({ key: "switcher-search", id: { search: asked }, sigil: "search", name: words.switcher.search(asked) });
    chosen = (index + rows.length) % (rows.length || 1);
    list.set(rows.map((row, at) => ({ ...row, chosen: at === chosen, sign: `${row.name}|${at === chosen}` })));
    box.hidden = !rows.length;
    nothing.textContent = found ? "" : asked === "@" ? nobody : none;
    const { key } = rows[chosen] ?? {};
    field.setAttribute("aria-activedescendant", key ?? "");
    field.setAttribute("aria-expanded", String(rows.length > 0));
    list.get(key)?.scrollIntoView({ block: "nearest" });
  }

  async function look() {
    show(0);
    const asked = field.value.trim();
    if (!asked || !(await directory.look(asked.replace(/^[#@]/, "")))) return;
    const { key: before } = rows[chosen] ?? {};
    show(0);
    show(Math.max(0, rows.findIndex(({ key: now }) => now === before)));
  }

  function key(event) {
    if (composing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) show(chosen + step);
    else if (event.key === "Enter") close(rows[chosen]?.id);
    else return;
    event.preventDefault();
  }

  field.value = value; // what is set so has the cursor at its end
  look();
  return [el("div.search-head", {}, field, iconButton("close", words.close, { onclick: () => close(), testid: "switcher-close" })), nothing, box];
}

function option({ key, id, chosen, sigil, name, mark, archived, unread, notify }, close) {
  const props = { role: "option", id: key, "aria-selected": String(chosen), testid: "switcher-option", onclick: () => close(id) };
  return el("li.menu-item", props,
    el("span.sigil", {}, SIGILS[sigil] ?? (sigil && icon(sigil))),
    sigil === "lock" && el("span.sr-only", {}, words.rooms.privateBefore),
    lineName(name, mark),
    archived && el("span.count", {}, words.rooms.archived),
    unread > 0 && el(notify === "all" ? "span.badge" : "span.count", {}, written(unread), el("span.sr-only", {}, words.rooms.unread)));
}

function matching(all, typed, isPerson) {
  const rooms = isPerson ? all.filter(({ visibility }) => visibility === "direct") : all;
  const at = ({ name }) => name.toLocaleLowerCase().indexOf(typed.toLocaleLowerCase());
  // Names that begin with the letters come first, then names that contain them; rooms with something new come before others.
  const rank = (room) => (at(room) ? 2 : 0) - (loud(room) ? 1 : 0);
  const found = rooms.filter((room) => at(room) >= 0).sort((a, b) => rank(a) - rank(b)).slice(0, SHOWN);
  const rows = found.map(({ id, name, mark, visibility, archived, unread, notify }) => ({ key: `option-${id}`, id, isRoom: true, sigil: visibility === "private" ? "lock" : visibility, name, mark, archived, unread, notify }));
  const isOther = !isPerson && ROOM_ID.test(typed) && !rooms.some(({ id }) => id === typed);
  return isOther ? [...rows, { key: "option", id: typed, name: words.switcher.go(typed) }] : rows;
}
