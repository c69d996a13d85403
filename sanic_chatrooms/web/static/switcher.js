// Ctrl+K: go to a room by a few letters of its name.

import { composing, el, icon } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { KeyedList } from "./keyed.js";
import { words } from "./words.js";

const SHOWN = 50;
const SIGILS = { public: "# ", direct: "@ " };
const ROOM_ID = /^(?!~|\.{1,2}$)[\w.:~-]{1,128}$/;

/**
 * Ask for one of `rooms`; resolves with its id, a typed id, or undefined. `searches`: messages can be searched; then also with {search: text}.
 * `strangers`: people to write to, found by their names; see RoomBook.
 */
export function openSwitcher(rooms, searches = false, strangers = []) {
  return openDialog(words.switcher.heading, (close) => content(rooms, searches, strangers, close), { class: "dialog switcher", testid: "switcher" });
}

function content(rooms, searches, strangers, close) {
  let chosen = 0;
  let rows = [];
  const { label, none } = words.switcher;
  const field = el("input.field", { role: "combobox", autocomplete: "off", autofocus: true, placeholder: label, "aria-label": label, "aria-expanded": "true", "aria-controls": "switcher-list", testid: "switcher-field", oninput: () => show(0), onkeydown: key });
  const box = el("ul", { id: "switcher-list", role: "listbox", "aria-label": words.rooms.label });
  const nothing = el("p.hint", { role: "status", testid: "switcher-nothing" });
  const list = new KeyedList(box, (row) => el("li.menu-item", { role: "option", id: row.key, "aria-selected": String(row.chosen), testid: "switcher-option", onclick: () => close(row.id) }, row.isSearch && icon("find"), row.isPrivate && [icon("lock"), el("span.sr-only", {}, words.rooms.privateBefore)], row.label));

  function show(index) {
    const typed = field.value.trim().replace(/^[#@]/, "");
    rows = matching(typed ? [...rooms, ...strangers] : rooms, typed);
    if (searches && field.value.trim()) rows.push({ key: "option-search", id: { search: field.value.trim() }, isSearch: true, label: words.switcher.search(field.value.trim()) });
    chosen = (index + rows.length) % (rows.length || 1);
    list.set(rows.map((row, at) => ({ ...row, chosen: at === chosen, sign: `${row.label}|${at === chosen}` })));
    box.hidden = !rows.length;
    nothing.textContent = rows.length ? "" : none;
    const { key } = rows[chosen] ?? {};
    field.setAttribute("aria-activedescendant", key ?? "");
    field.setAttribute("aria-expanded", String(rows.length > 0));
    list.get(key)?.scrollIntoView({ block: "nearest" });
  }

  function key(event) {
    if (composing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) show(chosen + step);
    else if (event.key === "Enter") close(rows[chosen]?.id);
    else return;
    event.preventDefault();
  }

  show(0);
  return [field, box, nothing];
}

function matching(rooms, typed) {
  const at = ({ name }) => name.toLocaleLowerCase().indexOf(typed.toLocaleLowerCase());
  // Names that begin with the letters come first, then names that contain them; unread rooms come before others.
  const rank = (room) => (at(room) ? 2 : 0) - (room.unread ? 1 : 0);
  const found = rooms.filter((room) => at(room) >= 0).sort((a, b) => rank(a) - rank(b)).slice(0, SHOWN);
  const rows = found.map(({ id, name, mark, visibility, archived, unread }) => ({ key: `option-${id}`, id, isPrivate: visibility === "private", label: `${SIGILS[visibility] ?? ""}${name}${mark && ` · ${mark}`}${archived ? words.rooms.archivedAfter : ""}${unread ? ` (${unread})` : ""}` }));
  const isOther = ROOM_ID.test(typed) && !rooms.some(({ id }) => id === typed);
  return isOther ? [...rows, { key: "option", id: typed, label: words.switcher.go(typed) }] : rows;
}
