// Plays ends of connections to client.js, and prints how long it waits after each, and which were attempts over HTTP, where all fail.
// On stdin: {first, longest, scenes: [[{code, opened, heard, online, lot, told}, …], …]}

import { readFileSync } from "node:fs";
import { settled, world } from "../browser/client/support.mjs";

const { scenes, ...backoff } = JSON.parse(readFileSync(0, "utf8"));
const waits = [];
for (const scene of scenes) waits.push(await play(scene));
console.log(JSON.stringify(waits));

async function play(scene) {
  const ends = [];
  let lot = 0;
  const it = world({ after: (end) => ends.push(end) }, { random: () => lot, backoff, api: undefined });
  it.chat.connect().catch(() => {});
  const played = [];
  let sockets = 0;
  let attempt = 0;
  for (const end of scene) {
    lot = end.lot;
    if (played.length) await it.clock.advance(it.chat.status.retryIn + 0.001);
    await until(() => it.sockets.length > sockets || it.chat.status.attempt > attempt);
    const overHttp = it.sockets.length === sockets; // this one fails by itself
    if (!overHttp) await meet(it, end);
    sockets = it.sockets.length;
    attempt = it.chat.status.attempt;
    played.push({ wait: it.chat.status.retryIn, overHttp });
  }
  ends.forEach((end) => end());
  return played;
}

async function meet({ socket, clock }, { code, opened, heard, online, told }) {
  if (opened) socket.accept();
  if (online >= 0 && socket.last("auth")) socket.ack(socket.last("auth")); // after a refused handshake the token comes later
  if (online >= 0) socket.welcome();
  else if (heard) socket.says({ type: "presence" });
  if (online > 0) await clock.advance(online);
  if (told !== null) socket.says({ type: "closing", payload: { reason: "restart", reconnectIn: told } });
  await settled();
  socket.shut(code);
}

async function until(done) {
  for (let turns = 0; !done(); turns++) {
    if (turns > 10_000) throw new Error("nothing happens");
    await settled();
  }
}
