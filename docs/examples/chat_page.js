// region begin
import { ChatRooms } from "/chat/client.js";

const ROOM = "general";
const chat = new ChatRooms({ name: "Ada" });
const lines = document.querySelector("#lines");
const state = document.querySelector("#state");
const text = document.querySelector("#text");
// endregion

// region lines
function show({ msgId = "", seq, changed = seq, sender, payload, deleted }, key) {
  const line = document.getElementById(key) ?? lines.appendChild(document.createElement("li"));
  line.id = key;
  Object.assign(line.dataset, { message: msgId, changed, name: sender?.name ?? "Shop" }); // the app's own messages have no sender
  write(line, deleted ? "(deleted)" : payload.text);
}

function write(line, words) {
  line.textContent = `${line.dataset.name}: ${words}`;
}

chat.on("message", (event) => show(event, event.clientMsgId ?? event.msgId));
chat.on("joined", ({ recovered, messages }) => {
  if (recovered) return; // missed events follow as usual
  lines.replaceChildren();
  for (const event of messages) if (event.type === "message") show(event, event.clientMsgId ?? event.msgId);
});
// endregion

// region send
document.querySelector("#composer").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  const { msgId } = chat.send(ROOM, text.value); // kept while offline, stored once
  show({ sender: chat.user ?? { name: "…" }, payload: { text: text.value } }, msgId);
  text.value = "";
});
text.addEventListener("input", () => chat.typing(ROOM));

chat.on("outbox", ({ msgId, status, error }) => {
  const line = document.getElementById(msgId);
  if (!line) return;
  line.className = status;
  if (status === "failed") line.title = error.message; // offer chat.retry(msgId) and chat.discard(msgId)
});
// endregion

// region change
function change({ seq, payload }, words) {
  const line = lines.querySelector(`[data-message="${payload.msgId}"]`);
  if (!line || seq <= line.dataset.changed) return; // not on the page, or already changed
  line.dataset.changed = seq;
  write(line, words);
}

chat.on("message.edited", (event) => change(event, event.payload.body?.text));
chat.on("message.deleted", (event) => change(event, "(deleted)"));

lines.addEventListener("dblclick", ({ target }) => {
  const words = prompt("What should it say? Nothing: delete it.");
  if (words === null) return;
  const { message } = target.dataset; // the message's id on the server
  const done = words ? chat.edit(ROOM, message, words) : chat.delete(ROOM, message);
  done.catch((error) => alert(error.message));
});
// endregion

// region state
chat.on("state", ({ state: now, retryIn }) => {
  const wait = Math.round(retryIn ?? 0);
  state.textContent = now === "reconnecting" ? `Trying again in ${wait} s` : now;
});
chat.on("notice", ({ payload }) => console.log(payload.title, payload.content));
chat.on("redirect", ({ payload }) => {
  if (confirm(`Go to ${payload.url}?`)) location.assign(payload.url);
});
// endregion

// region connect
await chat.connect();
await chat.join(ROOM);
// endregion
