// The frame around the parts: header, navigation, how old everything is, and what was done.

import { button, el, fill } from "../../static/dom.js";
import { confirmAct } from "./acts.js";
import { audit, explain, reports } from "./decisions.js";
import { OLD } from "./figures.js";
import { FigureHistory } from "./history.js";
import { words } from "./operator-words.js";
import { overview } from "./overview.js";
import { people, person } from "./person-parts.js";
import { room, rooms } from "./room-parts.js";
import { settings } from "./settings-part.js";
import { workers } from "./workers-part.js";

const EVERY = 2000; // ms
const SAID = 6000; // ms
const PARTS = { overview, workers, rooms, people, reports, audit, explain, settings };
const ONE = { rooms: room, people: person }; // with an id: one of them

export class Desk {
  #timers = [];
  #part = {};
  #answered = performance.now();
  #turn = 0;

  constructor(me, { ask, act, refused, signOut }) {
    this.me = me;
    this.history = new FigureHistory();
    this.asks = ask;
    this.acts = act;
    this.refused = refused;
    this.age = el("span.age", { role: "status", testid: "age" }, words.loading);
    this.said = el("p.said", { role: "status", testid: "said" });
    this.main = el("main.part", { tabindex: -1 });
    const links = Object.entries(words.tabs).map(([name, label]) => el("a.tab", { href: `#/${name}`, testid: `tab-${name}` }, label));
    this.tabs = el("nav.tabs", { "aria-label": words.sections }, links);
    this.node = el("div.desk", {},
      el("header.top", {}, el("h1", { testid: "title" }, words.title(me.instance)), this.age,
        el("span.grow"), el("span.note", { testid: "may" }, `${me.user.name}: ${me.mayChange ? words.mayAct : words.readOnly}`),
        signOut && button(words.signOut, signOut, { testid: "sign-out" })),
      this.tabs, this.said, this.main);
  }

  begin() {
    addEventListener("hashchange", this.#go);
    this.#timers.push(setInterval(() => this.#showAge(), 1000));
    this.#go();
    this.#round();
  }

  end() {
    removeEventListener("hashchange", this.#go);
    this.#timers.forEach(clearInterval);
    this.#turn = -1;
    this.#part.leave?.();
  }

  /** The answer to a question; undefined where there is none, which is then said. */
  async ask(name, query) {
    try {
      return await this.asks(name, query);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** Ask whether to do it, do it, and say what came of it. `who` and `room` are for the question. Whether it was done. */
  async act(name, body, who, room) {
    const given = await confirmAct(name, who, room);
    return given !== null && this.does(name, { ...body, ...given }, words.did(words.acts[name], who));
  }

  /** Do it, and say so. Whether it was done. */
  async does(name, body, said) {
    try {
      const changed = await this.acts(name, body);
      this.say(changed ? said : words.didNothing);
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  say(text, look = "") {
    this.said.textContent = text;
    this.said.dataset.look = look;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => (this.said.textContent = ""), SAID);
  }

  #failed(error) {
    if (error.status === 401) this.refused(error);
    else if (error.status) this.say(error.message, "bad");
  }

  // ---- which part ----

  #go = () => {
    const [name, ...rest] = location.hash.slice(2).split("/");
    const part = PARTS[name] ? name : "overview";
    const id = rest.length && ONE[part] ? decoded(rest.join("/")) : null;
    this.#part.leave?.();
    this.#part = id === null ? PARTS[part](this) : ONE[part](this, id);
    for (const link of this.tabs.children) {
      if (link.hash === `#/${part}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    fill(this.main, this.#part.node);
    this.main.focus({ preventScroll: true });
    scrollTo(0, 0);
    this.#tick(this.#part);
  };

  // ---- how it is now ----

  async #round() {
    const turn = ++this.#turn;
    if (!document.hidden) {
      try {
        this.history.add(await this.asks("overview"));
        this.#answered = performance.now();
      } catch (error) {
        this.history.miss();
        if (error.status === 401 || error.status === 403) return this.refused(error);
      }
      if (turn !== this.#turn) return undefined;
      this.#showAge();
      this.#tick(this.#part);
    }
    setTimeout(() => turn === this.#turn && this.#round(), EVERY);
    return undefined;
  }

  // One after the other, however slow the server is.
  async #tick(part) {
    if (part.busy) return;
    part.busy = true;
    try {
      await part.tick?.();
    } finally {
      part.busy = false;
    }
  }

  #showAge() {
    // In steps, because screen readers tell of each.
    const silent = Math.floor((performance.now() - this.#answered) / 1000 / OLD) * OLD;
    const old = silent >= OLD;
    const text = old ? words.old(silent) : this.history.now ? words.live : words.loading;
    if (this.age.textContent !== text) this.age.textContent = text;
    this.age.dataset.look = old ? "bad" : "good";
    this.node.classList.toggle("stale", old);
  }
}

/** What an address names; as it is written, if it is no text that was encoded. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
