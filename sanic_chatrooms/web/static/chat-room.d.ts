/**
 * `<chat-room>`: a room for any page. Importing this module defines the element.
 *
 *     <script type="module" src="/chat/chat-room.js"></script>
 *     <chat-room room="general"></chat-room>
 *
 * It is styled by custom properties (`--accent`, `--n0` … `--n8`, `--danger`, `--ok`, `--warn`, `--radius`, `--shadow`, `--font`,
 * `--mono`), set on the element, and by `::part()`: frame, header, title, people, banner, messages, message, naming, composer, field,
 * send. Its height is 480px unless you set another one.
 */

import type { ChatError, ChatRooms, Envelope, Options, Sending, State, StateEvent } from "./client.js";

/** What the attributes of the element take. */
export interface ChatRoomAttributes {
  /** The id of the room. Without it the element is empty. */
  room?: string;
  /** The address of the socket: `/chat/ws`, `wss://…`. Default: `ws` beside the script, if the page imports that from the chat server. */
  src?: string;
  /** A guest's name. Default: the one of before; a new guest reads, and is asked for one before writing. */
  name?: string;
  /**
   * An address of your app that answers a `POST` with `{"token": …}` for its signed-in user. It is asked with the cookies of the same
   * origin, at first and whenever a token expires. 401 or 403: nobody is signed in.
   */
  "token-url"?: string;
  /** Default: as the page around it, by its `color-scheme`. */
  theme?: "light" | "dark";
  /** The language, here or at an element around: "en" or "de". Default: the browser's. All elements of a page speak that of the first. */
  lang?: string;
}

/** What `error` events have in `detail`. `during`: what failed. */
export interface ChatRoomError {
  during: "start" | "connection" | "join" | "action" | "token" | "name" | "refresh";
  error: Error | ChatError;
}

/** The events of the element: `CustomEvent`s that do not bubble. */
export interface ChatRoomEventMap {
  /** A new message of the room, also of this user. */
  message: CustomEvent<Envelope>;
  /** The connection changed. */
  status: CustomEvent<StateEvent>;
  /** Something failed. The element says it to the user, too. */
  error: CustomEvent<ChatRoomError>;
}

export class ChatRoomElement extends HTMLElement {
  room: string;
  src: string;
  name: string;
  tokenUrl: string;
  theme: string;
  /**
   * The user's token, or a function that returns one. It goes before `token-url`. Another text begins a new connection; another
   * function is asked the next time that a token is needed.
   */
  token: Options["token"];
  /** The client of this element, for all that it has no attribute for. Null while the element is not in a page. */
  readonly chat: ChatRooms | null;
  readonly status: State;
  /** Send a message as the user. Throws while the element is not in a page. */
  send(text: string): Sending;
  /** Put the cursor into the field. */
  focus(): void;
  addEventListener<K extends keyof ChatRoomEventMap>(
    type: K, listener: (this: ChatRoomElement, event: ChatRoomEventMap[K]) => any, options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof ChatRoomEventMap>(
    type: K, listener: (this: ChatRoomElement, event: ChatRoomEventMap[K]) => any, options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "chat-room": ChatRoomElement;
  }
}
