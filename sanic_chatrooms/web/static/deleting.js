// The question before a message is deleted.

import { ask, openForm, reasonField } from "./dialogs.js";
import { el } from "./dom.js";
import { excerpt } from "./format.js";
import { calm, plainText } from "./richtext.js";
import { words } from "./words.js";

/** Resolves with {reason} if the user wants it deleted. `mine`: nobody asks for reasons then. `into`: see openDialog. */
export async function askToDelete({ text }, { mine, into } = {}) {
  const { heading, quote, line, yes } = words.deleting;
  const lines = [quote(calm(excerpt(plainText(text)))), line];
  if (mine) return (await ask(heading, lines, yes, "delete-dialog", "danger", into)) ? {} : null;
  const { field, row } = reasonField(words.moderation.why);
  const submit = async () => ({ reason: field.value.trim() || undefined });
  return openForm(heading, [lines.map((one) => el("p", {}, one)), row], yes, submit, "delete-dialog", "danger", into);
}
