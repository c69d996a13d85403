import { io } from "socket.io-client";

export function open(url, token, show) {
  const socket = io(url, { auth: { token } });
  socket.on("connect", async () => {
    const { messages } = await socket.emitWithAck("join", "general");
    show.all(messages.map(line)); // the last fifty, whatever came between
  });
  socket.on("message", (message) => show.one(...line(message)));
  socket.on("typing", ({ user }) => show.typing([user.name]));
  return {
    say: (text) => socket.emitWithAck("message", { room: "general", text }),
    type: () => socket.emit("typing", "general"),
    vote: (choice) => socket.emitWithAck("vote", { choice }),
  };
}

function line({ id, sender, text }) {
  return [id, sender.name, text];
}
