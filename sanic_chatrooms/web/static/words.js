// The words of the page, by feature: `words.room.empty`. Each language is a file, of which a browser loads one.
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

let speech = null;

/**
 * Load the words in the first of these languages that there are words for, else the browser's, else English. Resolves with its tag. A page speaks one
 * language: another call changes nothing.
 */
export function speak(...tags) {
  speech ??= learn(words, FILES, tags);
  speech.catch(() => (speech = null)); // the next call tries again
  return speech;
}

/** For an app with words of its own: put them into `own`. `files`: tag → () => import("./words/en.js"), such a file as those here. Else like `speak`. */
export async function learn(own, files, tags) {
  const language = [...tags, ...browsers(), "en"].map(mainTag).find((tag) => Object.hasOwn(files, tag));
  const { words: made } = await files[language]();
  useLanguage(browsers().find((tag) => mainTag(tag) === language) ?? language); // "en-GB", for its dates
  Object.assign(own, made({ counted, listed, number }));
  return language;
}

const mainTag = (tag) => tag.split("-")[0].toLowerCase();

function browsers() {
  return globalThis.navigator?.languages ?? [];
}
