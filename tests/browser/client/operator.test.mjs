// The figures of the operators' page: rates, quantiles, and how old they are.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import { roundUp } from "../../../sanic_chatrooms/web/static/admin/charts.js";
import { between, longTime, meanOf, numberOf, quantile, rateOf, shortTime, stateOf } from "../../../sanic_chatrooms/web/static/admin/figures.js";
import { words } from "../../../sanic_chatrooms/web/static/admin/operator-words.js";
import { FigureHistory } from "../../../sanic_chatrooms/web/static/admin/history.js";

const BUCKETS = [0.001, 0.01, 0.1];

function told(at, ...workers) {
  const usual = { age: 0, connections: 0, messages: 0, deliveries: 0, refusals: 0, stored: [0, 0, 0, 0, 0], lags: [0, 0, 0, 0, 0], draining: false, overloaded: false, broker: true };
  return { at, buckets: BUCKETS, workers: workers.map((worker) => ({ ...usual, ...worker })) };
}

const pair = (overview, id) => ({ told: overview, worker: overview.workers.find(({ worker }) => worker === id) });

test("a rate is by the times at which the figures were taken, not at which they were asked for", () => {
  const before = told(100, { worker: "a", messages: 10, age: 0.5 });
  const now = told(102, { worker: "a", messages: 40, age: 1 });

  assert.equal(rateOf("messages", pair(now, "a"), pair(before, "a")), 30 / 1.5);
});

test("of a new worker, and of figures that are the same, no rate is told", () => {
  const before = told(100, { worker: "a", messages: 10 });

  assert.equal(rateOf("messages", pair(told(102, { worker: "b", messages: 5 }), "b"), pair(before, "b")), null);
  assert.equal(rateOf("messages", pair(told(102, { worker: "a", messages: 10, age: 2 }), "a"), pair(before, "a")), null);
});

test("distributions of several workers are one, without those that are new", () => {
  const before = told(100, { worker: "a", stored: [1, 1, 0, 0, 1] }, { worker: "b", stored: [0, 0, 0, 0, 0] });
  const now = told(102, { worker: "a", stored: [2, 1, 1, 0, 2] }, { worker: "b", stored: [3, 0, 0, 1, 9] }, { worker: "c", stored: [9, 9, 9, 9, 9] });

  assert.deepEqual(between("stored", now, before), [4, 0, 1, 1, 10]);
});

test("a quantile is between the bounds of its bucket", () => {
  assert.equal(quantile([10, 0, 0, 0, 1], BUCKETS, 0.5), 0.0005);
  assert.equal(quantile([0, 10, 0, 0, 1], BUCKETS, 0.5).toFixed(6), "0.005500");
  assert.equal(quantile([0, 0, 0, 5, 1], BUCKETS, 0.95), 0.1);
  assert.equal(quantile([0, 0, 0, 0, 0], BUCKETS, 0.5), null);
  assert.equal(meanOf([1, 1, 0, 0, 0.5]), 0.25);
  assert.equal(meanOf([0, 0, 0, 0, 0]), null);
});

test("charts sum the workers that are heard, and leave gaps where nobody answers", () => {
  const history = new FigureHistory();
  history.add(told(100, { worker: "a", connections: 2, messages: 0 }, { worker: "b", connections: 3, messages: 0 }));
  history.add(told(102, { worker: "a", connections: 2, messages: 20 }, { worker: "b", connections: 3, messages: 4 }));
  assert.deepEqual(history.points("connections"), [[100, 5], [102, 5]]);
  assert.deepEqual(history.points("messages"), [[100, null], [102, 12]]);
  assert.deepEqual(history.pointsOf("b", "messages"), [[100, null], [102, 2]]);

  history.add(told(104, { worker: "a", connections: 2, messages: 40 }, { worker: "b", connections: 3, messages: 4, age: 6 }));
  assert.deepEqual(history.points("connections").at(-1), [104, 2]);
  assert.deepEqual(history.pointsOf("b", "connections").at(-1), [104, null]);
  history.miss();
  assert.equal(history.points("connections").at(-1)[1], null);
});

test("a state says in words what is wrong", () => {
  const well = { age: 0.2, draining: false, connections: 1, overloaded: false, broker: true };

  assert.deepEqual(stateOf(well), ["serving", "good"]);
  assert.deepEqual(stateOf({ ...well, age: 7.4 }), ["silent for 7 s", "bad"]);
  assert.deepEqual(stateOf({ ...well, draining: true }), ["draining", "calm"]);
  assert.deepEqual(stateOf({ ...well, draining: true, connections: 0 }), ["drained", "calm"]);
  assert.deepEqual(stateOf({ ...well, broker: false }), ["broker lost", "bad"]);
});

test("numbers are short", () => {
  assert.deepEqual([0, 0.44, 9.96, 12.4, 12345, null].map(numberOf), ["0", "0.4", "10", "12", "12,345", "–"]);
  assert.deepEqual([0.00042, 0.0042, 0.042, 2.5, null].map(shortTime), ["0.42 ms", "4.2 ms", "42 ms", "2.5 s", "–"]);
  assert.deepEqual([5, 119, 120, 7200, 200000].map(longTime), ["5 s", "119 s", "2 min", "2 h", "2 d"]);
  assert.deepEqual([0, 0.3, 1, 3, 10, 45, 5000].map(roundUp), [1, 0.5, 1, 5, 10, 50, 5000]);
});

test("the words that the modules use are there, and no others", () => {
  const folder = new URL("../../../sanic_chatrooms/web/static/admin/", import.meta.url);
  const modules = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "operator-words.js");
  const script = modules.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  const used = new Set([...script.matchAll(/\bwords\.(?!js\b)(\w+)/g)].map(([, name]) => name));

  assert.deepEqual([...used].filter((name) => !(name in words)), []);
  assert.deepEqual(Object.keys(words).filter((name) => !used.has(name)), []);
});
