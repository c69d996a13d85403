// Compares what modules mean: node --expose-internals same_trees.cjs FILE
//
// FILE has a list of {name, before, after}, the texts of modules. Prints the names of those whose syntax trees differ, as JSON. The parser
// is the one that Node itself contains.

const { readFileSync } = require("node:fs");
const { parse } = require("internal/deps/acorn/acorn/dist/acorn");

const isPlace = (key) => key === "start" || key === "end";
const plain = (key, value) => (isPlace(key) ? undefined : typeof value === "bigint" ? `${value}n` : value);

function tree(name, text) {
  try {
    return JSON.stringify(parse(text, { ecmaVersion: "latest", sourceType: "module" }), plain);
  } catch (error) {
    return `${name}: ${error.message}`;
  }
}

const modules = JSON.parse(readFileSync(process.argv[2], "utf8"));
const differs = ({ name, before, after }) => tree(`${name} before`, before) !== tree(`${name} after`, after);
console.log(JSON.stringify(modules.filter(differs).map(({ name }) => name)));
