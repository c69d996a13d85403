// One line about the connection. It comes when something is wrong for a moment, and leaves by itself.

import { button, el, fill } from "./dom.js";

const PATIENCE = 500;
const GOODBYE = 2500;

export class Banner {
  constructor(chat) {
    this.chat = chat;
    this.element = el("div", { class: "banner", role: "status", hidden: true, testid: "banner" });
    this.text = el("span", {});
    this.tryNow = button("Try now", () => chat.reconnectNow(), { testid: "try-now" });
    this.closing = null;
    chat.on("closing", ({ payload }) => (this.closing = payload.reason));
    chat.on("state", (status) => this.#follow(status));
    for (const type of ["online", "offline"]) window.addEventListener(type, () => this.#follow(chat.status));
  }

  #follow(status) {
    clearInterval(this.ticker);
    if (status.state === "online" && !isOffline(status)) this.#recovered();
    else if (!this.element.hidden || isOffline(status)) this.#show(status);
    // A break shorter than this is nobody's business.
    else this.timer ??= setTimeout(() => this.#show(this.chat.status), PATIENCE);
  }

  #recovered() {
    this.closing = null;
    this.#wait(null);
    if (this.element.hidden) return;
    const hadFocus = this.element.contains(document.activeElement);
    this.element.classList.add("good");
    fill(this.element, "You are back.");
    if (hadFocus) document.querySelector("[data-testid=composer]")?.focus();
    this.#wait(setTimeout(() => (this.element.hidden = true), GOODBYE));
  }

  #show(status) {
    this.#wait(null);
    if (status.state === "closed") return;
    this.element.classList.remove("good");
    this.element.hidden = false;
    this.#say(status);
    if (this.text.parentNode !== this.element || !this.tryNow.isConnected) fill(this.element, this.text, this.tryNow);
    this.tryNow.hidden = isOffline(status) || status.retryAt === null;
    this.ticker = setInterval(() => this.#say(this.chat.status), 1000);
  }

  #say(status) {
    const left = status.retryAt === null ? 0 : Math.max(0, Math.ceil(status.retryAt - Date.now() / 1000));
    const next = left > 0 ? `Trying again in ${left} s.` : "Connecting…";
    const words = isOffline(status) ? "You are offline. Messages are kept and sent when you are back." : `${this.#cause(status.code)} ${next}`;
    if (this.text.textContent !== words) this.text.textContent = words;
  }

  #wait(timer) {
    clearTimeout(this.timer);
    this.timer = timer;
  }

  #cause(code) {
    if (this.closing || code === 1012) return "The server is restarting. Messages are kept.";
    if (code === 1013) return "The server is busy. Messages are kept.";
    if (code === 4008) return "This connection was too slow.";
    if (code === 4013) return "You were too fast for the server.";
    return "The connection was lost. Messages are kept.";
  }
}

// The browser knows before the connection does, which may take seconds to find out.
function isOffline({ state }) {
  return state === "offline" || !navigator.onLine;
}
