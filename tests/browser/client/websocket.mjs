// As much of a browser's WebSocket as the client uses, for versions of Node that have none. Text frames, no extensions.

import { randomBytes } from "node:crypto";
import { request } from "node:http";

export class WebSocket {
  #socket = null;
  #unread = Buffer.alloc(0);
  #code = 1006;

  constructor(url, protocols) {
    const { hostname, port, pathname, search } = new URL(url);
    const headers = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      "Sec-WebSocket-Protocol": protocols.join(", "),
    };
    const opening = request({ hostname, port, path: pathname + search, headers });
    opening.on("upgrade", (_, socket, head) => this.#opened(socket, head));
    opening.on("response", (response) => {
      response.resume();
      this.#closed();
    });
    opening.on("error", () => this.#closed());
    opening.end();
  }

  #opened(socket, head) {
    this.#socket = socket;
    socket.on("data", (data) => this.#read(data));
    socket.on("error", () => {});
    socket.on("close", () => this.#closed());
    this.onopen?.();
    if (head.length) this.#read(head);
  }

  #closed() {
    this.onclose?.({ code: this.#code, reason: "" });
    this.onclose = null;
  }

  #read(data) {
    this.#unread = Buffer.concat([this.#unread, data]);
    for (let frame = this.#next(); frame; frame = this.#next()) this.#take(...frame);
  }

  #next() {
    const data = this.#unread;
    if (data.length < 2) return null;
    const [skip, width] = { 126: [4, 2], 127: [10, 8] }[data[1]] ?? [2, 0];
    if (data.length < skip) return null;
    const length = width ? Number(BigInt(`0x${data.subarray(2, skip).toString("hex")}`)) : data[1];
    if (data.length < skip + length) return null;
    this.#unread = data.subarray(skip + length);
    return [data[0] & 0x0f, data.subarray(skip, skip + length)];
  }

  #take(opcode, body) {
    if (opcode === 1) this.onmessage?.({ data: body.toString() });
    if (opcode === 9) this.#write(10, body);
    if (opcode === 8) {
      this.#code = body.length ? body.readUInt16BE() : 1005;
      this.#write(8, body);
      this.#socket.end();
    }
  }

  #write(opcode, body) {
    const size = body.length < 126 ? [0x80 | body.length] : [0xfe, body.length >> 8, body.length & 0xff];
    const mask = randomBytes(4);
    const masked = body.map((byte, n) => byte ^ mask[n % 4]);
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...size]), mask, masked]));
  }

  send(text) {
    this.#write(1, Buffer.from(text));
  }

  close(code = 1000) {
    if (!this.#socket) return;
    this.#write(8, Buffer.from([code >> 8, code & 0xff]));
    this.#socket.end();
  }

  /** As if a cable was cut. */
  cut() {
    this.#socket.destroy();
  }
}
