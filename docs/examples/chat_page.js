// region begin
import { ChatRooms } from "/chat/client.js";

const ROOM = "general";
const chat = new ChatRooms({ name: "Ada" });
// endregion
const lines = document.querySelector("#lines");
const state = document.querySelector("#state");
const text = document.querySelector("#text");

// region lines
function show(event, msgId) {
  const line = document.getElementById(msgId) ?? lines.appendChild(document.createElement("li"));
  line.id = msgId;
  line.textContent = `${event.sender.name}: ${event.payload.text}`;
}

chat.on("message", (event) => show(event, event.clientMsgId ?? event.msgId));
chat.on("joined", ({ recovered, messages }) => {
  if (recovered) return; // what was missed follows as ordinary events
  lines.replaceChildren();
  for (const event of messages) show(event, event.clientMsgId ?? event.msgId);
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

// region state
chat.on("state", ({ state: now, retryAt }) => {
  const wait = retryAt ? Math.max(0, Math.round(retryAt - Date.now() / 1000)) : 0;
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
