// The ready page: a chat in the browser for an app of five lines.

import { startChat } from "./chat-app.js";

const element = document.getElementById("chat");

startChat(element, { firstRoom: "lobby", people: false, guests: element.dataset.guests !== "no" });
