// Where the client finds its socket.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { ChatRooms } from "../../../sanic_chatrooms/web/static/client.js";

const SOURCE = await readFile(new URL("../../../sanic_chatrooms/web/static/client/socket-url.js", import.meta.url), "utf8");

/** `socketUrl` in a module of this address. */
async function servedAs(address) {
  const module = SOURCE.replaceAll("import.meta.url", JSON.stringify(address));
  return (await import(`data:text/javascript;base64,${Buffer.from(module).toString("base64")}`)).socketUrl;
}

test("without a chat server, the client requires an address", () => {
  assert.throws(() => new ChatRooms(), /name the socket/);
});

for (const address of ["https://a.example/chat/client.js", "http://localhost:8000/chat/client.js?v=2"]) {
  test(`the socket is beside ${address}`, async () => {
    const socketUrl = await servedAs(address);

    assert.equal(socketUrl().href, address.replace("http", "ws").replace(/client\.js.*/, "ws"));
  });
}

for (const address of ["https://a.example/assets/index-BX3a.js", "file:///app/dist/client.js", "blob:https://a.example/1"]) {
  test(`the client in ${address} does not guess the socket's address`, async () => {
    const socketUrl = await servedAs(address);

    assert.throws(() => socketUrl(), /name the socket/);
  });
}

test("no bundler takes the socket's address for a file to copy", () => {
  assert.doesNotMatch(SOURCE, /new URL\([^)]*import\.meta\.url/);
});
