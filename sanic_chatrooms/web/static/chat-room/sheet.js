// The style sheet of the element: the page's, within the element. Made by script, so that a page needs no inline styles for it.

import beside from "../beside.css" with { type: "text" };
import panes from "../chat.css" with { type: "text" };
import controls from "../controls.css" with { type: "text" };
import messages from "../messages.css" with { type: "text" };
import tokens from "../tokens.css" with { type: "text" };

const ROOT = /:root ?\{([^}]*)\}/;

let sheet = null; // one for all elements

/** `own`: what only the element has. */
export function sheetOf(own) {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync([colours(), controls.replace(/\bbody\b/g, ".frame"), panes, messages, beside, own].join("\n"));
  }
  return sheet;
}

// Light or dark as the page around it is, unless the element says what it wants.
function colours() {
  const values = tokens.match(ROOT)[1].replace(/color-scheme:[^;]*;/, "");
  return `:host { ${values} } :host([theme="light"]) { color-scheme: light } :host([theme="dark"]) { color-scheme: dark }`;
}
