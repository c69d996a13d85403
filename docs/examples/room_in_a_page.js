const room = document.querySelector("chat-room");
const state = document.querySelector("#state");

room.addEventListener("message", ({ detail }) => {
  document.title = `${detail.sender?.name ?? "The shop"}: ${detail.payload.text}`;
});
room.addEventListener("status", ({ detail }) => {
  state.textContent = detail.state === "online" ? "We are here." : "We will be back soon.";
});
room.addEventListener("error", ({ detail }) => console.warn(detail.during, detail.error.message));
