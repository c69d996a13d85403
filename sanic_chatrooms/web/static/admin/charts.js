// Line charts as SVG: the last five minutes, one line for each series. What was not answered is a gap.

import { el, fill } from "../../static/dom.js";
import { longTime } from "./figures.js";
import { words } from "./operator-words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 120;
export const SPAN = 300; // seconds that are kept
const SHORTEST = 60; // that are shown, while there is no more

/** A chart. `show(value)` is how a value is read. `draw(now, series)`: each is { key, label, points: [[seconds, value or null]], value }. */
export function chart(title, testid, show) {
  const now = el("span.chart-now", { testid: `${testid}-now` });
  const top = el("span");
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title });
  const legend = el("ul.legend", { testid: `${testid}-legend` });
  const start = el("span");
  const scale = el("p.chart-scale", { "aria-hidden": "true" }, start, top, el("span", {}, words.now));
  const figure = el("figure.chart", { testid }, el("figcaption", {}, el("span", {}, title), now), svg, scale, legend);

  const draw = (at, series, text) => {
    const highest = Math.max(0, ...series.flatMap(({ points }) => points.map(([, value]) => value ?? 0)));
    const ceiling = roundUp(highest);
    const span = Math.max(SHORTEST, at - Math.min(at, ...series.map(({ points }) => points[0]?.[0] ?? at)));
    svg.replaceChildren(...series.map((one, index) => line(one, at, { span, ceiling, index })));
    start.textContent = words.ago(longTime(span));
    svg.setAttribute("aria-label", `${title}: ${text}`);
    now.textContent = text;
    top.textContent = words.highest(show(highest));
    fill(legend, series.length > 1 && series.map(({ label, value }, index) => el("li", {}, el(`i.swatch.hue-${index % HUES}`), `${label} ${show(value)}`)));
  };
  return { figure, draw };
}

const HUES = 8;

function line({ points }, now, { span, ceiling, index }) {
  const runs = [];
  let run = null;
  for (const [at, value] of points) {
    if (value === null) run = null;
    else {
      if (run === null) runs.push((run = []));
      const x = WIDTH - ((now - at) / span) * WIDTH;
      run.push(`${x.toFixed(1)} ${(HEIGHT - 4 - (value / ceiling) * (HEIGHT - 12)).toFixed(1)}`);
    }
  }
  // A run of one point would not be seen.
  const d = runs.map((run) => `M${run.join("L")}${run.length > 1 ? "" : "h2"}`).join("");
  return node("path", { d, class: `hue-${index % HUES}` });
}

/** The next of 1, 2, 5, 10, 20 … */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value * 0.999) * power;
}

function node(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
