// What changed in the schema since it was last published, and does it break who uses it?
//
//   node changes.mjs [schema file]     compares with published.graphql
//   node changes.mjs --publish         makes the schema as it is the published one: with each release
//
// Prints each change that breaks clients or may, and exits 1 on one that breaks them and is not in `accepted-changes.json`
// with its reason, and on an accepted one that is not there. Publishing empties that list. Descriptions do not count.
import { readFileSync, writeFileSync } from "node:fs";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema, parse, print, visit } from "graphql";

const here = (name) => new URL(name, import.meta.url);
const read = (path) => readFileSync(path, "utf8");
const current = here("../../schema.graphql");
const [published, accepted] = [here("published.graphql"), here("accepted-changes.json")];

if (process.argv[2] === "--publish") {
  const undescribed = visit(parse(read(current)), {
    enter: (node) => (node.description ? { ...node, description: undefined } : undefined),
  });
  writeFileSync(published, `${print(undescribed)}\n`);
  writeFileSync(accepted, "[]\n");
  process.exit();
}

const [before, after] = [published, process.argv[2] ?? current].map((path) => buildSchema(read(path)));
const changes = (await diff(before, after)).filter(({ type }) => !type.includes("DESCRIPTION"));
const known = JSON.parse(read(accepted));
const is = ({ type, path }) => (change) => change.type === type && change.path === path;
let faults = 0;
for (const change of changes) {
  const { level } = change.criticality;
  if (level === CriticalityLevel.NonBreaking) continue;
  const reason = known.find(is(change))?.reason;
  if (level === CriticalityLevel.Breaking && !reason) faults += 1;
  console.log(`${level} ${change.type} ${change.path}: ${change.message}${reason ? ` Accepted: ${reason}` : ""}`);
}
for (const { type, path } of known.filter((entry) => !changes.some(is(entry)))) {
  faults += 1;
  console.log(`${type} ${path}: accepted, and not there`);
}
console.log(`${changes.length} changes since the published schema, ${faults} that may not be`);
process.exit(faults === 0 ? 0 : 1);
