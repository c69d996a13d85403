// The example's own part: the shared interface, accounts beside guests, files with messages, notifications, and a menu that asks the server for a push to this window.

import { startChat } from "/chat/static/chat-app.js";
import { Account, entries, otherWays, signIn } from "./accounts.js";
import { Notifications } from "./notifications.js";
import { Uploads } from "./uploads.js";
import { learned, words } from "./words.js";

const PUSHES = ["notice", "update", "redirect"];

await learned;
const account = new Account();
await account.start();
const files = new Uploads();
const notifications = new Notifications();
const started = startChat(document.getElementById("chat"), {
  title: words.title,
  topic: "", // empty until the app says one
  firstRoom: "general",
  menu: { label: words.pushes.label, entries: pushes },
  entry: otherWays(account),
  files,
  own: (signOut) => [...(account.user ? notifications.entries() : []), ...entries(account, (end) => signOut(() => leave(end)))],
  ...(account.user && { rename: false, signIn: () => signIn(account), find: (letters) => account.people(letters), signOut: () => leave(() => account.logOut()), client: { token: () => account.token(over) } }),
});
started.then((chat) => {
  files.begin(chat);
  if (account.user) notifications.begin(chat);
});

async function over(why) {
  (await started).disconnect(why);
}

async function leave(end) {
  await notifications.end().catch(() => {}); // what it could not end here, the server ends
  await end();
}

function pushes(chat) {
  return PUSHES.map((kind) => [words.pushes[kind], () => ask(chat, kind), `push-${kind}`]);
}

function ask(chat, kind) {
  // Whoever knows the id of a session is that session: the server told it to nobody else.
  const { user, sessionId } = chat.welcome;
  const headers = { "X-Chat-User": user.id, "X-Chat-Session": sessionId };
  return fetch(`/push/${kind}`, { method: "POST", headers });
}
