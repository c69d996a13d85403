// From counts of workers to what is shown: rates, quantiles, and numbers as people read them. Nothing here touches the page.

import { words } from "./operator-words.js";

export const OLD = 5; // seconds after which a worker counts as silent

/** Of one worker in two overviews: what was counted in between, per second. Null if it cannot be told: figures of the same moment, or a new worker. */
export function rateOf(name, now, before) {
  const [one, other] = [now, before].map(({ told, worker }) => worker && { value: worker[name], at: told.at - worker.age });
  if (!one || !other || one.at - other.at < 0.2) return null;
  return Math.max(0, one.value - other.value) / (one.at - other.at);
}

/** The distribution of what was measured in between, of these workers together. */
export function between(name, now, before) {
  const known = new Map((before?.workers ?? []).map((worker) => [worker.worker, worker]));
  const parts = now.workers.filter(({ worker }) => known.has(worker)).map((worker) => worker[name].map((count, at) => count - known.get(worker.worker)[name][at]));
  return parts.reduce((sum, part) => sum.map((count, at) => count + part[at]), now.buckets.map(() => 0).concat(0, 0));
}

/** The value, in seconds, below which this share of a distribution is; null if it is empty. Straight lines inside of a bucket. */
export function quantile(distribution, buckets, share) {
  const counts = distribution.slice(0, -1);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  let left = total * share;
  for (const [at, count] of counts.entries()) {
    const low = at ? buckets[at - 1] : 0;
    if (left <= count) return at < buckets.length ? low + (buckets[at] - low) * (left / count) : low;
    left -= count;
  }
  return buckets.at(-1);
}

/** The mean of a distribution in seconds; null if it is empty. */
export function meanOf(distribution) {
  const total = distribution.slice(0, -1).reduce((sum, count) => sum + count, 0);
  return total > 0 ? distribution.at(-1) / total : null;
}

/** The sum over workers; those that cannot be told count as nothing. Null if none can. */
export function sumOf(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
}

// ---- as people read them ----

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** "1,234" or "0.4" */
export function numberOf(value) {
  if (value === null || value === undefined) return words.none;
  return (value < 10 ? exact : plain).format(value);
}

/** "0.42 ms", "17 ms", "2.5 s" */
export function shortTime(seconds) {
  if (seconds === null || seconds === undefined) return words.none;
  const ms = seconds * 1000;
  if (ms >= 1000) return words.seconds(exact.format(seconds));
  return words.ms(ms >= 10 ? plain.format(ms) : ms.toFixed(ms >= 1 ? 1 : 2));
}

/** "12 s", "5 min", "3 h", "2 d" */
export function longTime(seconds) {
  const steps = [[86400, words.days], [3600, words.hours], [60, words.minutes]];
  const [size, unit] = steps.find(([each]) => seconds >= 2 * each) ?? [1, words.seconds];
  return unit(plain.format(Math.floor(seconds / size)));
}

const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** "3 Mar 2026, 14:05:10" */
export const momentOf = (seconds) => clock.format(seconds * 1000);

/** What a worker is called, and in what state it is: its words, and how it looks. */
export const nameOf = ({ name, pid }) => name.replace(/^Sanic-Server-/, "") || String(pid);

export function stateOf({ age, draining, connections, overloaded, broker }) {
  if (age >= OLD) return [words.silentFor(Math.round(age)), "bad"];
  if (draining) return [connections ? words.draining : words.drained, "calm"];
  if (overloaded) return [words.overloaded, "bad"];
  return broker ? [words.serving, "good"] : [words.noBroker, "bad"];
}
