// A finger that rests on something.

import { media } from "./dom.js";

const REST = 450; // ms; browsers select text a little later

/** Whether fingers are all there is: nothing can be pointed at. */
export const byTouch = media("(hover: none)");

/** Call `act(target)` when a finger rests on something in this element where `isOurs(target)`. It presses nothing then. */
export function onLongPress(element, act, isOurs = () => true) {
  const counts = ({ pointerType, target }) => byTouch.matches && pointerType === "touch" && isOurs(target);
  let timer = 0;
  let isLong = false;
  const stop = () => clearTimeout(timer);
  const rest = (target) => {
    isLong = true;
    act(target);
  };
  element.addEventListener("pointerdown", (event) => {
    stop();
    isLong = false;
    if (event.isPrimary && counts(event)) timer = setTimeout(rest, REST, event.target);
  });
  // Scrolling cancels it.
  for (const type of ["pointerup", "pointercancel"]) element.addEventListener(type, stop);
  // Otherwise it would press what has come under the finger.
  element.addEventListener("touchend", (event) => isLong && event.cancelable && event.preventDefault());
  element.addEventListener("contextmenu", (event) => counts(event) && event.preventDefault());
}
