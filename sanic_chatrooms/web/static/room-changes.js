// What has changed in a room, in words.

const ENTRY = { public: "Everybody can enter now", private: "Only members can enter now" };

const WORDS = {
  title: ({ title }) => `The room is now called ${title}`,
  topic: ({ topic }) => (topic ? `The topic is now: ${topic}` : "The topic was removed"),
  archived: ({ archived }) => (archived ? "The room was archived: it can be read, and not written in" : "The room is open again"),
  visibility: ({ visibility }) => ENTRY[visibility],
  slowMode: ({ slowMode }) => (slowMode ? `Between two messages of one person there are now ${slowMode} s` : "Messages need no pause between them any more"),
};

/** The text of a line for a change of the room to `now`. `was`: what it was before, if that is known. */
export function changesOf(now, was) {
  const by = now.by ? `, by ${now.by.name}` : "";
  if (!was) return `The room was changed${by}`;
  const said = Object.keys(WORDS).filter((name) => now[name] !== was[name]).map((name) => WORDS[name](now));
  return `${said.join(". ") || "The room was changed"}${by}`;
}
