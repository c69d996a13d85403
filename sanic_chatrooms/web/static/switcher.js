// Ctrl+K: go to a room by a few letters of its name.

import { composing, el, icon } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { KeyedList } from "./keyed.js";
import { words } from "./words.js";

const SHOWN = 50;
const SIGILS = { public: "# ", direct: "@ " };
const ROOM_ID = /^(?!~|\.{1,2}$)[\w.:~-]{1,128}$/;

/**
 * Ask for a room of the book, or a person to write to; resolves with an id, a typed id, or undefined. `searches`: messages can be searched; then also
 * with {search: text}. `directory`: see directory.js. `typed`: what stands in the field; after "@", there are people only.
 */
export function openSwitcher(directory, searches, typed = "") {
  return openDialog(words.switcher.heading, (close) => content(directory, searches, typed, close), { class: "dialog switcher", testid: "switcher" });
}

function content(directory, searches, value, close) {
  let chosen = 0;
  let rows = [];
  const { book } = directory;
  const rooms = book.listed();
  const { label, none } = words.switcher;
  const field = el("input.field", { role: "combobox", autocomplete: "off", autofocus: true, placeholder: label, "aria-label": label, "aria-expanded": "true", "aria-controls": "switcher-list", testid: "switcher-field", oninput: look, onkeydown: key });
  const box = el("ul", { id: "switcher-list", role: "listbox", "aria-label": words.rooms.label });
  const nothing = el("p.hint", { role: "status", testid: "switcher-nothing" });
  const list = new KeyedList(box, (row) => el("li.menu-item", { role: "option", id: row.key, "aria-selected": String(row.chosen), testid: "switcher-option", onclick: () => close(row.id) }, row.isSearch && icon("find"), row.isPrivate && [icon("lock"), el("span.sr-only", {}, words.rooms.privateBefore)], row.label));

  function show(index) {
    const asked = field.value.trim();
    const [typed, isPerson] = [asked.replace(/^[#@]/, ""), asked[0] === "@"];
    rows = matching(asked ? [...rooms, ...book.strangers()] : rooms, typed, isPerson);
    if (searches && typed && !isPerson) rows.push({ key: "option-search", id: { search: asked }, isSearch: true, label: words.switcher.search(asked) });
    chosen = (index + rows.length) % (rows.length || 1);
    list.set(rows.map((row, at) => ({ ...row, chosen: at === chosen, sign: `${row.label}|${at === chosen}` })));
    box.hidden = !rows.length;
    nothing.textContent = rows.length ? "" : none;
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
  return [field, box, nothing];
}

function matching(all, typed, isPerson) {
  const rooms = isPerson ? all.filter(({ visibility }) => visibility === "direct") : all;
  const at = ({ name }) => name.toLocaleLowerCase().indexOf(typed.toLocaleLowerCase());
  // Names that begin with the letters come first, then names that contain them; unread rooms come before others.
  const rank = (room) => (at(room) ? 2 : 0) - (room.unread ? 1 : 0);
  const found = rooms.filter((room) => at(room) >= 0).sort((a, b) => rank(a) - rank(b)).slice(0, SHOWN);
  const rows = found.map(({ id, name, mark, visibility, archived, unread }) => ({ key: `option-${id}`, id, isPrivate: visibility === "private", label: `${SIGILS[visibility] ?? ""}${name}${mark && ` · ${mark}`}${archived ? words.rooms.archivedAfter : ""}${unread ? ` (${unread})` : ""}` }));
  const isOther = !isPerson && ROOM_ID.test(typed) && !rooms.some(({ id }) => id === typed);
  return isOther ? [...rows, { key: "option", id: typed, label: words.switcher.go(typed) }] : rows;
}
