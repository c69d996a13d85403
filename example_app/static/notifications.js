// Notifications for what comes while this page is closed. The server's side is example_app/notifications/; push-worker.js shows them.

import { attempt, openPanel, problemLine } from "/chat/static/dialogs.js";
import { button, el } from "/chat/static/dom.js";
import { kept } from "/chat/static/kept.js";
import { words } from "./words.js";

const CHOSEN = "example notifications"; // the user who wants them in this browser

export class Notifications {
  isThere = Boolean(navigator.serviceWorker && globalThis.PushManager && globalThis.Notification);

  begin(chat) {
    this.chat = chat;
    const renew = () => this.isOn && this.#subscribe().catch(() => {}); // the next welcome tries again
    chat.on("welcome", renew);
    if (chat.state === "online") renew();
  }

  get isOn() {
    return this.isThere && Notification.permission === "granted" && kept.get(CHOSEN) === this.chat?.user?.id;
  }

  /** Call it in the handler of a press: browsers ask only then. */
  async turnOn() {
    if ((await Notification.requestPermission()) !== "granted") throw new Error(words.notifications.denied);
    await this.#subscribe();
    kept.set(CHOSEN, this.chat.user.id);
  }

  async turnOff() {
    const endpoint = await this.end();
    if (endpoint) await this.chat.request("notifications.off", { payload: { endpoint } });
  }

  /** Before a sign-out, of which the server learns by itself: whoever comes next to this browser shall not read what is not for them. */
  async end() {
    kept.remove(CHOSEN);
    const registration = this.isThere && (await navigator.serviceWorker.getRegistration("/push-worker.js"));
    const subscription = registration && (await registration.pushManager.getSubscription());
    return subscription && (await subscription.unsubscribe()) && subscription.endpoint;
  }

  async #subscribe() {
    await navigator.serviceWorker.register("/push-worker.js");
    const { pushManager } = await navigator.serviceWorker.ready;
    const { key } = await this.chat.request("notifications.key");
    const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }).catch(() => null);
    if (!subscription) throw new Error(words.notifications.failed);
    const { endpoint, keys } = subscription.toJSON();
    await this.chat.request("notifications.on", { payload: { endpoint, ...keys } });
  }

  /** Entries of the menu "You". */
  entries() {
    return this.isThere ? [[words.notifications.label, () => this.#open(), "notifications"]] : [];
  }

  #open() {
    const said = el("p.hint", { role: "status" });
    const failed = problemLine();
    const turn = button("", () => attempt(failed, () => (this.isOn ? this.turnOff() : this.turnOn())).then(draw), { testid: "notifications-turn" });
    const draw = () => {
      said.textContent = this.isOn ? words.notifications.on : words.notifications.off;
      turn.textContent = this.isOn ? words.notifications.turnOff : words.notifications.turnOn;
    };
    draw();
    return openPanel(words.notifications.label, "notifications", said, turn, failed);
  }
}
