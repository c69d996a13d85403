// The words of the example's own, in the language that the page speaks. See /chat/static/words.js.

import { learn } from "/chat/static/words.js";

const FILES = {
  en: () => import("./words/en.js"),
  de: () => import("./words/de.js"),
};

export const words = {};

/** Resolves when they are there. */
export const learned = learn(words, FILES, [document.documentElement.lang]);
