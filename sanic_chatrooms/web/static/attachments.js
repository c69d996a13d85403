// The files of a message, below its text: pictures in a place of their size, others as a line with name and size. All of it was written by
// others: only files of this server and https addresses are linked, and only pictures of this server are loaded.

import { el, icon } from "./dom.js";
import { excerpt } from "./format.js";
import { intl } from "./language.js";
import { calm, webAddress } from "./richtext.js";
import { words } from "./words.js";

const MOST_FILES = 10;
const WIDEST = 360; // pixels of a picture
const HIGHEST = 300;
const LONGEST = 255;
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"].map((unit, step) => ({ style: "unit", unit, unitDisplay: step ? "short" : "long", maximumFractionDigits: 1 }));

/** "1 byte", "48 kB", "1.2 MB" */
export function sizeOf(bytes) {
  const step = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const size = bytes / 1000 ** step;
  return intl("NumberFormat", UNITS[step]).format(size < 10 ? size : Math.round(size));
}

/** Where a file may be fetched: a path of this server, or https. Else null. */
export function placeOf(address) {
  const base = globalThis.location?.href;
  const url = typeof address === "string" && webAddress(address, base);
  if (!url || url.username || url.password) return null;
  const own = url.origin === globalThis.location?.origin;
  return (own && address.startsWith("/")) || url.protocol === "https:" ? { href: url.href, host: url.host, own } : null;
}

/** The files of a message that can be shown: {name, type, size, width, height, place}. */
export function filesOf({ payload }) {
  const files = Array.isArray(payload?.attachments) ? payload.attachments.slice(0, MOST_FILES) : [];
  return files.map((file) => showable(file ?? {})).filter(Boolean);
}

function showable({ url, name, type, size, width, height }) {
  const place = placeOf(url);
  if (!place || typeof name !== "string" || !name.trim()) return null;
  const sized = Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0;
  return { place, name: calm(excerpt(name, LONGEST)), type, size: Number.isFinite(size) && size >= 0 ? size : null, ...(sized && { width, height }) };
}

/** For screen readers: "File: plan.pdf" or "". */
export function namesOf(item) {
  const names = filesOf(item).map(({ name }) => name);
  return names.length ? words.message.files(names) : "";
}

/** The element below the text; null without files. `ready`: a promise, until which pictures are not fetched. */
export function attachments(item, ready) {
  const files = filesOf(item);
  return files.length ? el("ul.files", { "aria-label": words.files, testid: "attachments" }, files.map((file) => el("li", {}, PICTURES.has(file.type) && file.place.own ? picture(file, ready) : fileLine(file)))) : null;
}

const linkTo = ({ place: { href } }) => ({ href, target: "_blank", rel: "noopener noreferrer nofollow" });

function fileLine(file) {
  const { name, size, place } = file;
  const about = [size !== null && sizeOf(size), !place.own && place.host].filter(Boolean).join(" · ");
  return el("a", { ...linkTo(file), class: "file", testid: "file" }, icon("file"), el("span.grow", {}, el("bdi.cut", {}, name), el("span.note", {}, about)));
}

// A picture that cannot be shown becomes a line.
function picture(file, ready) {
  const { name, place } = file;
  const image = el("img", { ...placed(file), alt: name, decoding: "async", draggable: "false" });
  const anchor = el("a", { ...linkTo(file), class: "picture", title: name, "aria-label": name, testid: "picture" }, image);
  image.addEventListener("error", () => anchor.replaceWith(fileLine(file)));
  const load = () => image.setAttribute("src", place.href);
  if (ready) ready.then(load, load);
  else load();
  return anchor;
}

/** The size in which a picture is shown. Without sizes it gets a square. */
export function placed({ width = HIGHEST, height = HIGHEST }) {
  const scale = Math.min(1, WIDEST / width, HIGHEST / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
