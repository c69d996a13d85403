// Creates elements. Text is added as text nodes only, so it can never become markup.

const SVG = "http://www.w3.org/2000/svg";

// Strokes on a 24 × 24 grid.
export const ICONS = {
  back: "M15 5l-7 7 7 7",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.6-4 3-6 6.5-6s5.9 2 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6M18.5 15c1.5 1 2.5 2.5 3 5",
  bell: "M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zM10 21h4",
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M5.5 11.5L12 5l6.5 6.5",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M5.5 12.5L12 19l6.5-6.5",
  more: "M4 12h1.5M11.3 12h1.4M18.5 12H20",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20 20",
  compass: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM15.5 8.5l-2 5-5 2 2-5z",
  edit: "M4 20l1-4.5L16.5 4l3.5 3.5L8.5 19zM14 6.5l3.5 3.5",
  bin: "M5 7h14M9.5 7V4h5v3M7 7l1 13h8l1-13",
  flag: "M6 21V4M6 5h11l-2.5 4L17 13H6",
  unread: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14.5c1.8 2.4 5.2 2.4 7 0M9 9.5v.6M15 9.5v.6",
  reply: "M10 6L4 12l6 6M4 12h9c4 0 6.5 2 7 6",
  link: "M10 14a4 4 0 0 0 5.7 0l3.5-3.5a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.5 3.5a4 4 0 0 0 5.7 5.7l1.5-1.5",
  pin: "M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v6",
  unpin: "M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v6M4 3l16 18",
  marks: "M3 19L8 6l5 13M5 14.5h6M20.5 12v7M20.5 15.5a3 3 0 1 0 0 .1z",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5",
  quote: "M4.5 5v14M9 8h11M9 12h11M9 16h7",
  list: "M9 6h11M9 12h11M9 18h11M4.5 6v.1M4.5 12v.1M4.5 18v.1",
  numbers: "M10 6h10M10 12h10M10 18h10M4 5.5l1.5-1V9M4 15.5h2.5L4 19.5h2.5",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  clip: "M20 11.5l-8.2 8.2a5 5 0 0 1-7-7L13.5 4a3.3 3.3 0 0 1 4.7 4.7l-8.6 8.6a1.6 1.6 0 0 1-2.3-2.3L15 7.3",
  bolt: "M13 3L5 13.5h6L10 21l9-11h-6.5z",
};

/** `opens(close)` is told of what is over the page now, and returns what to call once it is closed. Where the history is ours, back.js takes its place. */
export const above = { opens: () => () => {} };

/** An element: `el("p.hint", { onclick: fn }, "text", [children])`. Classes that depend on something are the prop `class`. False, null and undefined are skipped. */
export function el(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  if (tag === "button") node.type = "button"; // in a form, a button without a type submits
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key === "testid" ? "data-testid" : key, value === true ? "" : value);
  }
  fill(node, children);
  return node;
}

/** Replace the content of `node`. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
}

/** An icon. Screen readers skip it, because the button around it has a name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon-${name}`);
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** What the screen is like: `matches` is right whenever it is asked. Where pages are rendered without a screen, nothing matches. */
export function media(query) {
  return globalThis.matchMedia?.(query) ?? { matches: false };
}

export const narrow = media("(max-width: 719.98px)");
export const touch = media("(pointer: coarse)");
/** Whether a keyboard on the screen could take its place: then no field gets the focus by itself. */
export const onPhone = () => touch.matches || narrow.matches;

/** Act when the browser has nothing else to do. Safari cannot tell. */
export const idle = globalThis.requestIdleCallback ?? ((act) => setTimeout(act, 50));

/** What has the focus in the same tree as this element: outside of a component, its insides are one element. */
export function focusBeside(node) {
  return node.getRootNode().activeElement ?? null;
}

/** What the user has chosen for this device, by the name of its attribute at the root: "chatEnter". See look.js. */
export function chosen(name) {
  return document.documentElement?.dataset[name];
}

/** Whether an input method uses this key to choose a word. Safari only sets the old code. */
export function composing({ isComposing, keyCode }) {
  return isComposing || keyCode === 229;
}

/** A square button with an icon and a name. */
export function iconButton(name, label, props = {}) {
  return el("button", { ...props, class: `icon-button ${props.class ?? ""}`, "aria-label": label, title: label }, icon(name));
}

/** A button with words. */
export function button(label, onclick, props = {}) {
  return el("button", { onclick, ...props, class: `button ${props.class ?? ""}` }, label);
}
