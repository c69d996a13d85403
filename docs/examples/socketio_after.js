import { ChatRooms } from "/chat/client.js";

export async function open(url, token, show) {
  const chat = new ChatRooms({ url, token });
  chat.on("joined", ({ recovered, messages }) => {
    if (recovered) return; // what was missed follows as events, once and in order
    show.all(messages.filter(({ type }) => type === "message").map(line));
  });
  chat.on("message", (event) => show.one(...line(event)));
  chat.on("typing", ({ payload }) => show.typing(payload.users.map(({ name }) => name)));
  await chat.connect();
  await chat.join("general");
  return {
    say: (text) => chat.send("general", text).done, // kept while offline, stored once
    type: () => chat.typing("general"),
    vote: (choice) => chat.request("poll.vote", { payload: { choice } }),
  };
}

function line({ seq, sender, payload }) {
  return [seq, sender?.name ?? "Shop", payload.text];
}
