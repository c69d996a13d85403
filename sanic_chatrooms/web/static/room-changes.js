// What has changed in a room, in words.

import { words } from "./words.js";

const SAID = {
  title: ({ title }, said) => said.title(title),
  topic: ({ topic }, said) => (topic ? said.topic(topic) : said.noTopic),
  archived: ({ archived }, said) => (archived ? said.nowArchived : said.reopened),
  visibility: ({ visibility }, said) => said[visibility],
  slowMode: ({ slowMode }, said) => (slowMode ? said.slowMode(slowMode) : said.noSlowMode),
};

/** The text of a line for a change of the room to `now`. `was`: what it was before, if that is known. */
export function changesOf(now, was) {
  const { events } = words;
  const said = was ? Object.keys(SAID).filter((name) => now[name] !== was[name]).map((name) => SAID[name](now, events)) : [];
  const all = said.join(". ") || events.changed;
  return now.by ? events.changedBy(all, now.by.name) : all;
}
