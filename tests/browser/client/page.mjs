// As much of a document as `dom.js` needs to make elements.

import "./speaking.mjs";

class Node {
  children = [];

  constructor(tag) {
    this.tag = tag;
    this.attributes = {};
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  addEventListener(type, act) {
    if (type === "click") this.clicked = act;
  }

  get childNodes() {
    return this.children;
  }

  replaceChildren(...children) {
    this.children = children;
    for (const child of children) if (child instanceof Node) child.parent = this;
  }

  before(...nodes) {
    const { children } = this.parent;
    children.splice(children.indexOf(this), 0, ...nodes);
  }

  get text() {
    return textOf(this.children);
  }
}

/** What these nodes say. */
export const textOf = (nodes) => nodes.map((node) => (typeof node === "string" ? node : node.text)).join("");

globalThis.window ??= { addEventListener() {} };
globalThis.document = { createElement: (tag) => new Node(tag) };
