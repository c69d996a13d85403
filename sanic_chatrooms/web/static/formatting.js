// The marks of the small Markdown, put around what is selected in a text field, and taken back; and the bar of buttons for them.

import { el, fill, icon } from "./dom.js";
import { richText } from "./richtext.js";
import { words } from "./words.js";

const SIGNS = { bold: "**", italic: "*", strike: "~~", code: "`" };
const LINES = { quote: [/^> ?/, () => "> "], list: [/^[-*+] +/, () => "- "], numbers: [/^\d+[.)] +/, (at) => `${at + 1}. `] };
const LINK = /^\[([^[\]\n]+)\]\(\S*\)$/;
const ADDRESS = /^(?:https?:\/\/|mailto:)\S+$/i;

const KEY = /^Mac|^iP/.test(globalThis.navigator?.platform) ? "⌘" : "Ctrl+";

// Letter on the button (else an icon), key.
const BUTTONS = { bold: ["B", "B"], italic: ["I", "I"], strike: ["S", "Shift+X"], code: ["", "E"], link: [], quote: [], list: [], numbers: [] };

/** Mark what is selected, or take the mark away. The browser's undo takes either back. */
export function format(field, name) {
  const { from, to, text, select } = formatted(field.value, field.selectionStart, field.selectionEnd, name);
  field.focus();
  field.setSelectionRange(from, to);
  if (!document.execCommand(text ? "insertText" : "delete", false, text)) {
    field.setRangeText(text, from, to);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  field.setSelectionRange(...select);
}

/** What to replace, {from, to, text}, and what is selected then. */
export function formatted(value, from, to, name) {
  if (Object.hasOwn(LINES, name)) return byLine(value, from, to, ...LINES[name]);
  const chosen = value.slice(from, to);
  const said = chosen.trim();
  // Marks stand at words, not at spaces.
  const start = said ? from + chosen.indexOf(said) : from;
  const end = said ? start + said.length : to;
  return name === "link" ? link(value.slice(start, end), start, end) : around(value, start, end, SIGNS[name]);
}

function around(value, from, to, mark) {
  const chosen = value.slice(from, to);
  const { length } = mark;
  const has = (left, right) => isIn(mark, Math.min(left, right));
  const replaced = (text, start, end, shift) => ({ from: start, to: end, text, select: [start + shift, start + text.length - shift] });
  if (has(atEnd(value.slice(0, from), mark[0]), atStart(value.slice(to), mark[0]))) return replaced(chosen, from - length, to + length, 0);
  if (chosen.length > 2 * length && has(atStart(chosen, mark[0]), atEnd(chosen, mark[0]))) return replaced(chosen.slice(length, -length), from, to, 0);
  if (!chosen.includes("\n")) return replaced(`${mark}${chosen}${mark}`, from, to, length);
  if (mark === "`") return replaced(`\`\`\`\n${chosen}\n\`\`\``, from, to, 4);
  return replaced(chosen.replace(/^([ \t]*)(\S.*?)([ \t]*)$/gm, `$1${mark}$2${mark}$3`), from, to, 0);
}

// How many of these signs it begins or ends with; 3: as many or more.
const atStart = (text, sign) => [0, 1, 2, 3].find((at) => at === 3 || text[at] !== sign);
const atEnd = (text, sign) => [0, 1, 2, 3].find((at) => at === 3 || text.at(-1 - at) !== sign);

// Three stars are bold and italic.
function isIn(mark, count) {
  return mark.length === 2 ? count >= 2 : mark === "*" ? count % 2 === 1 : count === 1;
}

function byLine(value, from, to, pattern, prefix) {
  const start = value.lastIndexOf("\n", from - 1) + 1;
  const end = value.indexOf("\n", to) < 0 ? value.length : value.indexOf("\n", to);
  const lines = value.slice(start, end).split("\n");
  const isMarked = lines.every((line) => !line || pattern.test(line)) && lines.some(Boolean);
  const text = lines.map((line, at) => (isMarked ? line.replace(pattern, "") : line || lines.length === 1 ? prefix(at) + line : line)).join("\n");
  return { from: start, to: end, text, select: from === to ? [start + text.length, start + text.length] : [start, start + text.length] };
}

function link(chosen, from, to) {
  const [, said] = LINK.exec(chosen) ?? [];
  if (said) return { from, to, text: said, select: [from, from + said.length] };
  if (ADDRESS.test(chosen)) return { from, to, text: `[](${chosen})`, select: [from + 1, from + 1] };
  const at = from + chosen.length + 3;
  return { from, to, text: `[${chosen}](https://)`, select: chosen ? [at, at + 8] : [from + 1, from + 1] };
}

/** The bar for a field: {element, update()}; `update` shows what the text will look like. */
export function formatBar(field) {
  // Otherwise the press would take the selection away.
  const labels = words.formatting;
  const buttons = Object.entries(BUTTONS).map(([name, [sign, key]]) =>
    el("button", { class: `icon-button format-${name}`, "data-sign": sign, "aria-label": labels[name], title: key ? `${labels[name]} (${KEY}${key})` : labels[name], testid: `format-${name}`, onpointerdown: (event) => event.preventDefault(), onclick: () => format(field, name) }, !sign && icon(name)));
  const preview = el("div.preview.text", { role: "group", "aria-label": labels.preview, dir: "auto", tabindex: 0, testid: "preview" });
  const tools = el("div.format-bar", { role: "group", "aria-label": words.composer.formatting }, buttons);
  let frame = null;
  const draw = () => {
    frame = null;
    const nodes = richText(field.value);
    preview.hidden = nodes.every((node) => typeof node === "string");
    fill(preview, preview.hidden ? [] : nodes);
    // What somebody writes is at the end of most texts.
    if (field.selectionEnd === field.value.length) preview.scrollTop = preview.scrollHeight;
  };
  draw();
  // Once a frame: what inserts many lines tells of each.
  const update = () => void (frame ??= requestAnimationFrame(draw));
  return { element: el("div.formatting", {}, preview, tools), update };
}
