// Does the gateway speak GraphQL over HTTP as its specification says?
//
//   node audit.mjs <graphql url> [bearer]
//
// Prints one line for each of graphql-http's audits; exits 1 if a MUST or a SHOULD is missed.
import { serverAudits } from "graphql-http";

const [url, bearer] = process.argv.slice(2);
if (!url) {
  console.error("usage: node audit.mjs <graphql url> [bearer]");
  process.exit(2);
}

function fetchFn(input, init = {}) {
  const headers = new Headers(init.headers);
  if (bearer) headers.set("authorization", `Bearer ${bearer}`);
  return fetch(input, { ...init, headers });
}

let failed = 0;
let passed = 0;
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  const optional = result.name.startsWith("MAY");
  if (result.status === "ok") {
    passed += 1;
    console.log(`ok      ${result.id} ${result.name}`);
  } else {
    failed += optional ? 0 : 1;
    console.log(`${optional ? "not met" : "MISSED "} ${result.id} ${result.name}: ${result.reason}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
