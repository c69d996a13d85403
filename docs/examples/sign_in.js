import { ChatRooms } from "/chat/client.js";

const [login, lines, composer] = ["login", "lines", "composer"].map((id) => document.getElementById(id));

async function token(name) {
  const answer = await fetch("/login", { method: "POST", body: JSON.stringify({ name }) });
  return (await answer.json()).token;
}

function show({ type, sender, payload }) {
  if (type !== "message") return;
  const line = lines.appendChild(document.createElement("li"));
  line.textContent = `${sender?.name ?? "Shop"}: ${payload.text}`;
}

async function begin(name) {
  const chat = new ChatRooms({ token: () => token(name) });
  chat.on("message", show);
  chat.on("joined", ({ recovered, messages }) => {
    if (recovered) return; // missed messages follow as events
    lines.replaceChildren();
    messages.forEach(show);
  });
  await chat.connect();
  await chat.join("general");
  composer.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    chat.send("general", composer.elements.text.value);
    composer.reset();
  });
  login.replaceWith(`${chat.user.name} is in general`);
}

login.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  begin(login.elements.name.value);
});
