// What the browser knows of the page's language: numbers, plurals, lists, spans of time, order. Which language it is: words.js.

const PLAIN_NUMBER = {};
const PLURAL = {};
const LIST = { type: "conjunction" };
const SECONDS = { week: 604800, day: 86400, hour: 3600, minute: 60, second: 1 };
const UNIT = Object.fromEntries(Object.keys(SECONDS).map((unit) => [unit, { style: "unit", unit, unitDisplay: "long" }]));

let spokenTag; // undefined: the browser's own
let intlTools = new Map();

/** Speak this language from now on: a tag such as "de-AT". */
export function useLanguage(language) {
  spokenTag = language;
  intlTools = new Map();
}

/** One of Intl's tools in this language: `intl("DateTimeFormat", STYLE)`. It is made once for each object of options, as that takes a while. */
export function intl(name, options) {
  if (!intlTools.has(options)) intlTools.set(options, new Intl[name](spokenTag, options));
  return intlTools.get(options);
}

/** "1,200" */
export function number(count) {
  return intl("NumberFormat", PLAIN_NUMBER).format(count);
}

/** The form for this number, with the number in the place of "#": `counted(2, { one: "# day", other: "# days" })`. */
export function counted(count, forms) {
  const form = forms[intl("PluralRules", PLURAL).select(count)] ?? forms.other;
  return form.replace("#", () => number(count));
}

/** "Ada", "Ada and Bob", "Ada, Bob, and Cleo" */
export function listed(names) {
  return intl("ListFormat", LIST).format(names);
}

/** The same of elements, as nodes. */
export function listedNodes(nodes) {
  const parts = intl("ListFormat", LIST).formatToParts(nodes.map((_, at) => `${at}`));
  return parts.map(({ type, value }) => (type === "element" ? nodes[value] : value));
}

/** "10 minutes", "1 week": in the largest unit that fits without a rest. */
export function duration(seconds) {
  const [unit, size] = Object.entries(SECONDS).find(([, one]) => seconds % one === 0 && seconds >= one) ?? ["second", 1];
  return intl("NumberFormat", UNIT[unit]).format(seconds / size);
}

/** "ltr" or "rtl". As in look.js: Firefox does not tell it. */
export function directionOf(language) {
  const locale = new Intl.Locale(language);
  return (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? (/^(ar|fa|he|ur)$/.test(locale.language) ? "rtl" : "ltr");
}

/** The text with a capital letter at its beginning. */
export function capital(text) {
  return text.slice(0, 1).toLocaleUpperCase(spokenTag) + text.slice(1);
}
