// Is the schema as GraphQL's linter and Relay like it?
//
//   node lint.mjs [schema file]
//
// Runs the rules of graphql-eslint for schemas, and prints what they find beside `exceptions.json`. Relay's rules know its
// pages by the suffix Connection, which is a word of this domain: they read a copy in which our pages are called that, and
// our connections otherwise. Exits 1 on a finding, and on an exception that nothing needs.
import { readFileSync } from "node:fs";
import graphql from "@graphql-eslint/eslint-plugin";
import { ESLint } from "eslint";

const path = process.argv[2] ?? new URL("../../schema.graphql", import.meta.url);
const schema = readFileSync(path, "utf8");
const exceptions = JSON.parse(readFileSync(new URL("exceptions.json", import.meta.url), "utf8"));

const rules = {
  ...graphql.configs["flat/schema-recommended"].rules,
  "@graphql-eslint/input-name": "error",
  "@graphql-eslint/no-scalar-result-type-on-mutation": "error",
  "@graphql-eslint/require-deprecation-date": "error",
  "@graphql-eslint/require-nullable-fields-with-oneof": "error",
};
// What is answered, listed or a page of a list has no id of its own.
rules["@graphql-eslint/strict-id-in-types"] = ["error", { exceptions: { suffixes: ["Payload", "Edge", "Page"] } }];
const relayRules = {
  ...graphql.configs["flat/schema-relay"].rules,
  // Lists that are short are lists; what has no id of its own is in pages as well.
  "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
};

/** Our pages by Relay's name for them, and what has that name here by another. */
function inRelaysWords(schema) {
  return schema.replace(/\b([A-Z]\w*)?Connection\b/g, "$1Agreement").replace(/\b([A-Z]\w*)Page\b/g, "$1Connection");
}

function inOurWords(place) {
  return place.replace(/Connection(?=\.|$)/, "Page").replace("Agreement", "Connection");
}

async function findings(schema, rules) {
  const eslint = new ESLint({
    overrideConfigFile: true,
    overrideConfig: {
      files: ["**/*.graphql"],
      languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
      plugins: { "@graphql-eslint": graphql },
      rules,
    },
  });
  const [{ messages }] = await eslint.lintText(schema, { filePath: "schema.graphql" });
  const lines = schema.split("\n");
  return messages.map(({ ruleId, message, line }) => ({
    rule: ruleId?.replace("@graphql-eslint/", "") ?? "parser",
    place: place(lines, line),
    message,
  }));
}

/** The type that a line is in, and the field where there is one. */
function place(lines, line) {
  const name = (text) => text?.match(/^\t?(?:\w+ )?@?(\w+)/)?.[1];
  const text = lines[line - 1] ?? "";
  if (!text.startsWith("\t")) return name(text) ?? "";
  const type = lines.slice(0, line).findLast((above) => /^(type|input|enum|interface) /.test(above));
  return `${name(type)}.${name(text)}`;
}

// In this order: some rules remember the first schema that they read.
const found = await findings(schema, rules);
for (const finding of await findings(inRelaysWords(schema), relayRules)) {
  found.push({ ...finding, place: inOurWords(finding.place) });
}
const excepts = ({ rule, places }, finding) => finding.rule === rule && places.includes(finding.place);
let faults = 0;
for (const finding of found.filter((finding) => !exceptions.some((exception) => excepts(exception, finding)))) {
  faults += 1;
  console.log(`${finding.place}: ${finding.message.split("\n")[0]} (${finding.rule})`);
}
for (const { rule, places } of exceptions) {
  for (const place of places.filter((place) => !found.some((f) => f.rule === rule && f.place === place))) {
    faults += 1;
    console.log(`${place}: the exception from ${rule} is of no use`);
  }
}
console.log(`${found.length} findings, ${faults} not excepted`);
process.exit(faults === 0 ? 0 : 1);
