// Ctrl+K: go to a room by a few letters of its name.

import { el } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { KeyedList } from "./keyed.js";

const SHOWN = 50;
const ROOM_ID = /^(?!\.{1,2}$)[A-Za-z0-9_.:-][A-Za-z0-9_.:~-]{0,127}$/;

/** Ask for one of `rooms`; resolves with its id, an id that was typed, or undefined. */
export function openSwitcher(rooms) {
  return openDialog("Switch room", (close) => content(rooms, close), { class: "switcher", testid: "switcher" });
}

function content(rooms, close) {
  let chosen = 0;
  let rows = [];
  const field = el("input", { class: "field", type: "text", role: "combobox", autocomplete: "off", autofocus: true, placeholder: "Go to a room or a person", "aria-label": "Room", "aria-expanded": "true", "aria-controls": "switcher-list", testid: "switcher-field", oninput: () => show(0), onkeydown: key });
  const box = el("ul", { id: "switcher-list", role: "listbox", "aria-label": "Rooms" });
  const list = new KeyedList(box, (row) => el("li", { class: "menu-item", role: "option", id: row.key, "aria-selected": String(row.chosen), testid: "switcher-option", onclick: () => close(row.room) }, row.label));

  function show(index) {
    rows = matching(rooms, field.value.trim());
    chosen = rows.length ? (index + rows.length) % rows.length : 0;
    list.set(rows.map((row, at) => ({ ...row, chosen: at === chosen, sign: `${row.label}|${at === chosen}` })));
    field.setAttribute("aria-activedescendant", rows[chosen]?.key ?? "");
    list.get(rows[chosen]?.key)?.scrollIntoView({ block: "nearest" });
  }

  function key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) show(chosen + step);
    else if (event.key === "Enter" && !event.isComposing) close(rows[chosen]?.room);
    else return;
    event.preventDefault();
  }

  show(0);
  return [field, box];
}

function matching(rooms, typed) {
  const wanted = typed.replace(/^#/, "").toLocaleLowerCase();
  const found = rooms.filter((room) => room.name.toLocaleLowerCase().includes(wanted) || room.id.toLowerCase() === wanted);
  // What begins with the letters comes before what only holds them; what has news before what has none.
  const rank = (room) => (room.name.toLocaleLowerCase().startsWith(wanted) ? 0 : 2) - (room.unread ? 1 : 0);
  const rows = found.sort((a, b) => rank(a) - rank(b)).slice(0, SHOWN).map((room, at) => ({ key: `option-${at}-${room.id}`, room: room.id, label: `${room.isDirect ? "@" : "#"} ${room.name}${room.unread ? ` (${room.unread})` : ""}` }));
  const id = typed.replace(/^#/, "");
  if (ROOM_ID.test(id) && !rooms.some((room) => room.id === id)) rows.push({ key: "option-other", room: id, label: `Go to #${id}` });
  return rows;
}
