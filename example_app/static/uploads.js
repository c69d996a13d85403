// Sends files to the server, and lets this browser fetch those of its rooms. The server's side is example_app/uploads/.

import { sizeOf } from "/chat/static/attachments.js";
import { droppable, Tray } from "./attaching.js";
import { words } from "./words.js";

const RENEW = 30 * 60 * 1000; // ms; the cookie lives twice as long
const LARGEST = 10_000_000;

/** An answer that is not 2xx, in words for people. */
function refused({ status, response }) {
  const { code, detail, temporary, limit } = response ?? {};
  const said = words.files;
  const known = {
    wrong_file: /empty/.test(detail) ? said.empty : /pixels/.test(detail) ? said.pixels : said.kind,
    too_large: said.tooLarge(sizeOf(limit ?? LARGEST)),
    forbidden: said.forbidden,
    rate_limited: said.many,
    unavailable: /place/.test(detail) ? said.full : said.busy,
    unauthenticated: said.signInAgain,
  }[code];
  return Object.assign(new Error(known ?? said.other), { status, temporary: known ? temporary === true : true });
}

const unreachable = () => Object.assign(new Error(words.files.unreachable), { temporary: true });

/** The option `files` of the page. `ready`: this server takes files, and lets us fetch them. */
export class Uploads {
  #yes;
  ready = new Promise((resolve) => {
    this.#yes = resolve;
  });

  begin(chat) {
    this.chat = chat;
    const renew = () => this.#renew().then(this.#yes, () => {}); // the next welcome asks again
    chat.on("welcome", renew);
    setInterval(renew, RENEW);
    if (chat.state === "online") renew();
  }

  // The connection knows who we are; other requests know it by a cookie.
  async #renew() {
    const { pass } = await this.chat.request("files.pass");
    const answer = await fetch("/files/", { method: "POST", headers: { Authorization: `Bearer ${pass}` } });
    if (!answer.ok) throw refused(answer);
  }

  tray(room, changed) {
    return new Tray({ largest: LARGEST, upload: (file, how) => this.#upload(room, file, how) }, changed);
  }

  listen(pane, tray) {
    droppable(pane, tray);
  }

  async #upload(room, file, how) {
    try {
      return await send(room, file, how);
    } catch (error) {
      if (error.status !== 401) throw error;
      await this.#renew();
      return send(room, file, how);
    }
  }
}

// XMLHttpRequest: with fetch, nobody knows how much was sent.
function send(room, file, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/files/${encodeURIComponent(room)}?name=${encodeURIComponent(file.name)}`);
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 0));
    request.addEventListener("load", () => (request.status === 201 ? resolve(request.response) : reject(refused(request))));
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("abort", () => reject(unreachable()));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
