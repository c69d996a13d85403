// The dialog for inviting people to a room, or adding them. Loaded when somebody opens it.

import { avatar, lineName } from "./avatar.js";
import { button, el } from "./dom.js";
import { attempt, choiceGroup, openPanel, problemLine, radio, textField } from "./dialogs.js";
import { byName, toldApart } from "./format.js";
import { KeyedList } from "./keyed.js";
import { words } from "./words.js";

const SHOWN = 50;
const ID = /^\S{1,128}$/;
const WAYS = { "member.invite": "invite", "member.add": "add" }; // their words: words.inviting

/** `names`: everybody whom this page has seen. */
export function invite(chat, room, names) {
  return openPanel(words.inviting.heading(room.name), "invite", content(chat, room, names));
}

function content(chat, room, names) {
  const ways = Object.keys(WAYS).filter((way) => room.may.has(way));
  const done = new Map(); // id → what was done
  let way = ways[0];
  const said = words.inviting;
  const { field, row } = textField(words.name, { testid: "invite-field", oninput: () => show(), required: false });
  const box = el("ul.people-list", { "aria-label": words.people.label });
  const nothing = el("p.hint", { role: "status", testid: "invite-nothing" });
  const problem = problemLine();
  const list = new KeyedList(box, (one) => personLine(one, () => act(one)));
  const choice = (one) => radio({ name: "way", value: one, checked: one === way, onchange: () => show((way = one)) }, said.ways[WAYS[one]]);

  function show() {
    const letters = field.value.trim();
    const outside = ({ id }) => id !== chat.user.id && (done.has(id) || !isMember(room, id));
    const { people, typed, inside } = matching(names.all(), outside, letters);
    const marks = toldApart(people);
    list.set(people.slice(0, SHOWN).map((one) => {
      const [mark, state] = [marks.get(one.id), done.get(one.id) ?? ""];
      return { ...one, key: one.id, mark, way, state, sign: `${one.name}|${mark}|${way}|${state}` };
    }));
    if (inside) nothing.textContent = said.inside(inside.name);
    else if (typed) nothing.textContent = said.typed;
    else nothing.textContent = people.length ? "" : letters ? said.unseen : said.nobody;
  }

  async function act({ id, way: chosen }) {
    done.set(id, "…");
    show();
    const isDone = await attempt(problem, () => chat.request(chosen, { room: room.id, payload: { user: id } }));
    if (isDone) done.set(id, said.done[WAYS[chosen]]);
    else done.delete(id);
    show();
    field.focus();
  }

  show();
  return [row, ways.length > 1 && choiceGroup(said.how, ways.map(choice), "sr-only"), nothing, box, problem];
}

// In a public room, people are there who are no members.
function isMember(room, id) {
  return room.people.has(id) && room.visibility !== "public";
}

function matching(all, outside, letters) {
  const wanted = letters.toLocaleLowerCase();
  const found = all.filter(({ id, name }) => id === letters || name.toLocaleLowerCase().includes(wanted));
  const people = found.filter(outside).sort(byName);
  const inside = !people.length && letters ? found[0] : null;
  const typed = !people.length && !inside && ID.test(letters);
  return { people: typed ? [{ id: letters, name: letters }] : people, typed, inside };
}

function personLine({ id, name, mark, state, way }, act) {
  const said = words.inviting;
  return el("li.people-line", { testid: "candidate", "data-user": id },
    avatar({ id, name }, "small"),
    lineName(name, mark),
    state ? el("span.count", { testid: "done" }, state) : button(said[WAYS[way]], act, { "aria-label": said.one[WAYS[way]](name), testid: "invite-one" }));
}
