// Tables that become cards on narrow screens: each cell has the name of its column.

import { el, fill } from "../../static/dom.js";
import { words } from "./operator-words.js";

/**
 * A table with these columns. `set(rows)`: each row is { key, cells, sign?, ...attributes }, and its first cell names it. A cell is text, which is
 * changed in place, or a function that makes its content once for each `sign`: so buttons keep the focus.
 */
export function table(caption, columns, props = {}) {
  // Their roles are written out, because browsers forget them where the style makes cards of rows.
  const body = el("tbody", { role: "rowgroup" });
  const heads = columns.map((column) => el("th", { scope: "col", role: "columnheader" }, column || el("span.sr-only", {}, words.what)));
  const node = el("table.table", { ...props, role: "table" }, el("caption.sr-only", {}, caption), el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)), body);
  let known = new Map();
  const rowOf = ({ key, cells, sign = "", ...rest }) => {
    const before = known.get(key);
    if (before?.sign === sign) {
      cells.forEach((content, at) => typeof content !== "function" && write(before.row.children[at], content));
      return before;
    }
    const row = el("tr", { ...rest, role: "row" }, cells.map((content, at) => cellOf(content, at, columns[at])));
    before?.row.replaceWith(row);
    return { row, sign };
  };
  const set = (rows) => {
    known = new Map(rows.map((one) => [one.key, rowOf(one)]));
    const wanted = [...known.values()].map(({ row }) => row);
    const there = [...body.children];
    if (wanted.length !== there.length || wanted.some((row, at) => row !== there[at])) fill(body, wanted);
  };
  return { node, set };
}

function cellOf(content, at, column) {
  const cell = at ? el("td", { "data-label": column, role: "cell" }) : el("th", { scope: "row", role: "rowheader" });
  if (typeof content === "function") fill(cell, content());
  else write(cell, content);
  return cell;
}

function write(cell, content) {
  const text = String(content ?? "");
  if (cell.textContent !== text) cell.textContent = text;
}

/** A form in one line: `fields`, and a button that calls `go`. */
export function lineForm(fields, label, go, props = {}) {
  const submit = (event) => {
    event.preventDefault();
    go();
  };
  return el("form.line-form", { onsubmit: submit, ...props }, fields, el("button.button", { type: "submit" }, label));
}

/** A field that is named by what stands in it while it is empty. */
export function labelled(label, props = {}) {
  return el("input.field", { ...props, autocomplete: "off", spellcheck: "false", "aria-label": label, placeholder: label });
}

/** A state: "serving" in green. */
export const badge = (text, look = "calm") => el("span.state", { "data-look": look }, text);

/** A list that asks for its next page by a button. `load(cursor)` resolves with { rows, cursor }; undefined: it could not be read. */
export function pages(show, load) {
  let rows = [];
  const more = el("button.button", { hidden: true, testid: "more", onclick: () => next() }, words.more);
  let cursor = null;
  const next = async () => {
    const page = await load(cursor);
    if (!page) return;
    rows = cursor === null ? page.rows : [...rows, ...page.rows];
    cursor = page.cursor ?? null;
    more.hidden = cursor === null;
    show(rows);
  };
  const again = () => {
    cursor = null;
    return next();
  };
  return { more, again, rows: () => rows };
}
