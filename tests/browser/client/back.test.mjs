// The way back of a phone, and what a browser tells of it.

import assert from "node:assert/strict";
import test from "node:test";

const heard = {};
const went = [];
globalThis.addEventListener = (type, act) => (heard[type] = act);
globalThis.matchMedia = () => ({ matches: true });
const goTo = (hash) => (globalThis.location = { href: `https://chat.example/${hash}`, hash });
globalThis.document = { querySelectorAll: () => [] };
goTo("#/general");
globalThis.history = {
  state: null,
  replaceState(state, _, hash = location.hash) {
    history.state = state;
    goTo(hash);
  },
  pushState: (state) => (history.state = state),
  back: () => went.push("back"),
};
const { above } = await import("../../../sanic_chatrooms/web/static/dom.js");
const { keepHistory, readdress } = await import("../../../sanic_chatrooms/web/static/back.js");

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

test("a link that was followed before leads to its place again, and not to where one is", () => {
  arrive({});
  goTo("#/general/at/5");
  arrive(null);
  heard.hashchange({ oldURL: "https://chat.example/#/general" });
  readdress("#/general");

  goTo("#/general/at/5");
  arrive(null);

  assert.equal(history.state, null, "a place of its own, which knows nothing yet");
});
