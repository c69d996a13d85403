// The keys for bold, italic, strike and code in a text field.

const KEYS = { b: "bold", i: "italic", e: "code", "shift x": "strike" };

/** Whether this key marks what is selected in the field; then it does. `onFormat(act)`: calls `act` with formatting.js. */
export function marksWith(event, onFormat) {
  const { ctrlKey, metaKey, altKey, shiftKey, key, target } = event;
  const name = onFormat && (ctrlKey || metaKey) && !altKey && KEYS[`${shiftKey ? "shift " : ""}${key.toLowerCase()}`];
  if (!name) return false;
  event.preventDefault();
  onFormat(({ format }) => format(target, name));
  return true;
}
