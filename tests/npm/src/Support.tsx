import { useState } from "react";
import type { ChatRoomAttributes, ChatRoomElement, ChatRoomEventMap } from "sanic-chatrooms/chat-room";
import "sanic-chatrooms/chat-room"; // defines the element

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "chat-room": ChatRoomAttributes & HTMLAttributes<ChatRoomElement> & RefAttributes<ChatRoomElement> & {
        onmessage?: (event: ChatRoomEventMap["message"]) => void;
      };
    }
  }
}

export function Support() {
  const [count, setCount] = useState(0);
  return (
    <>
      <h1>{`Support (${count} new)`}</h1>
      <chat-room src="/chat/ws" room="general" name="Bob" onmessage={() => setCount((before) => before + 1)} />
    </>
  );
}
