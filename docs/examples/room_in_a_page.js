const room = document.querySelector("chat-room");
const state = document.querySelector("#state");

room.addEventListener("message", ({ detail }) => {
  document.title = `${detail.sender?.name ?? "The shop"}: ${detail.payload.text}`;
});
const show = () => {
  state.textContent = room.status === "online" ? "We are here." : "We will be back soon.";
};
room.addEventListener("status", show);
show(); // the room may have connected before this script was there
room.addEventListener("error", ({ detail }) => console.warn(detail.during, detail.error.message));
