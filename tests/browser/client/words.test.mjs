// Every language has the same words, and the browser knows its plurals, lists and times.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { counted, directionOf, duration, intl, listed, listedNodes, number, useLanguage } from "../../../sanic_chatrooms/web/static/language.js";
import { LANGUAGES, speak, words } from "../../../sanic_chatrooms/web/static/words.js";

const FOLDERS = ["sanic_chatrooms/web/static", "example_app/static"];
const tools = { counted, listed, number };
const place = (path) => new URL(`../../../${path}`, import.meta.url);
const tagsIn = (folder) => readdirSync(place(`${folder}/words`)).map((name) => name.replace(".js", "")).sort();
const wordsOf = async (folder, tag) => (await import(place(`${folder}/words/${tag}.js`))).words(tools);

/** All words by their path: their kind, and of a function how much it is given. */
function* kinds(value, path = "") {
  if (typeof value === "object") for (const [key, one] of Object.entries(value)) yield* kinds(one, `${path}.${key}`);
  else yield [path, typeof value === "function" ? `function of ${value.length}` : typeof value];
}

for (const folder of FOLDERS) {
  test(`all languages in ${folder} have the same words of the same kinds`, async () => {
    const english = Object.fromEntries(kinds(await wordsOf(folder, "en")));
    assert.ok(Object.keys(english).length > 20);
    for (const tag of tagsIn(folder)) assert.deepEqual(Object.fromEntries(kinds(await wordsOf(folder, tag))), english, tag);
  });

  test(`no words in ${folder} are empty, or left in English`, async () => {
    const english = Object.fromEntries(texts(await wordsOf(folder, "en")));
    for (const tag of tagsIn(folder).filter((one) => one !== "en")) {
      const own = Object.fromEntries(texts(await wordsOf(folder, tag)));
      for (const [path, text] of Object.entries(own)) assert.ok(text.trim(), `${tag}${path} is empty`);
      const same = Object.keys(own).filter((path) => own[path] === english[path] && /\w\s\w/.test(own[path]));
      assert.deepEqual(same, [], tag);
    }
  });
}

const modulesOf = (folder) =>
  readdirSync(place(folder), { recursive: true })
    .filter((name) => name.endsWith(".js") && !/^(words|client|admin|style)\b.*\/|^client\.js$/.test(name))
    .map((name) => readFileSync(place(`${folder}/${name}`), "utf8"));

for (const folder of FOLDERS) {
  test(`${folder}: the words that modules use are there, and no others`, async () => {
    const english = await wordsOf(folder, "en");
    const script = modulesOf(folder).join("\n");
    const missing = [...script.matchAll(/\bwords((?:\.\w+)+)/g)].map(([, path]) => path).filter((path) => path !== ".js" && !isThere(english, path.split(".").slice(1)));
    assert.deepEqual(missing, []);
    const names = new Set(script.match(/\w+/g));
    assert.deepEqual([...kinds(english)].map(([path]) => path).filter((path) => !names.has(path.split(".").at(-1)) && !BY_VALUE.test(path)), []);
  });
}

// What is looked up by what the server, the user or a list says.
const BY_VALUE = /^\.(reasons\.tooOften|connection\.causes|notify\.(all|mentions|none)|details\.past|copying)\./;

// A text has no words in it, so the rest of the path is what is done with it.
function isThere(value, [name, ...rest]) {
  if (name === undefined || typeof value !== "object") return true;
  return Object.hasOwn(value, name) && isThere(value[name], rest);
}

function* texts(value, path = "") {
  if (typeof value === "object") for (const [key, one] of Object.entries(value)) yield* texts(one, `${path}.${key}`);
  else if (typeof value === "string") yield [path, value];
}

test("the page, its first script and the folder name the same languages", () => {
  const look = readFileSync(place("sanic_chatrooms/web/static/look.js"), "utf8");
  assert.deepEqual(JSON.parse(/LANGUAGES = (\[.*?\]);/.exec(look)[1]), LANGUAGES);
  for (const folder of FOLDERS) assert.deepEqual(tagsIn(folder), [...LANGUAGES].sort(), folder);
});

test("the words are there once a language is spoken, and a second one changes nothing", async () => {
  assert.deepEqual(words, {});
  assert.equal(await speak("xx", "de-AT", "en"), "de");
  assert.equal(words.cancel, "Abbrechen");
  assert.equal(await speak("en"), "de");
  assert.equal(words.cancel, "Abbrechen");
});

test("every number has its form", () => {
  useLanguage("de");
  const forms = { one: "# Tag", other: "# Tage" };
  assert.deepEqual([0, 1, 2, 1200].map((count) => counted(count, forms)), ["0 Tage", "1 Tag", "2 Tage", "1.200 Tage"]);
  useLanguage("ar");
  const all = { zero: "none", one: "one", two: "two", few: "few", many: "many", other: "other" };
  assert.deepEqual([0, 1, 2, 3, 11, 100].map((count) => counted(count, all)), ["none", "one", "two", "few", "many", "other"]);
  assert.equal(counted(2, { other: "anybody" }), "anybody");
});

test("lists are joined as the language does, of texts and of elements", () => {
  useLanguage("de");
  assert.equal(listed(["Ada", "Bob", "Cleo"]), "Ada, Bob und Cleo");
  const [ada, bob] = [{ ada: 1 }, { bob: 1 }];
  assert.deepEqual(listedNodes([ada, bob, "2 weitere"]), [ada, ", ", bob, " und ", "2 weitere"]);
  useLanguage("en");
  assert.equal(listed(["Ada"]), "Ada");
});

test("a span of time is in the unit that fits", () => {
  useLanguage("de");
  assert.deepEqual([1, 5, 90, 600, 3600, 86_400, 604_800].map(duration), ["1 Sekunde", "5 Sekunden", "90 Sekunden", "10 Minuten", "1 Stunde", "1 Tag", "1 Woche"]);
});

test("tools of another language are not kept", () => {
  const options = { month: "long" };
  const march = Date.UTC(2026, 2, 15);
  useLanguage("de");
  assert.equal(intl("DateTimeFormat", options).format(march), "März");
  useLanguage("en");
  assert.equal(intl("DateTimeFormat", options).format(march), "March");
});

test("the direction of writing is known, also where the browser does not tell it", (context) => {
  const tell = Object.entries(Object.getOwnPropertyDescriptors(Intl.Locale.prototype)).filter(([name]) => /textInfo/i.test(name));
  const both = () => ["de", "en-GB", "he", "ar-EG"].map(directionOf);
  assert.deepEqual(both(), ["ltr", "ltr", "rtl", "rtl"]);
  context.after(() => Object.defineProperties(Intl.Locale.prototype, Object.fromEntries(tell)));

  for (const [name] of tell) delete Intl.Locale.prototype[name];

  assert.deepEqual(both(), ["ltr", "ltr", "rtl", "rtl"]);
});
