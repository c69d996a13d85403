// Notifications of the browser, for what comes while nobody looks at the page. Asked for after the first mention or direct message,
// never before.

import { chosen } from "./dom.js";
import { excerpt } from "./format.js";
import { kept } from "./kept.js";
import { plainText } from "./richtext.js";
import { words } from "./words.js";

const KEY = "chatrooms notifications"; // "on" or "off", by the user's choice in this browser
const SHOWN_FOR = 8000;

/** Whether a message is to be told: by the user's choice for the room, and to others than members only what is for them. */
export function isTold({ notify, counted, isDirect, hidden }, named) {
  return notify !== "none" && (named || (notify === "all" && !hidden && (isDirect || counted)));
}

export class Desktop {
  #offered = false;
  #broken = false; // Android has notifications for service workers only

  /** `notices`: asks the user whether they want notifications; `go(id)` opens a room. */
  constructor(notices, go) {
    Object.assign(this, { notices, go });
  }

  /** unsupported · denied (by the browser) · on · off · unasked */
  get state() {
    if (!globalThis.Notification || this.#broken) return "unsupported";
    const { permission } = Notification;
    if (permission === "denied") return "denied";
    const choice = kept.get(KEY);
    return choice === "off" ? "off" : permission === "granted" ? "on" : "unasked";
  }

  /** Call it in the handler of a press: browsers ask only then. */
  async turnOn() {
    kept.set(KEY, "on");
    if (globalThis.Notification && Notification.permission === "default") await Notification.requestPermission();
  }

  turnOff() {
    kept.set(KEY, "off");
  }

  /** A message came: `named`: it mentions the user. */
  came(room, { seq, sender, text }, named) {
    if (!isTold(room, named)) return;
    if ((named || room.isDirect) && this.state === "unasked") this.#offer();
    if (!document.hidden && document.hasFocus()) return;
    // A page on which nobody has pressed anything may make no sound.
    if ((named || room.isDirect) && chosen("chatSound") === "on") import("./sound.js").then(({ ring }) => ring()).catch(() => {});
    if (this.state !== "on") return;
    const who = sender?.name ?? words.server;
    this.#show(room.isDirect ? who : words.notices.inRoom(who, room.name), excerpt(plainText(text)), `${room.id} ${seq}`, room.id);
  }

  #offer() {
    if (this.#offered) return;
    this.#offered = true;
    const { turnOn, notNow, offer, offerWhat } = words.notify;
    const acts = [[turnOn, () => this.turnOn(), "offer-on"], [notNow, () => this.turnOff(), "offer-off"]];
    this.notices.ask({ title: offer, content: offerWhat, acts });
  }

  #show(title, body, tag, id) {
    try {
      const shown = new Notification(title, { body, tag }); // another tab may show the same
      shown.onclick = () => {
        window.focus();
        shown.close();
        this.go(id);
      };
      setTimeout(() => shown.close(), SHOWN_FOR);
    } catch {
      this.#broken = true;
    }
  }
}
