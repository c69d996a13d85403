// The keys of the page. Loaded when somebody asks for them.

import { openPanel } from "./dialogs.js";
import { chosen, el } from "./dom.js";
import { words } from "./words.js";

const MAC = /Mac|iP/.test(navigator.platform);

function keysOf(sends, searches) {
  const said = words.help;
  const ctrl = MAC ? "⌘" : said.control;
  const alt = MAC ? "⌥" : "Alt";
  return [
    [`${ctrl} K`, said.switch],
    ...(searches ? [[`${ctrl} ${said.shift} F`, said.search]] : []),
    [`${alt} ↑ · ${alt} ↓`, said.unread],
    [sends ? said.enter : `${ctrl} ${said.enter}`, said.send],
    [sends ? `${said.shift} ${said.enter}` : said.enter, said.line],
    [`${ctrl} B · ${ctrl} I · ${ctrl} E · ${ctrl} ${said.shift} X`, said.marks],
    ["↑", said.editLast],
    ["@", said.mention],
    ["↑ · ↓", said.walk],
    ["Esc", said.escape],
    [chosen("chatKeys") === "off" ? `${ctrl} /` : `? · ${ctrl} /`, said.help],
  ];
}

/** Show them. `searches`: messages can be searched here. */
export function help(searches) {
  const sends = chosen("chatEnter") !== "line";
  const line = ([keys, what]) => el("div.key-line", {}, el("dt", {}, what), el("dd", {}, keys.split(" · ").map((key) => [el("kbd", {}, key), " "])));
  return openPanel(words.help.label, "help", el("dl", {}, keysOf(sends, searches).map(line)));
}
