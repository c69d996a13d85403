// What becomes of a text: links and code, and a bound on everything.

import assert from "node:assert/strict";
import test from "node:test";

import { textOf } from "./page.mjs";

const { calm, richText, withLinks } = await import("../../../sanic_chatrooms/web/static/richtext.js");

const MOST = 16_000;
const elements = (text) => richText(text).filter((node) => typeof node !== "string");
const links = (text) => elements(text).filter(({ tag }) => tag === "a").map((node) => node.text);
const fill = (piece, before = "") => before + piece.repeat((MOST - before.length) / piece.length);

// A text that made the page slow, or an error, each for another reason.
const WORST = {
  "brackets after an address": fill(")", "http://a"),
  "opening and closing brackets": fill("()", "http://a/"),
  "stops after an address": fill(".", "http://a"),
  backticks: fill("`"),
  "pieces of code": fill("`a`"),
  "unclosed code": fill("`a\n"),
  blocks: fill("```a```"),
  "unclosed blocks": fill("```a "),
  "languages of unclosed blocks": fill("a", "```"),
  "four backticks": fill("````a"),
  addresses: fill("http://a "),
  "beginnings of addresses": fill("http://"),
  "one long address": fill("a", "http://a/"),
  "addresses and code": fill("http://a`b`"),
  spaces: fill(" "),
  "lines without text": fill("\n"),
};

test("the worst texts make a limited number of nodes, and lose only the marks of code", () => {
  for (const [what, text] of Object.entries(WORST)) {
    const nodes = richText(text);
    assert.ok(nodes.length <= 601, `${what}: ${nodes.length} nodes`);
    const signs = (one) => one.replace(/[`\n]/g, "");
    assert.equal(signs(textOf(nodes)), signs(text), what);
  }
});

test("twice the text is not more than twice the nodes", () => {
  for (const [what, text] of Object.entries(WORST)) {
    const [half, whole] = [richText(text.slice(0, MOST / 2)), richText(text)].map(({ length }) => length);
    assert.ok(whole <= 2 * half + 2, `${what}: ${half} and ${whole}`);
  }
});

test("stacked marks are cut at a height that no language needs", () => {
  const tower = `e${"\u0301\u0327".repeat(8000)}`;
  assert.equal(calm(`a ${tower} b`).length, 35);
  for (const text of [tower, `\`${tower}\``, `\`\`\`${tower}\`\`\``, `http://a/${tower}`]) assert.ok(textOf(richText(text)).length < 100);
  const words = "Zażółć gęślą jaźń, שָׁלוֹם, เก้าอี้, हिन्दी, བོད་སྐད, ཧཱུྃ";
  assert.equal(calm(words), words);
});

test("an address ends before the punctuation of its sentence, in every script", () => {
  const address = "https://example.org/a";
  for (const tail of ["。", "」", "，", "”", "’", "»", "、", "！", "？", "）", "】", "…", "،", "؟", "۔", "।", "։", ".", ",", ")", ").", "?!", "*", "'", "👍", "🇩🇪", "\u200b", "\u202e", "\u3000", "。次の文"])
    assert.deepEqual(links(`See ${address}${tail}`), [address], tail);
  for (const [open, close] of ["「」", "（）", "“”", "«»", "()", "[]", "<>"]) assert.deepEqual(links(`${open}${address}${close}`), [address], open);
});

test("characters of an address stay in it", () => {
  for (const address of ["https://example.org/a_(b)", "https://example.org/[a]/{b}", "https://ja.wikipedia.org/wiki/日本", "https://example.org/1914–1918", "http://[::1]:8000/?a=b&c=d#e", "https://example.org/a~b", "HTTPS://EXAMPLE.ORG/%E4%B8%AD"])
    assert.deepEqual(links(`See ${address} and (${address}).`), [address, address]);
});

test("code is code, and an unclosed fence is text", () => {
  const [block] = elements("```js\nlet a = '`'\n```\nafter");
  assert.deepEqual([block.tag, block.text], ["pre", "let a = '`'"]);
  assert.deepEqual(elements("say `a` and `b`").map(({ tag, text }) => tag + text), ["codea", "codeb"]);
  for (const text of ["`a\nb`", "```", "```\n```", "``a``", "`", "a ```b"]) assert.deepEqual(elements(text), [], text);
  assert.equal(textOf(richText("a\n`b`\nc")), "a\nb\nc");
});

test("in a line, only addresses are drawn, and nothing is lost", () => {
  const line = "*Rules*: https://a.example/x, `http://b.example`. No javascript:alert(1) and http://";
  const nodes = withLinks(line).flat().filter(Boolean);
  assert.equal(textOf(nodes), line);
  assert.deepEqual(nodes.filter(({ tag }) => tag).map(({ tag, attributes }) => [tag, attributes.href]), [["a", "https://a.example/x"], ["a", "http://b.example/"]]);
});
