// The ready page: a chat in the browser for an app of five lines.

import { startChat } from "./chat-app.js";

const element = document.getElementById("chat");
const { guests, signIn } = element.dataset;

startChat(element, { firstRoom: "lobby", people: false, guests: guests !== "no", signIn });
