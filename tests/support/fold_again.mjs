// Does what the readers of fold_play.py did once more with `fold` of client.js: node fold_again.mjs FILE
//
// FILE has a list of {me, steps}; a step is {event}, {page, replace} or {expect}: the messages that a page shows now.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { fold } from "../../sanic_chatrooms/web/static/client.js";

let compared = 0;
for (const { me, steps } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  let shown = new Map();
  for (const { event, page, replace, expect } of steps) {
    if (event) {
      for (const id of [event.payload.msgId, event.payload.parent])
        if (shown.has(id)) shown.set(id, fold(shown.get(id), event, me));
      if (event.type === "message" && !shown.has(event.msgId)) shown.set(event.msgId, event);
    } else if (page) {
      if (replace) shown = new Map();
      for (const message of page) if (message.type === "message") shown.set(message.msgId, message);
    } else {
      for (const message of expect) {
        if (!shown.has(message.msgId)) continue;
        assert.deepEqual(shown.get(message.msgId), message);
        compared++;
      }
    }
  }
}
console.log(compared);
