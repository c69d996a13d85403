// The workers: what state each is in, its numbers, how old they are, and drain and restart.

import { button, el } from "../../static/dom.js";
import { question } from "./acts.js";
import { longTime, nameOf, numberOf, quantile, shortTime, stateOf } from "./figures.js";
import { words } from "./operator-words.js";
import { badge, table } from "./tables.js";

const COLUMNS = [
  words.worker, words.state, words.connections, words.perSecond, words.lagShort, words.storedIn, words.roomsHere, words.waiting, words.uptime, "",
];

export function workers(desk) {
  const { node: list, set } = table(words.tabs.workers, COLUMNS, { testid: "workers" });
  const node = el("div.stack", {}, el("h2.sr-only", {}, words.tabs.workers), list);
  const tick = () => desk.history.now && set(desk.history.now.workers.map((worker) => rowOf(desk, worker)));
  return { node, tick };
}

function rowOf(desk, worker) {
  const { history: { now, newest }, me } = desk;
  const point = newest?.workers?.get(worker.worker) ?? {};
  const [state, look] = stateOf(worker);
  const mine = worker.worker === now.worker;
  return {
    key: worker.worker, sign: `${look} ${mine} ${state}`, testid: "worker", "data-pid": worker.pid,
    cells: [
      () => [el("strong", {}, nameOf(worker)), el("span.under", {}, words.process(worker.pid, worker.machine), mine && ` (${words.thisOne})`)],
      () => badge(state, look),
      numberOf(worker.connections), numberOf(point.messages ?? null), shortTime(point.lag ?? null), shortTime(quantile(worker.stored, now.buckets, 0.95)),
      numberOf(worker.rooms), numberOf(worker.waiting), longTime(now.at - worker.started),
      () => el("div.list-actions", {}, orders(desk, worker, me.mayChange)),
    ],
  };
}

function orders(desk, worker, mayChange) {
  if (!mayChange) return el("span.under", {}, worker.name ? "" : words.alone);
  const order = async (what) => {
    const [heading, text] = what === "drain" ? [words.drainAsk, words.drainMeans] : [words.restartAsk, words.restartMeans];
    if (await question(heading(nameOf(worker)), text, words[what])) desk.does(what, { worker: worker.worker }, words.ordered(what, nameOf(worker)));
  };
  const draining = worker.draining;
  return [
    !draining && button(words.drain, () => order("drain"), { testid: "drain", "aria-label": words.drainAsk(nameOf(worker)) }),
    worker.name ? button(words.restart, () => order("restart"), { testid: "restart", "aria-label": words.restartAsk(nameOf(worker)) }) : el("span.under", {}, words.alone),
  ];
}
