import { type FormEvent, useEffect, useState } from "react";
import { ChatRooms, type Envelope, fold } from "sanic-chatrooms";

const chat = new ChatRooms({ url: "/chat/ws", name: "Ada" });

/** The messages as they are after an event: changed by it, or one more. */
function after(messages: Envelope[], event: Envelope) {
  const changed = messages.map((message) => fold(message, event, chat.user?.id));
  return event.type === "message" ? [...changed, event] : changed;
}

function useRoom(room: string) {
  const [state, setState] = useState(chat.state);
  const [messages, setMessages] = useState<Envelope[]>([]);
  const [outbox, setOutbox] = useState(chat.outbox);
  useEffect(() => {
    const listeners = [
      chat.on("state", (status) => setState(status.state)),
      chat.on("outbox", () => setOutbox(chat.outbox)),
      chat.on("joined", (ack) => ack.room === room && !ack.recovered && setMessages(ack.messages)),
      chat.on("*", (event) => event.room === room && event.seq && setMessages((all) => after(all, event))),
    ];
    chat.connect().catch(() => {}); // `state` reports it
    chat.join(room).catch((error: Error) => console.warn(error.message));
    return () => listeners.forEach((stop) => stop());
  }, [room]);
  const arrived = new Set(messages.map((message) => message.clientMsgId));
  return { state, messages, unsent: outbox.filter(({ msgId }) => !arrived.has(msgId)) };
}

export function App({ room }: { room: string }) {
  const { state, messages, unsent } = useRoom(room);
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    chat.send(room, text); // kept while offline, stored once
    setText("");
  };
  const lines = messages.filter(({ type, deleted }) => type === "message" && !deleted);
  return (
    <main>
      <p role="status">{state}</p>
      <ol role="log">
        {lines.map(({ msgId, sender, payload }) => <li key={msgId}>{`${sender?.name ?? "Shop"}: ${payload.text}`}</li>)}
        {unsent.map(({ msgId, body, status }) => <li key={msgId} className={status}>{`${body.text} …`}</li>)}
      </ol>
      <form onSubmit={submit}>
        <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
        <button disabled={!text.trim()}>Send</button>
      </form>
    </main>
  );
}
