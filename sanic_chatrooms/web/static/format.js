// How times, names and counts are written.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const withYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** "14:05" */
export function timeOf(seconds) {
  return clock.format(seconds * 1000);
}

/** "2:05": where there is no room for more than the digits. */
export function digitsOf(seconds) {
  return clock.formatToParts(seconds * 1000).filter(({ type }) => type !== "dayPeriod").map(({ value }) => value).join("").trim();
}

/** "Monday, 3 March, 14:05": what a machine-readable time shows when asked. */
export function fullTimeOf(seconds) {
  return `${weekday.format(seconds * 1000)}, ${timeOf(seconds)}`;
}

/** A day as a number that changes at local midnight. */
export function dayOf(seconds) {
  const date = new Date(seconds * 1000);
  return date.getFullYear() * 10000 + (date.getMonth() + 1) * 100 + date.getDate();
}

/** "Today", "Yesterday", "Monday, 3 March", "3 March 2023" */
export function dayName(seconds, now = Date.now() / 1000) {
  if (dayOf(seconds) === dayOf(now)) return "Today";
  if (dayOf(seconds) === dayOf(now - 86400)) return "Yesterday";
  const sameYear = new Date(seconds * 1000).getFullYear() === new Date(now * 1000).getFullYear();
  return (sameYear ? weekday : withYear).format(seconds * 1000);
}

/** One or two letters for an avatar; an emoji counts as one. */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words.slice(0, 1);
  return ends.map((word) => [...letters.segment(word)][0].segment).join("").toLocaleUpperCase() || "?";
}

/** 0 … 359, always the same for an id, far apart for similar ones. */
export function hueOf(id) {
  let hash = 2166136261;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619);
  return (hash >>> 0) % 360;
}

/** "Ada", "Ada and Bob", "Ada, Bob and 3 others" */
export function listed(names) {
  if (names.length < 2) return names.join("");
  if (names.length === 2) return `${names[0]} and ${names[1]}`;
  if (names.length === 3) return `${names[0]}, ${names[1]} and ${names[2]}`;
  return `${names[0]}, ${names[1]} and ${names.length - 2} others`;
}

/** "1 new message", "3 new messages" */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The id that a title makes: "Release day" → "release-day"; empty where nothing fits an id. */
export function slug(title) {
  const plain = title.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  return plain.replace(/[^a-z0-9_]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
}
