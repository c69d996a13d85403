// The dialog for inviting people to a room, or adding them. Loaded when somebody opens it.

import { addressOf } from "./address.js";
import { avatar, lineName } from "./avatar.js";
import { button, el } from "./dom.js";
import { attempt, choiceGroup, openPanel, problemLine, radio, textField } from "./dialogs.js";
import { byName, toldApart } from "./format.js";
import { KeyedList } from "./keyed.js";
import { copyLink } from "./links.js";
import { words } from "./words.js";

const SHOWN = 50;
const WAYS = { "member.invite": "invite", "member.add": "add" }; // their words: words.inviting

/** `directory`: finds people; see directory.js. */
export function invite(chat, room, directory) {
  return openPanel(words.inviting.heading(room.name), "invite", content(chat, room, directory));
}

function content(chat, room, directory) {
  const ways = Object.keys(WAYS).filter((way) => room.may.has(way));
  const done = new Map(); // id → what was done
  let way = ways[0];
  let isLooking = false;
  let told = "";
  const said = words.inviting;
  const { field, row } = textField(said.who, { testid: "invite-field", oninput: () => look((told = "")), required: false });
  const box = el("ul.people-list", { "aria-label": words.people.label });
  const nothing = el("p.hint", { role: "status", testid: "invite-nothing" });
  const problem = problemLine();
  const list = new KeyedList(box, (one) => personLine(one, () => act(one)));
  const choice = (one) => radio({ name: "way", value: one, checked: one === way, onchange: () => show((way = one)) }, said.ways[WAYS[one]]);
  const tell = { done: ({ title, content: note }) => show((told = `${title}. ${note}`)) };

  function show() {
    const letters = field.value.trim();
    const outside = ({ id }) => id !== chat.user.id && (done.has(id) || !isMember(room, id));
    const { people, inside } = matching(directory.people(), outside, letters);
    const marks = toldApart(people);
    list.set(people.slice(0, SHOWN).map((one) => {
      const [mark, state] = [marks.get(one.id), done.get(one.id) ?? ""];
      return { ...one, key: one.id, mark, way, state, sign: `${one.name}|${mark}|${way}|${state}` };
    }));
    const none = isLooking ? words.search.searching : letters ? said.unseen : said.nobody;
    nothing.textContent = told || (inside ? said.inside(inside.name) : people.length ? "" : none);
  }

  async function look() {
    isLooking = true;
    show();
    if (!(await directory.look(field.value.trim()))) return;
    isLooking = false;
    show();
  }

  async function act({ id, way: chosen }) {
    done.set(id, "…");
    show((told = ""));
    const isDone = await attempt(problem, () => chat.request(chosen, { room: room.id, payload: { user: id } }));
    if (isDone) done.set(id, said.done[WAYS[chosen]]);
    else done.delete(id);
    show();
    field.focus();
  }

  look();
  return [row, ways.length > 1 && choiceGroup(said.how, ways.map(choice), "sr-only"), nothing, box, problem,
    button(said.link, () => copyLink(addressOf(room.id), tell), { testid: "copy-room-link" })];
}

// In a public room, people are there who are no members.
function isMember(room, id) {
  return room.people.has(id) && room.visibility !== "public";
}

function matching(all, outside, letters) {
  const wanted = letters.toLocaleLowerCase();
  const found = all.filter(({ id, name }) => id === letters || name.toLocaleLowerCase().includes(wanted));
  const people = found.filter(outside).sort(byName);
  return { people, inside: !people.length && letters ? found[0] : null };
}

function personLine({ id, name, mark, state, way }, act) {
  const said = words.inviting;
  return el("li.people-line", { testid: "candidate", "data-user": id },
    avatar({ id, name }, "small"),
    lineName(name, mark),
    state ? el("span.count", { testid: "done" }, state) : button(said[WAYS[way]], act, { "aria-label": said.one[WAYS[way]](name), testid: "invite-one" }));
}
