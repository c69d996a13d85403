// One line about the connection. It appears when something has been wrong for a moment, and disappears by itself.

import { button, el, fill, focusBeside } from "./dom.js";
import { words } from "./words.js";

const PATIENCE = 500;
const GOODBYE = 2500;

export class Banner {
  #text = el("span");
  #cause = "";
  #timer = null;
  #ticker = 0;
  // The browser knows it seconds before the connection does. But a server on this machine can be reached without a network.
  #isTold = false;

  /** `signal`: ends it, where the page goes on without it. `name`: begins the test id of a second one. */
  constructor(chat, signal, name = "") {
    this.chat = chat;
    this.element = el("div.banner", { role: "status", hidden: true, testid: `${name}banner` });
    this.tryNow = button(words.connection.tryNow, () => chat.reconnectNow(), { testid: "try-now" });
    chat.on("state", ({ state }) => this.#follow(this.#isTold && state !== "online"));
    for (const type of ["online", "offline"]) window.addEventListener(type, () => this.#follow(type === "offline"), { signal });
  }

  get #isOffline() {
    return this.chat.state === "offline" || this.#isTold;
  }

  #follow(isTold) {
    this.#isTold = isTold;
    clearInterval(this.#ticker);
    // While a server restarts, each attempt fails for another reason, the first perhaps before anything is shown.
    if (this.chat.state !== "online") this.#cause = words.connection.causes[this.chat.status.code] ?? this.#cause;
    if (this.chat.state === "online" && !this.#isOffline) this.#recovered();
    else if (!this.element.hidden || this.#isOffline) this.#show();
    // A shorter interruption is not shown.
    else this.#timer ??= setTimeout(() => this.#show(), PATIENCE);
  }

  #wait(timer) {
    clearTimeout(this.#timer);
    this.#timer = timer;
  }

  #recovered() {
    this.#wait(null);
    this.#cause = "";
    if (this.element.hidden) return;
    const hadFocus = this.tryNow === focusBeside(this.element);
    this.element.classList.add("good");
    fill(this.element, words.connection.back);
    if (hadFocus) this.element.getRootNode().querySelector("[data-testid=composer]").focus();
    this.#wait(setTimeout(() => {
      this.element.hidden = true;
      this.#timer = null;
    }, GOODBYE));
  }

  #show() {
    this.#wait(null);
    this.element.classList.remove("good");
    this.element.hidden = false;
    if (!this.#text.isConnected) fill(this.element, this.#text, this.tryNow);
    this.#say();
    this.#ticker = setInterval(() => this.#say(), 1000);
  }

  #say() {
    const { retryIn } = this.chat.status;
    this.tryNow.hidden = this.#isOffline || retryIn === null;
    const left = Math.ceil(retryIn ?? 0);
    const { offline, lost, waiting, connecting } = words.connection;
    const cause = this.#cause || lost;
    this.#text.textContent = this.#isOffline ? offline : left > 0 ? waiting(cause, left) : connecting(cause);
  }
}
