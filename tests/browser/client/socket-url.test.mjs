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

test("away from the server that has the client, its address is asked for", () => {
  assert.throws(() => new ChatRooms(), /name the socket/);
});

for (const address of ["https://a.example/chat/client.js", "http://localhost:8000/chat/client.js?v=2"]) {
  test(`beside ${address} is the socket`, async () => {
    const socketUrl = await servedAs(address);

    assert.equal(socketUrl().href, address.replace("http", "ws").replace(/client\.js.*/, "ws"));
  });
}

for (const address of ["https://a.example/assets/index-BX3a.js", "file:///app/dist/client.js", "blob:https://a.example/1"]) {
  test(`in ${address} it does not guess where the socket is`, async () => {
    const socketUrl = await servedAs(address);

    assert.throws(() => socketUrl(), /name the socket/);
  });
}

test("no bundler sees a file to copy in the address of the socket", () => {
  assert.doesNotMatch(SOURCE, /new URL\([^)]*import\.meta\.url/);
});
