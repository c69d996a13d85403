// region token
import { ChatRooms } from "/chat/client.js";

async function token() {
  const answer = await fetch("/login", { method: "POST", body: JSON.stringify({ name: "Ada" }) });
  return (await answer.json()).token;
}

const chat = new ChatRooms({ token });
await chat.connect();
await chat.join("general");
// endregion
document.title = `${chat.user.name} in ${chat.joinedRooms}`;
