// The small Markdown of messages: what becomes of marks, and that drawing takes time linear in the text.

import assert from "node:assert/strict";
import test from "node:test";

import { textOf } from "./page.mjs";

const { newPen, plainText, richText } = await import("../../../sanic_chatrooms/web/static/richtext.js");
const { piecesOf, unmarked } = await import("../../../sanic_chatrooms/web/static/highlights.js");

const SAID = ["href", "value", "data-language", "data-host"];

/** The nodes as markup, to compare. */
function shown(nodes) {
  const props = ({ attributes }) => SAID.filter((name) => name in attributes).map((name) => ` ${name}=${attributes[name]}`).join("");
  return nodes.map((node) => (typeof node === "string" ? node : `<${node.tag}${props(node)}>${shown(node.children)}</${node.tag}>`)).join("");
}
const drawn = (text) => shown(richText(text));
const isPlain = (text) => assert.equal(drawn(text), text);

test("bold, italic, strike and code", () => {
  assert.equal(drawn("a **b** *c* _d_ ~~e~~ `*f*`"), "a <strong>b</strong> <em>c</em> <em>d</em> <s>e</s> <code>*f*</code>");
  assert.equal(drawn("***both*** and **a *b* c** and *a **b***"), "<strong><em>both</em></strong> and <strong>a <em>b</em> c</strong> and <em>a <strong>b</strong></em>");
  assert.equal(drawn("これは**太字**です, (*a*), \"**b**\", **привет**!"), "これは<strong>太字</strong>です, (<em>a</em>), \"<strong>b</strong>\", <strong>привет</strong>!");
  assert.equal(drawn("*note: see *this*"), "*note: see <em>this</em>");
  assert.equal(drawn("**see https://example.org/a**"), "<strong>see <a href=https://example.org/a>https://example.org/a</a></strong>");
});

test("what only looks like marks stays as it is", () => {
  for (const text of ["snake_case_x", "x**2 + y**2", "2 * 3 * 4", "a*b*c", "**kwargs and *args", "src/*.js and *.css", "__init__", "~5 to ~10", "** a **", "****", "*", "**a", "**a\nb**", "~~", "*a_", "¯\\_(ツ)_/¯", "#1", "-5", "1.5", ">_<", ">>> print()", "- ", "12345. a", "a - b"]) isPlain(text);
});

test("a backslash takes the meaning of a mark away", () => {
  assert.equal(drawn("\\*a\\* and \\_b\\_ and \\`c\\` and \\~~d~~"), "*a* and _b_ and `c` and ~~d~~");
  assert.equal(drawn("\\> a\n\\- b"), "> a\n- b");
  isPlain("C:\\new\\temp");
});

test("quotes, in quotes, with what is in them", () => {
  assert.equal(drawn("> a **b**\n> > c\nd"), "<blockquote>a <strong>b</strong>\n<blockquote>c</blockquote></blockquote>d");
  assert.equal(drawn("> ```\n> - x\n> ```\n>\n> - y"), "<blockquote><pre><code>- x</code></pre>\n<ul><li>y</li></ul></blockquote>");
  assert.equal(drawn(`${"> ".repeat(5)}a`), `${"<blockquote>".repeat(3)}> > a${"</blockquote>".repeat(3)}`);
});

test("lists, in lists, with numbers as they were written", () => {
  assert.equal(drawn("- a\n* b\n  + c\n    more\n- d\ne"), "<ul><li>a</li><li>b<ul><li>c\nmore</li></ul></li><li>d</li></ul>e");
  assert.equal(drawn("1. a\n3. b\n3. c"), "<ol><li value=1>a</li><li value=3>b</li><li>c</li></ol>");
  assert.equal(drawn("1) **a**:\n   - b"), "<ol><li value=1><strong>a</strong>:<ul><li>b</li></ul></li></ol>");
  assert.equal(drawn("1. a\n   ```sh\n   ls\n     x\n   ```\n2. b"), "<ol><li value=1>a</li></ol><pre data-language=sh><code>ls\n  x</code></pre><ol><li value=2>b</li></ol>");
});

test("a block of code keeps its language and every sign", () => {
  assert.equal(drawn("```c++\n**a** [b](http://c) > d\n- e\n```"), "<pre data-language=c++><code>**a** [b](http://c) > d\n- e</code></pre>");
  assert.equal(drawn("```\n<b>\n```"), "<pre><code><b></code></pre>");
});

test("links lead to http, https and mailto, and nowhere else", () => {
  assert.equal(drawn("[a **b**](https://example.org/a_(b)) [m](mailto:a@b.c)"), "<a href=https://example.org/a_(b)>a <strong>b</strong></a> <a href=mailto:a@b.c>m</a>");
  for (const address of ["javascript:alert(1)", "JaVaScRiPt://x", "data:text/html,x", "vbscript:x", "file:///etc", "//example.org", "/chat", "java\tscript:x", "https://", "mailto:", "mailto:a", "https://[", "http:x", "ftp://x"]) isPlain(`[a](${address})`);
  for (const text of ["[](https://x.org)", "[a] (b)", "[a]", "[a](b"]) assert.ok(!drawn(text).startsWith("<a"), text);
});

test("words that look like another address show where the link leads", () => {
  assert.equal(drawn("[bank.example](https://evil.example/)"), "<a href=https://evil.example/ data-host=evil.example>bank.example</a>");
  assert.equal(drawn("[https://bank.example/a](https://evil.example/)"), "<a href=https://evil.example/ data-host=evil.example>https://bank.example/a</a>");
  assert.equal(drawn("[example.org](https://example.org/x) [docs](https://a.b/)"), "<a href=https://example.org/x>example.org</a> <a href=https://a.b/>docs</a>");
});

