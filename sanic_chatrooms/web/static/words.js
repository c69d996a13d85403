// The words of the page, by feature: `words.room.muted`. Each language is a file, of which a browser loads one.
//
// They are there once `speak` is done: a module uses them in its functions, and never while it is loaded.

import { counted, listed, number, useLanguage } from "./language.js";

const FILES = {
  en: () => import("./words/en.js"),
  de: () => import("./words/de.js"),
};

/** The tags of all languages that there are. look.js has them, too. */
export const LANGUAGES = Object.keys(FILES);

export const words = {};

let spoken = null;

/**
 * Load the words in the first of these languages that there are words for, else the browser's, else English. Resolves with its tag. A page speaks one
 * language: another call changes nothing.
 */
export function speak(...tags) {
  spoken ??= load([...tags, ...browsers(), "en"].map((tag) => tag.split("-")[0].toLowerCase()).find((tag) => Object.hasOwn(FILES, tag)));
  spoken.catch(() => (spoken = null)); // the next call tries again
  return spoken;
}

async function load(language) {
  const { words: made } = await FILES[language]();
  // "en-GB", for its dates.
  useLanguage(browsers().find((tag) => tag.split("-")[0] === language) ?? language);
  Object.assign(words, made({ counted, listed, number }));
  return language;
}

function browsers() {
  return globalThis.navigator?.languages ?? [];
}
