// The overview: what all workers do now, as charts, and whether store and broker are well.

import { el, fill } from "../../static/dom.js";
import { chart } from "./charts.js";
import { nameOf, numberOf, OLD, shortTime } from "./figures.js";
import { words } from "./operator-words.js";

export function overview({ history }) {
  const health = el("ul.tiles", { testid: "health", "aria-label": words.health });
  const trouble = el("dl.facts", { testid: "trouble" });
  const charts = [
    ofAll(words.connections, "connections", numberOf),
    ofAll(words.messages, "messages", numberOf),
    ofAll(words.deliveries, "deliveries", numberOf),
    latency(),
    ofEach(words.lag, "lag", shortTime),
    ofAll(words.refusals, "refusals", numberOf),
  ];
  const node = el("div.stack", {}, el("h2.sr-only", {}, words.tabs.overview), health,
    el("div.charts", {}, charts.map(({ figure }) => figure)), el("h2.section", {}, words.trouble), trouble);

  const tick = () => {
    if (!history.now) return;
    fill(health, tiles(history.now));
    fill(trouble, troubles(history.now));
    charts.forEach(({ update }) => update(history));
  };
  return { node, tick };
}

// ---- charts ----

/** All workers together, with each of them in the legend if there are several. */
function ofAll(title, name, show) {
  const { figure, draw } = chart(title, `chart-${name}`, show);
  const update = (history) => {
    const { at } = history.newest;
    const total = history.newest[name] ?? null;
    draw(at, [{ label: words.allWorkers, points: history.points(name), value: total }, ...eachOf(history, name)], show(total));
  };
  return { figure, update };
}

function ofEach(title, name, show) {
  const { figure, draw } = chart(title, `chart-${name}`, show);
  const update = (history) => {
    const series = eachOf(history, name, 1);
    draw(history.newest.at, series, show(highest(series)));
  };
  return { figure, update };
}

function latency() {
  const { figure, draw } = chart(words.latency, "chart-latency", shortTime);
  const update = (history) => {
    const { at, half = null, most = null } = history.newest;
    const series = [["half", words.half, half], ["most", words.most, most]].map(([name, label, value]) => ({ label, points: history.points(name), value }));
    draw(at, series, shortTime(most));
  };
  return { figure, update };
}

function eachOf(history, name, least = 2) {
  const { workers } = history.now;
  if (workers.length < least) return [];
  return workers.map((worker) => {
    const points = history.pointsOf(worker.worker, name);
    return { label: nameOf(worker), points, value: points.at(-1)[1] };
  });
}

function highest(series) {
  const values = series.map(({ value }) => value).filter((value) => value !== null);
  return values.length ? Math.max(...values) : null;
}

// ---- health ----

function tiles({ health: { store, broker, presence }, workers }) {
  const fresh = workers.filter(({ age }) => age < OLD).length;
  const reached = broker.ok && workers.every((worker) => worker.age >= OLD || worker.broker);
  return [
    tile(words.tabs.workers, words.workersCount(fresh, workers.length), fresh === workers.length, "workers"),
    tile(words.store, store.ok ? words.answers(store.kind, shortTime(store.seconds)) : words.silentBackend(store.kind), store.ok, "store"),
    tile(words.broker, reached ? words.works(broker.kind) : words.noneReaches(broker.kind), reached, "broker"),
    tile(words.presence, presence.kind, true, "presence"),
  ];
}

function tile(title, text, ok, name) {
  return el("li.tile", { "data-look": ok ? "good" : "bad", testid: `health-${name}` }, el("strong", {}, title), el("span", {}, text));
}

function troubles({ workers, left }) {
  const names = { repairs: words.repairs, resets: words.resets, storeErrors: words.storeErrors, handshakesRefused: words.handshakesRefused };
  return Object.entries(names).map(([name, label]) => {
    const total = workers.reduce((sum, worker) => sum + worker[name], left[name]);
    return el("div", {}, el("dt", {}, label), el("dd", { testid: `trouble-${name}` }, numberOf(total)));
  });
}
