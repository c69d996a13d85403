// Read by the type checker only: each marked line has to be refused.

import { ChatError, ChatRooms, type SendAck } from "sanic-chatrooms";
import type { ChatRoomElement } from "sanic-chatrooms/chat-room";

export async function ofTheClient(chat: ChatRooms): Promise<SendAck> {
  chat.on("message.deleted", ({ payload }) => payload.msgId.toUpperCase());
  chat.on("message", (event) => (event.deleted ? "" : event.payload.text.toUpperCase()));
  chat.on("message.edited", ({ payload }) => payload.body?.text.toUpperCase());
  // @ts-expect-error: a message that was deleted has no text
  chat.on("message", ({ payload }) => payload.text.toUpperCase());
  chat.on("state", ({ retryIn }) => retryIn?.toFixed());
  // @ts-expect-error
  chat.on("state", ({ retry }) => retry);
  // @ts-expect-error
  chat.join(7);
  // @ts-expect-error
  new ChatRooms({ adress: "/chat/ws" });
  const { done } = chat.send("general", { text: "Hello", orderId: 7 });
  return done.catch((error: ChatError) => Promise.reject(error.code));
}

export function ofTheElement(room: ChatRoomElement) {
  room.token = async () => "token";
  room.addEventListener("error", ({ detail }) => console.warn(detail.during, detail.error.message));
  room.addEventListener("click", (event) => event.preventDefault());
  document.createElement("chat-room").send("Hello").done.then((ack) => ack.seq + 1);
  // @ts-expect-error
  room.addEventListener("message", ({ detail }) => detail.nothing());
  // @ts-expect-error
  room.status = "online";
  // @ts-expect-error
  room.theme = 7;
}

export async function ofTheWire(chat: ChatRooms) {
  const { total, messages } = await chat.request("pins", { room: "general", payload: { limit: 10 } });
  const { votes } = await chat.request<{ votes: number }>("poll.vote", { room: "general" });
  chat.on("member.banned", ({ payload }) => payload.until?.toFixed());
  chat.on("room.updated", ({ payload }) => payload.historyVisibility.toUpperCase());
  // @ts-expect-error
  await chat.request("pins", { room: "general", payload: { limit: "ten" } });
  // @ts-expect-error
  chat.on("message.pinned", ({ payload }) => payload.until);
  return total + votes + messages.length + (chat.status.transport === "http" ? 1 : 0);
}
