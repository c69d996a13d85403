// A server with REST, and a gate before it, a proxy that lets no WebSocket through.

import { createHmac } from "node:crypto";
import { createServer, request } from "node:http";
import { connect } from "node:net";

const SECRET = "a secret of these tests, 32 bytes or more";

export const APP = `
import sys
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("Served")
app.config.AUTO_EXTEND = False
chat = ChatRooms(guests=True, auto_create=True, api=True, jwt_secret="${SECRET}", heartbeat_interval=1.0, heartbeat_timeout=20.0)
app.blueprint(chat.bp)
app.run("127.0.0.1", int(sys.argv[1]), single_process=True, motd=False, access_log=False)
`;

const base64 = (value) => Buffer.from(value).toString("base64url");

/** A token for this user. */
export function tokenOf(sub, name) {
  const claims = { sub, name, exp: Math.floor(Date.now() / 1000) + 3600 };
  const signed = `${base64('{"alg":"HS256","typ":"JWT"}')}.${base64(JSON.stringify(claims))}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

/** `gate.upgrades`: let WebSockets through. `gate.forget(times)`: carry out as many POST requests, and lose the answers. */
export class Gate {
  upgrades = false;
  asked = []; // method and path of each request
  #lost = 0;
  #streams = new Set();
  #server;

  constructor(to) {
    this.#server = createServer((incoming, answer) => this.#pass(to, incoming, answer));
    this.#server.on("upgrade", (incoming, socket, head) => this.#upgrade(to, incoming, socket, head));
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.port = this.#server.address().port;
    return this;
  }

  forget(times) {
    this.#lost = times;
  }

  get streams() {
    return this.#streams.size;
  }

  /** End all streams, in the middle of whatever they say. */
  cut() {
    for (const answer of this.#streams) answer.destroy();
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #pass(to, incoming, answer) {
    const { method, url: path, headers } = incoming;
    this.asked.push(`${method} ${path}`);
    const outgoing = request({ host: "127.0.0.1", port: to, method, path, headers }, (told) => {
      const streams = (told.headers["content-type"] ?? "").startsWith("text/event-stream");
      if (answer.destroyed) return told.destroy();
      if (streams) this.#streams.add(answer);
      if (method === "POST" && path.endsWith("/commands") && this.#lost-- > 0) return answer.destroy();
      answer.writeHead(told.statusCode, told.headers);
      told.pipe(answer);
    });
    outgoing.on("error", () => answer.destroy());
    answer.on("close", () => (this.#streams.delete(answer), outgoing.destroy()));
    incoming.pipe(outgoing);
  }

  #upgrade(to, incoming, socket, head) {
    socket.on("error", () => {});
    if (!this.upgrades) return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const there = connect(to, "127.0.0.1", () => {
      const lines = incoming.rawHeaders.map((text, n) => (n % 2 ? `${text}\r\n` : `${text}: `)).join("");
      there.write(`GET ${incoming.url} HTTP/1.1\r\n${lines}\r\n`);
      there.write(head);
      there.pipe(socket).pipe(there);
    });
    there.on("error", () => socket.destroy());
  }
}
