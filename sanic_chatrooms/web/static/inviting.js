// The dialog for inviting people to a room, or adding them. Loaded when somebody opens it.

import { avatar, lineName } from "./avatar.js";
import { button, el } from "./dom.js";
import { actions, doneButton, openDialog, problemLine, radio, textField } from "./dialogs.js";
import { byName, toldApart } from "./format.js";
import { KeyedList } from "./keyed.js";
import { sentence } from "./reasons.js";
import { words } from "./words.js";

const SHOWN = 50;
const ID = /^\S{1,128}$/;
const WAYS = { "member.invite": "invite", "member.add": "add" }; // their words: words.inviting

/** `names`: everybody whom this page has seen. */
export function invite(chat, room, names) {
  const heading = words.inviting.heading(room.name);
  return openDialog(heading, (close) => content(chat, room, names, heading, close), { testid: "invite-dialog" });
}

function content(chat, room, names, heading, close) {
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
    problem.textContent = "";
    done.set(id, "…");
    show();
    try {
      await chat.request(chosen, { room: room.id, payload: { user: id } });
      done.set(id, said.done[WAYS[chosen]]);
    } catch (error) {
      done.delete(id);
      problem.textContent = sentence(error);
    }
    show();
    field.focus();
  }

  show();
  return [
    el("h2", {}, heading), row,
    ways.length > 1 && el("fieldset.row", {}, el("legend.sr-only", {}, said.how), ways.map(choice)),
    nothing, box, problem,
    actions(doneButton(close, "invite-done")),
  ];
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