test("words are said by the pen, code is not", () => {
  const said = (words) => [words.toUpperCase()];
  assert.equal(shown(richText("a **b** `c`\n- d", newPen({ said }))), "A <strong>B</strong> <code>c</code>\n<ul><li>D</li></ul>");
});

test("a plain text has no marks", () => {
  assert.equal(plainText("> **a** [b](https://c.d)\n- e\n  - `f`\n```js\ng\n```\n~~h~~"), "a b\ne\nf\ng\nh");
  assert.equal(plainText(`e${"\u0301".repeat(100)}`).length, 31);
});

test("what is found is found in the text without marks", () => {
  const found = (text, ...highlights) => piecesOf(...unmarked(text, highlights)).map(([part, matches]) => (matches ? `[${part}]` : part)).join("");
  assert.equal(found("see **bold** and `co\u{1F600}de`", [6, 10], [18, 23]), "see [bold] and [co\u{1F600}de]");
  assert.equal(found("snake_case_x", [6, 10]), "snake_[case]_x");
  assert.equal(found("[a](https://example.org/b)", [12, 19]), "[a](https://[example].org/b)");
  assert.equal(found("- a\n- b", [6, 7]), "a\n[b]");
  assert.equal(found("\ufdd0a **b**", [5, 6]), "\ufffda [b]");
});

// ---- the worst ----

const MOST = 65_536; // a server's longest frame

const WORST = {
  stars: "*", "stars and letters": "*a ", "closed stars": "*a* ", "bold and italic": "**a *b ", tildes: "~~a ", "all marks": "*a _b **c ~~d ", underscores: "_a ", runs: "***a ", "closing runs": "a*** ",
  brackets: "[", "closed brackets": "[a]", "brackets and parentheses": "[a](", links: "[a](http://b) ", "links without an end": "[a](http://b", "links in links": "[a](http://(b", "brackets before a link": "[[[[a](http://b)",
  backticks: "`", "pieces of code": "`a ", fences: "```\n", "closed fences": "```a```", "four backticks": "````a",
  quotes: "> ", "quoted lines": "> a\n", "quotes in quotes": "> > > > a\n", "quoted fences": "> ```\n", "quoted lists": "> - a\n",
  items: "- a\n", "items in items": "- a\n  - b\n    - c\n", "growing items": "-  - ", numbers: "1. a\n", "items with code": "- a `b`\n  c\n", spaces: " ", "spaces of items": "-           ", "continued items": "- a\n            b\n", lines: "\n", "lines and fences": "a\n```",
  backslashes: "\\", escapes: "\\*", addresses: "http://a ", "beginnings of addresses": "http://", "marks and addresses": "*http://a* ",
};

const repeated = (piece, length) => piece.repeat(length / piece.length);

test("the worst texts make a limited number of elements, and lose nothing but marks", () => {
  const count = (nodes) => nodes.reduce((sum, node) => sum + (typeof node === "string" ? 0 : 1 + count(node.children)), 0);
  const bare = (text) => text.replace(/[\s*_~`>\\()[\]1.-]|http:\/\/b/g, "");
  for (const [what, piece] of Object.entries(WORST)) {
    const text = repeated(piece, MOST);
    const nodes = richText(text);
    assert.ok(count(nodes) <= 302, `${what}: ${count(nodes)}`);
    assert.equal(bare(textOf(nodes)), bare(text), what);
  }
});

// The last test: Node is slow once its own functions were replaced.

const SOME = 8192;

/** How many signs are read or copied to draw a text. */
function steps(draw) {
  const { exec } = RegExp.prototype;
  const { indexOf, slice, replace, split, startsWith } = String.prototype;
  let count = 0;
  RegExp.prototype.exec = function (text) {
    const from = this.global || this.sticky ? this.lastIndex : 0;
    const match = exec.call(this, text);
    // Our patterns that hold to a place stop at its sign or at the end of the line; others read up to what they find, or all.
    const stop = indexOf.call(text, text[from], from + 1);
    const failed = this.sticky ? (stop < 0 ? text.length : stop) : text.length;
    count += 1 + (match ? match.index + match[0].length : failed) - from;
    return match;
  };
  String.prototype.indexOf = function (what, from = 0) {
    const at = indexOf.call(this, what, from);
    count += 1 + (at < 0 ? this.length : at) - Math.min(from, this.length);
    return at;
  };
  String.prototype.slice = function (from, to) {
    const piece = slice.call(this, from, to);
    count += 1 + piece.length;
    return piece;
  };
  for (const [name, whole] of Object.entries({ replace, split, startsWith }))
    String.prototype[name] = function (...given) {
      count += 1 + this.length;
      return whole.apply(this, given);
    };
  try {
    draw();
  } finally {
    RegExp.prototype.exec = exec;
    Object.assign(String.prototype, { indexOf, slice, replace, split, startsWith });
  }
  return count;
}

test("twice the text is at most twice the work, for every text", () => {
  for (const [what, piece] of Object.entries(WORST))
    for (const draw of [richText, plainText]) {
      const [half, whole] = [SOME, 2 * SOME].map((length) => steps(() => draw(repeated(piece, length))));
      assert.ok(whole <= 2.2 * half + 1000, `${what}, ${draw.name}: ${half} and ${whole} steps`);
      assert.ok(whole < 120 * SOME, `${what}, ${draw.name}: ${whole} steps`);
    }
});
