// What has changed in a room, in words.

import { words } from "./words.js";

const SAID = {
  title: ({ title }, said, by) => said.title(title, by),
  topic: ({ topic }, said, by) => (topic ? said.topic(topic, by) : said.noTopic(by)),
  archived: ({ archived }, said, by) => (archived ? said.archived(by) : said.reopened(by)),
  visibility: ({ visibility }, said, by) => said[visibility](by),
  slowMode: ({ slowMode }, said, by) => (slowMode ? said.slowMode(slowMode, by) : said.noSlowMode(by)),
};

/** The text of a line for a change of the room to `now`. */
export function changesOf(now) {
  const { events } = words;
  const by = now.by?.name;
  const changed = Object.keys(SAID).filter((name) => now.changed?.includes(name));
  // Who it was is said once.
  return changed.map((name, at) => SAID[name](now, events, at ? undefined : by)).join(". ") || events.changed(by);
}
