// Marks around what is selected, and how they are taken back.

import assert from "node:assert/strict";
import test from "node:test";

import "./page.mjs";

const { formatted } = await import("../../../sanic_chatrooms/web/static/formatting.js");

/** A text with its selection in guillemets, after a press of the button. */
function pressed(name, text) {
  const [from, to] = [text.indexOf("«"), text.indexOf("»") - 1];
  const value = text.replace(/[«»]/g, "");
  const { from: start, to: end, text: put, select } = formatted(value, from, to, name);
  const after = value.slice(0, start) + put + value.slice(end);
  return `${after.slice(0, select[0])}«${after.slice(...select)}»${after.slice(select[1])}`;
}

test("a second press takes back what the first one did", () => {
  for (const [name, marked] of [["bold", "a **«b c»** d"], ["italic", "a *«b c»* d"], ["strike", "a ~~«b c»~~ d"], ["code", "a `«b c»` d"]]) {
    assert.equal(pressed(name, "a «b c» d"), marked);
    assert.equal(pressed(name, marked), "a «b c» d");
  }
});

test("with nothing selected the cursor is between the marks", () => {
  assert.equal(pressed("bold", "a «»"), "a **«»**");
  assert.equal(pressed("bold", "a **«»**"), "a «»");
  assert.equal(pressed("italic", "**«a»**"), "***«a»***");
  assert.equal(pressed("bold", "***«a»***"), "*«a»*");
  assert.equal(pressed("italic", "***«a»***"), "**«a»**");
});

test("marks that are selected with the words are taken away, too", () => {
  assert.equal(pressed("bold", "«**a b**»"), "«a b»");
  assert.equal(pressed("italic", "«**a**»"), "*«**a**»*");
});

test("marks stand at the words, and in each line", () => {
  assert.equal(pressed("bold", "a« b »c"), "a **«b»** c");
  assert.equal(pressed("bold", "«a\n  b \n\nc»"), "«**a**\n  **b** \n\n**c**»");
  assert.equal(pressed("code", "«a\nb»"), "```\n«a\nb»\n```");
});

test("quotes and lists are marks of whole lines", () => {
  assert.equal(pressed("quote", "x\na «b\nc» d\ny"), "x\n«> a b\n> c d»\ny");
  assert.equal(pressed("quote", "«> a\n> b»"), "«a\nb»");
  assert.equal(pressed("list", "«a\n\nb»"), "«- a\n\n- b»");
  assert.equal(pressed("numbers", "«a\nb»"), "«1. a\n2. b»");
  assert.equal(pressed("numbers", "«1. a\n2. b»"), "«a\nb»");
  assert.equal(pressed("list", "«»"), "- «»");
});

test("a link asks for what it lacks", () => {
  assert.equal(pressed("link", "see «this»"), "see [this](«https://»)");
  assert.equal(pressed("link", "«https://example.org»"), "[«»](https://example.org)");
  assert.equal(pressed("link", "«»"), "[«»](https://)");
  assert.equal(pressed("link", "«[a b](https://example.org)»"), "«a b»");
});
