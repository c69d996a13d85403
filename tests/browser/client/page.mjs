// As much of a document as `dom.js` needs to make elements.

class Node {
  children = [];

  constructor(tag) {
    this.tag = tag;
    this.attributes = {};
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  addEventListener() {}

  replaceChildren(...children) {
    this.children = children;
  }

  get text() {
    return textOf(this.children);
  }
}

/** What these nodes say. */
export const textOf = (nodes) => nodes.map((node) => (typeof node === "string" ? node : node.text)).join("");

globalThis.window ??= { addEventListener() {} };
globalThis.document = { createElement: (tag) => new Node(tag) };
