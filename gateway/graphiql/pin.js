// Writes cdn.html: the scripts and styles the page loads when the build could not bundle them, each
// with the hash of that very file in the npm package. Run `npm ci && npm run pin` after a change of
// version in package.json; `npm run pin -- --check` only says whether cdn.html is up to date.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const files = [
  ["react", "umd/react.production.min.js"],
  ["react-dom", "umd/react-dom.production.min.js"],
  ["graphql-ws", "umd/graphql-ws.min.js"],
  ["graphiql", "graphiql.min.js"],
  ["graphiql", "graphiql.min.css"],
];

function tag([name, path]) {
  const folder = new URL(`./node_modules/${name}/`, import.meta.url);
  const { version } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  const url = `https://cdn.jsdelivr.net/npm/${name}@${version}/${path}`;
  const integrity = `sha384-${createHash("sha384").update(readFileSync(new URL(path, folder))).digest("base64")}`;
  return path.endsWith(".css")
    ? `<link rel="stylesheet" href="${url}" integrity="${integrity}" crossorigin="anonymous" />\n`
    : `<script defer src="${url}" integrity="${integrity}" crossorigin="anonymous"></script>\n`;
}

const target = new URL("cdn.html", import.meta.url);
const html = files.map(tag).join("");
if (!process.argv.includes("--check")) {
  writeFileSync(target, html);
} else if (readFileSync(target, "utf8") !== html) {
  console.error("cdn.html is not what package-lock.json says: run `npm run pin`");
  process.exit(1);
}
