// The ready page: a chat in the browser for a host that wrote five lines.

import { startChat } from "./chat-app.js";

const element = document.getElementById("chat");

startChat(element, { title: "Chat", firstRoom: "lobby", people: false, guests: element.dataset.guests !== "no" });
