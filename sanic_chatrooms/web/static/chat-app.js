// The way into the application: `startChat(element, options)`. The first view needs no more than this file imports; the rest is loaded
// beside it.

import { ChatRooms } from "../client.js";
import { chosen, el, fill } from "./dom.js";
import { kept, SIGNED_OUT } from "./kept.js";
import { ending, isSignedOut } from "./reasons.js";
import { chooseName, showEnd, showLoading } from "./sign-in.js";
import { speechless } from "./states.js";
import { speak, words } from "./words.js";

const STYLES = ["tokens.css", "controls.css", "chat.css", "messages.css", "beside.css"];
const LATEST = 500; // ms
const ELSEWHERE = "signed out elsewhere"; // its words: reasons.js

/**
 * Resolves with the client when the chat is shown. Options: `title`, else "Chat"; `firstRoom`: the room to open if the address names none; `people`: false hides that pane at first; `guests`: false asks for no name;
 * `topic`: first value of a field that `update {field: "topic"}` changes; `menu`: {label, entries: (chat) => [[label,
 * function, testid]]}, a menu of the app; `client`: options of the client, such as `token`; `rename`: false if people cannot change their names;
 * `signIn`: the address of the app's page to sign in at, or a function that opens a form for it; `entry`: an element below the form for a guest's name, in place of a link there; `own`: (signOut) => [[label, function, testid]], entries of the menu "You"; `signOut`: an async
 * function that ends the app's own session before "Sign out" leaves; `files`: {ready, tray(room, changed), listen(pane, tray)}, for
 * files with messages, as in the example; `find`: (letters) => a promise of [{id, name}], people of the app whom one may invite or write to. `own` gets a function that leaves alike, after another such function.
 */
export async function startChat(element, { client, ...given }) {
  const speaking = startSpeaking();
  const rest = loadRest(speaking);
  rest.catch(() => {}); // whoever needs it reports it
  try {
    await speaking;
  } catch (error) {
    fill(element, speechless(() => location.reload()));
    throw error;
  }
  const options = { title: words.title, ...given };
  const chat = new ChatRooms({ storage: kept, ...client });
  let isOver = false;
  const end = (code, reason, error) => showEnd(element, ending(code, reason, error), isSignedOut(code, reason), options, error?.code === "banned" || code === 4507);
  chat.on("state", ({ state, code, reason, error }) => state === "closed" && code !== null && end(code, reason, error));
  // The user signed out in another tab: write nothing more in their name.
  kept.watch(SIGNED_OUT, () => {
    isOver = true;
    chat.disconnect(ELSEWHERE);
  });
  // The connection begins when there is somebody to hear what it brings.
  if (chat.name === null && !client?.token && options.guests !== false) await chooseName(chat, element, options, rest);
  else {
    await showLoading(element, options, rest);
    if (isOver) {
      end(null, ELSEWHERE);
      return chat;
    }
    chat.connect().catch(() => {}); // `state` reports it
  }
  const { App } = await rest;
  const app = new App(chat, options);
  fill(element, app.element);
  app.begin();
  return chat;
}

// look.js says which language it is. A page that has it in its head loads its words already.
async function startSpeaking() {
  if (!chosen("chatTheme")) await import("./look.js");
  await speak(document.documentElement.lang);
}

async function loadRest(speaking) {
  try {
    const [app] = await Promise.all([speaking.then(painted, () => {}).then(() => import("./app.js")), ...addStyles()]);
    return app;
  } catch {
    await speaking;
    throw new Error(words.start.notLoaded);
  }
}

// What is shown first is painted before the rest takes the processor. In the background nothing is painted.
function painted() {
  return new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, LATEST);
  });
}

// In this order, and before the app's own style sheets, which may change what these say. A page has those of the first view itself.
function addStyles() {
  const links = [...document.querySelectorAll("link[rel=stylesheet]")];
  let last = null;
  return STYLES.map((name) => {
    const { href } = new URL(name, import.meta.url);
    const known = links.find((link) => link.href === href);
    return new Promise((resolve, reject) => {
      const link = known ?? el("link", { rel: "stylesheet", href, onload: resolve, onerror: reject });
      if (known) resolve();
      else if (last) last.after(link);
      else document.head.prepend(link);
      last = link;
    });
  });
}
