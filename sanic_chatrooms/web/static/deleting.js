// The question before a message is deleted.

import { ask } from "./dialogs.js";
import { excerpt } from "./format.js";
import { calm, plainText } from "./richtext.js";
import { words } from "./words.js";

/** Whether the user wants it deleted. `into`: see openDialog. */
export function askToDelete({ text }, into) {
  const { heading, quote, line, yes } = words.deleting;
  return ask(heading, [quote(calm(excerpt(plainText(text)))), line], yes, "delete-dialog", "danger", into);
}
