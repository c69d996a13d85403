// Formats times, names and counts.

import { capital, intl } from "./language.js";
import { words } from "./words.js";

const LONGEST_LETTER = 32; // longer than any letter or emoji

const QUARTER = 900; // seconds; by it or a multiple, all clocks differ

const CLOCK = { hour: "numeric", minute: "2-digit" };
const DAY_IN_YEAR = { weekday: "long", day: "numeric", month: "long" };
const DAY_OF_ANY_YEAR = { dateStyle: "long" };
const MOMENT = { ...DAY_IN_YEAR, ...CLOCK };
const MOMENT_OF_ANY_YEAR = { ...MOMENT, year: "numeric" };
const NEAR_DAY = { numeric: "auto" };
const ORDER = { numeric: true };
const LETTERS = {};

const clock = () => intl("DateTimeFormat", CLOCK);

/** "14:05" or "2:05 PM" */
export function timeOf(seconds) {
  return clock().format(seconds * 1000);
}

/** "14:05" today, "Tuesday, 4 March at 14:05" on other days. */
export function momentOf(seconds, now = Date.now() / 1000) {
  return dayOf(seconds) === dayOf(now) ? timeOf(seconds) : fullTimeOf(seconds, now);
}

/** "2:05", for narrow places. */
export function digitsOf(seconds) {
  return clock().formatToParts(seconds * 1000).filter(({ type }) => type !== "dayPeriod").map(({ value }) => value).join("").trim();
}

/** "Monday, 3 March at 14:05", with the year if it is another one. */
export function fullTimeOf(seconds, now = Date.now() / 1000) {
  return intl("DateTimeFormat", yearOf(seconds) === yearOf(now) ? MOMENT : MOMENT_OF_ANY_YEAR).format(seconds * 1000);
}

const yearOf = (seconds) => dayOf(seconds).slice(-4);

let lastDay = {};

/** A text that differs for each local day. A conversation asks it of each of its messages whenever it is drawn. */
export function dayOf(seconds) {
  const quarter = Math.floor(seconds / QUARTER);
  if (quarter !== lastDay.quarter) lastDay = { quarter, day: new Date(seconds * 1000).toDateString() };
  return lastDay.day;
}

/** "Today", "Yesterday", "Monday, 3 March", "3 March 2023" */
export function dayName(seconds, now = Date.now() / 1000) {
  const day = dayOf(seconds);
  const back = [dayOf(now), dayBefore(now)].indexOf(day);
  if (back >= 0) return capital(intl("RelativeTimeFormat", NEAR_DAY).format(-back, "day"));
  return intl("DateTimeFormat", yearOf(seconds) === yearOf(now) ? DAY_IN_YEAR : DAY_OF_ANY_YEAR).format(seconds * 1000);
}

// By the calendar: a day on which clocks change has 23 or 25 hours.
function dayBefore(seconds) {
  const day = new Date(seconds * 1000);
  day.setDate(day.getDate() - 1);
  return day.toDateString();
}

/** The first letter as people see it. Browsers without a segmenter split joined emoji. */
function firstLetter(word) {
  if (/^[!-~](?![^!-~])/.test(word)) return word[0]; // most are; the segmenter takes longer than the rest of a row
  const [first] = Intl.Segmenter ? intl("Segmenter", LETTERS).segment(word) : word;
  return first?.segment ?? first ?? "?";
}

/** One or two letters for an avatar; an emoji counts as one. */
export function initials(name) {
  const parts = name.trim().split(/\s+/);
  const ends = parts.length > 1 ? [parts[0], parts.at(-1)] : parts;
  return ends.map((word) => firstLetter(word).slice(0, LONGEST_LETTER)).join("").toLocaleUpperCase();
}

/** 0 … 359: stable for an id, and far apart for similar ids. */
export function hueOf(id) {
  return hashOf(id) % 360;
}

// FNV-1a
function hashOf(text) {
  return [...text].reduce((hash, letter) => Math.imul(hash ^ letter.codePointAt(0), 16777619), 2166136261) >>> 0;
}

/** Compares names: "Room 9" comes before "Room 10". Equal names are in the order of their ids, the same each time. */
export function byName(one, other) {
  return intl("Collator", ORDER).compare(one.name, other.name) || (one.id < other.id ? -1 : Number(one.id > other.id));
}

/** These names, or two and how many others, to be listed. */
export function some(names) {
  return names.length > 3 ? [...names.slice(0, 2), words.others(names.length - 2)] : names;
}

/** The beginning of a long text. */
export function excerpt(text, most = 200) {
  return text.length > most ? `${text.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

/** Whether a text has a visible character. */
export function isVisible(text) {
  return /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800]/u.test(text);
}

/** The id for a title: "Release day" → "release-day". A number at the end stands for characters that ids cannot have, so different titles have different ids. */
export function slug(title) {
  const plain = title.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const readable = plain.replace(/[^a-z0-9_]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
  const isAll = readable && !/[^a-z0-9_\s\p{P}]/u.test(plain);
  return isAll ? readable : [readable, fingerprint(lookOf(title))].filter(Boolean).join("-");
}

/** The same text for names that look the same. */
function lookOf(name) {
  return name.normalize("NFKC").replace(/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}]/gu, "").replace(/\s+/g, " ").trim().toLowerCase();
}

function fingerprint(text) {
  return hashOf(text).toString(36) + hashOf(`2${text}`).toString(36);
}

const SHORT = 24;
const END = 6;

/** Suffixes that tell equal names apart: id → a part of the id if another person has the same name, else "". */
export function toldApart(named) {
  const groups = new Map();
  for (const one of named) groups.set(lookOf(one.name), [...(groups.get(lookOf(one.name)) ?? []), one.id]);
  return new Map([...groups.values()].flatMap((ids) => ids.map((id) => [id, ids.length < 2 ? "" : distinctEnd(id, ids)])));
}

function distinctEnd(id, ids) {
  let end = id.length > SHORT ? END : id.length;
  while (end < id.length && ids.some((other) => other !== id && other.endsWith(id.slice(-end)))) end++;
  return id.slice(-end);
}

/** Mark rooms whose name another one of them, or one of these people, has. */
export function tellApart(rooms, people = []) {
  if (!rooms.length) return;
  const idOf = ({ id, partner }) => partner?.id ?? id;
  const named = new Map([...people, ...rooms.map((room) => ({ id: idOf(room), name: room.name }))].map((one) => [one.id, one]));
  const marks = toldApart(named.values());
  for (const room of rooms) room.mark = marks.get(idOf(room));
}
