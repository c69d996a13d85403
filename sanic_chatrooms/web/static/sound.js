// A short sound for what is for the user and comes while they look elsewhere. It is made here: no file is loaded.

import { kept } from "./kept.js";

const KEY = "chatrooms rang";
const PAUSE = 2000; // ms
const NOTES = [[660, 0], [880, 0.12]]; // Hz, and when in seconds

let context = null;

/** Sound once: in one of all tabs, and not for each of many messages. */
export function ring() {
  if (Math.abs(Date.now() - Number(kept.get(KEY))) < PAUSE) return;
  kept.set(KEY, `${Date.now()}`);
  context ??= new AudioContext();
  context.resume(); // it is silent until somebody has pressed something on the page
  for (const [pitch, after] of NOTES) play(pitch, context.currentTime + after);
}

function play(pitch, at) {
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  tone.frequency.value = pitch;
  volume.gain.setValueAtTime(0.12, at);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.3);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + 0.3);
}
