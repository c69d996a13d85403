// A server in a process of its own, for tests of the client.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const python = `${root}.venv/bin/python`;
export const missing = existsSync(python) ? false : "there is no .venv/bin/python; `make venv` creates it";

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A program that serves a chat on this port, answering; -> its process. */
export async function serve(port, app) {
  const process = spawn(python, ["-c", app, String(port)], { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  process.stderr.on("data", (data) => (said += data));
  for (let n = 0; n < 200; n++) {
    if (process.exitCode !== null) throw new Error(`the server ended:\n${said}`);
    const answer = await fetch(`http://127.0.0.1:${port}/chat/client.js`).catch(() => null);
    if (answer?.ok) return process;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the server did not answer:\n${said}`);
}

export async function stop(process) {
  if (process.exitCode !== null) return;
  const ended = new Promise((resolve) => process.once("exit", resolve));
  process.kill("SIGTERM");
  await ended;
}

export const next = (chat, type, wanted = () => true) =>
  new Promise((resolve) => {
    const off = chat.on(type, (event) => {
      if (!wanted(event)) return;
      off();
      resolve(event);
    });
  });
