// The way back of a phone, and what a browser tells of it.

import assert from "node:assert/strict";
import test from "node:test";

const heard = {};
const went = [];
globalThis.addEventListener = (type, act) => (heard[type] = act);
globalThis.matchMedia = () => ({ matches: true });
globalThis.location = { href: "https://chat.example/#/general", hash: "#/general" };
globalThis.history = {
  state: null,
  replaceState: (state) => (history.state = state),
  pushState: (state) => (history.state = state),
  back: () => went.push("back"),
};
const { above } = await import("../../../sanic_chatrooms/web/static/dom.js");
const { keepHistory } = await import("../../../sanic_chatrooms/web/static/back.js");

const arrive = (state) => {
  history.state = state;
  heard.popstate();
};

test("the way back closes what is open, and a link to where one is closes nothing", () => {
  const closed = [];
  keepHistory(() => {}, () => {});
  above.opens(() => closed.push("menu"));
  arrive({});
  assert.deepEqual([closed, went], [["menu"], []]);

  const close = above.opens(() => {});
  close(); // otherwise than by the way back
  arrive(null); // such a link takes the state of the place away
  assert.deepEqual(went, []);

  above.opens(() => closed.push("dialog"));
  assert.equal(history.state.over, 1, "the place of what was closed stands for it");
  arrive({});
  assert.deepEqual([closed, went], [["menu", "dialog"], []]);
});
