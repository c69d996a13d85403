// The overviews of the last five minutes, as points of charts.

import { SPAN } from "./charts.js";
import { between, meanOf, OLD, quantile, rateOf, sumOf } from "./figures.js";

const RATES = ["messages", "deliveries", "refusals"];

export class FigureHistory {
  #samples = [];
  #ahead = 0; // seconds that the server's clock is ahead of ours
  now = null; // the newest overview

  /** Take an overview. */
  add(told) {
    const before = this.now;
    this.now = told;
    this.#ahead = told.at - Date.now() / 1000;
    const last = this.newest;
    const workers = new Map(told.workers.map((worker) => [worker.worker, pointOf(told, before, worker, last?.workers?.get(worker.worker))]));
    const stored = before ? between("stored", told, before) : [];
    const each = [...workers.values()];
    this.#keep({
      at: told.at,
      workers,
      connections: sumOf(each.map(({ connections }) => connections)),
      ...Object.fromEntries(RATES.map((name) => [name, sumOf(each.map((one) => one[name]))])),
      half: quantile(stored, told.buckets, 0.5),
      most: quantile(stored, told.buckets, 0.95),
    });
  }

  /** Nobody answered. */
  miss() {
    this.#keep({ at: Date.now() / 1000 + this.#ahead });
  }

  get newest() {
    return this.#samples.at(-1) ?? null;
  }

  /** The points of a number of all workers together. */
  points(name) {
    return this.#samples.map((sample) => [sample.at, sample[name] ?? null]);
  }

  /** The points of a number of one worker. */
  pointsOf(worker, name) {
    return this.#samples.map(({ at, workers }) => [at, workers?.get(worker)?.[name] ?? null]);
  }

  #keep(sample) {
    this.#samples.push(sample);
    this.#samples = this.#samples.filter(({ at }) => sample.at - at <= SPAN);
  }
}

/** What one worker adds to the charts. A worker that is silent adds nothing; one that has not counted anew since, what it added before. */
function pointOf(told, before, worker, last) {
  if (worker.age >= OLD) return { connections: null, lag: null, messages: null, deliveries: null, refusals: null };
  const now = { told, worker };
  const then = before && { told: before, worker: before.workers.find(({ worker: id }) => id === worker.worker) };
  const lag = then?.worker ? meanOf(between("lags", { ...told, workers: [worker] }, before)) : null;
  const rates = RATES.map((name) => [name, (then ? rateOf(name, now, then) : null) ?? last?.[name] ?? null]);
  return { connections: worker.connections, lag: lag ?? last?.lag ?? null, ...Object.fromEntries(rates) };
}
