// The ready page: a chat in the browser for a host that wrote five lines.

import { startChat } from "./chat-app.js";

startChat(document.getElementById("chat"), { title: "Chat", firstRoom: "lobby", people: false });
