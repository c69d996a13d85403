// Compares what modules mean: node --expose-internals same_trees.cjs FILE
//
// FILE has a list of {name, before, after}, the texts of modules. Prints the names of those whose syntax trees differ, as JSON. The parser
// is the one that Node itself contains.

const { readFileSync } = require("node:fs");
const { parse } = require("internal/deps/acorn/acorn/dist/acorn");

// `const a = 1, b = 2;` is `const a = 1; const b = 2;`.
const single = (node) => (node?.type === "VariableDeclaration" ? node.declarations.map((one) => ({ ...node, declarations: [one] })) : [node]);
const isPlace = (key) => key === "start" || key === "end";

function plain(key, value) {
  if (isPlace(key)) return undefined;
  if (typeof value === "bigint") return `${value}n`;
  return Array.isArray(value) ? value.flatMap(single) : value;
}

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
