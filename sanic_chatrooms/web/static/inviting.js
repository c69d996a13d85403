// The dialog for inviting people to a room, or adding them. Loaded when somebody opens it.

import { avatar, lineName } from "./avatar.js";
import { button, el } from "./dom.js";
import { actions, doneButton, openDialog, problemLine, radio, textField } from "./dialogs.js";
import { byName, toldApart } from "./format.js";
import { KeyedList } from "./keyed.js";
import { sentence } from "./reasons.js";

const SHOWN = 50;
const ID = /^\S{1,128}$/;
const WAYS = {
  "member.invite": { label: "Invite", done: "Invited", choice: "Invite: they may accept or decline" },
  "member.add": { label: "Add", done: "Added", choice: "Add: they are members at once" },
};

/** `names`: everybody whom this page has seen. */
export function invite(chat, room, names) {
  const heading = `Invite people to ${room.name}`;
  return openDialog(heading, (close) => content(chat, room, names, heading, close), { testid: "invite-dialog" });
}

function content(chat, room, names, heading, close) {
  const ways = Object.keys(WAYS).filter((way) => room.may.has(way));
  const done = new Map(); // id → what was done
  let way = ways[0];
  const { field, row } = textField("Name", { testid: "invite-field", oninput: () => show(), required: false });
  const box = el("ul.people-list", { "aria-label": "People" });
  const nothing = el("p.hint", { role: "status", testid: "invite-nothing" });
  const problem = problemLine();
  const list = new KeyedList(box, (one) => personLine(one, WAYS[one.way], () => act(one)));
  const choice = (one) => radio({ name: "way", value: one, checked: one === way, onchange: () => show((way = one)) }, WAYS[one].choice);

  function show() {
    const letters = field.value.trim();
    const outside = ({ id }) => id !== chat.user.id && (done.has(id) || !isMember(room, id));
    const { people, typed, inside } = matching(names.all(), outside, letters);
    const marks = toldApart(people);
    list.set(people.slice(0, SHOWN).map((one) => {
      const [mark, state] = [marks.get(one.id), done.get(one.id) ?? ""];
      return { ...one, key: one.id, mark, way, state, sign: `${one.name}|${mark}|${way}|${state}` };
    }));
    if (inside) nothing.textContent = `${inside.name} is in the room already.`;
    else if (typed) nothing.textContent = "This page has seen nobody of this name. If it is somebody’s id, you can use it:";
    else nothing.textContent = people.length ? "" : letters ? "This page has seen nobody of this name." : "Nobody else has been seen on this page. If you know somebody’s id, write it above.";
  }

  async function act({ id, way: chosen }) {
    problem.textContent = "";
    done.set(id, "…");
    show();
    try {
      await chat.request(chosen, { room: room.id, payload: { user: id } });
      done.set(id, WAYS[chosen].done);
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
    ways.length > 1 && el("fieldset.row", {}, el("legend.sr-only", {}, "How"), ways.map(choice)),
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

function personLine({ id, name, mark, state }, { label }, act) {
  return el("li.people-line", { testid: "candidate", "data-user": id },
    avatar({ id, name }, "small"),
    lineName(name, mark),
    state ? el("span.count", { testid: "done" }, state) : button(label, act, { "aria-label": `${label} ${name}`, testid: "invite-one" }));
}
