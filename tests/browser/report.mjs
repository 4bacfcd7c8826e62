// Can the page of a report be read by everybody: in the light, in the dark, on paper and on a telephone?
//
//   node report.mjs <page file> <folder for screenshots>
//
// Opens the page in each way, has axe-core look for what keeps people out, and takes a screenshot: light.png, dark.png,
// narrow.png, print.pdf beside print.png; and of the light one what is in docs: top.png, its first screen, and models.png, the
// first comparison of models, where there is one. Exits 1 when axe-core finds a violation, when something is wider than the
// screen, when a text is cut off, or when the page ran a script, had an error, or asked for anything but itself. The
// browser is the system's Chromium, or the one that CHROMIUM names.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./chromium.mjs";

const [file, folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node report.mjs <page file> <folder for screenshots>");
  process.exit(2);
}
const pageUrl = pathToFileURL(resolve(file)).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const ways = [
  { name: "light", viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  { name: "dark", viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  { name: "narrow", viewport: { width: 360, height: 740 }, colorScheme: "light" },
  { name: "print", viewport: { width: 718, height: 1000 }, colorScheme: "dark", media: "print" },
];

/** What reaches beyond its screen, its box or its drawing. */
function cutOff() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide on ${root.clientWidth}`);
  for (const text of document.querySelectorAll("svg text")) {
    const [inner, outer] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    if (outer.width === 0) continue;
    const isInside =
      inner.left >= outer.left - 1 && inner.right <= outer.right + 1 && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
    if (!isInside) found.push(`"${text.textContent.trim()}" is cut off by its chart`);
  }
  return found;
}

/** Charts whose axes or bars have too few labels to be read. */
function unlabelled() {
  const charts = [...document.querySelectorAll("svg")].filter((chart) => chart.getBoundingClientRect().width > 0);
  const few = charts.filter((chart) => chart.querySelectorAll("text").length < 2);
  return few.map((chart) => `"${chart.querySelector("title").textContent}" has no labels`);
}

/** Labels of a chart that lie on each other. */
function overlapping() {
  const found = [];
  for (const chart of document.querySelectorAll("svg")) {
    const labels = [...chart.querySelectorAll("text")].map((text) => [text.textContent.trim(), text.getBoundingClientRect()]);
    const drawn = labels.filter(([, box]) => box.width > 0);
    drawn.forEach(([text, box], place) => {
      for (const [other, its] of drawn.slice(place + 1)) {
        const apart = box.right <= its.left || its.right <= box.left || box.bottom <= its.top + 2 || its.bottom <= box.top + 2;
        if (!apart) found.push(`"${text}" lies on "${other}"`);
      }
    });
  }
  return found;
}

const complaints = [];
const browser = await launch();
for (const { name, viewport, colorScheme, media } of ways) {
  const page = await browser.newPage({ viewport, colorScheme });
  page.on("pageerror", (error) => complaints.push(`${name}: error in the page: ${error.message}`));
  page.on("console", (message) => complaints.push(`${name}: console: ${message.text()}`));
  page.on("request", (request) => {
    if (request.url() !== pageUrl) complaints.push(`${name}: asked for ${request.url()}`);
  });
  await page.goto(pageUrl);
  await page.emulateMedia({ media: media ?? "screen", colorScheme });
  if ((await page.locator("script").count()) > 0) complaints.push(`${name}: there is a script`);
  for (const look of [cutOff, unlabelled, overlapping]) {
    for (const found of await page.evaluate(look)) complaints.push(`${name}: ${found}`);
  }
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  if (name === "light") {
    await page.screenshot({ path: join(folder, "top.png") });
    const models = page.locator(".block", { has: page.locator("th[scope=rowgroup]") }).first();
    if ((await models.count()) > 0) await models.screenshot({ path: join(folder, "models.png") });
  }
  if (media === "print") await page.pdf({ path: join(folder, "print.pdf"), format: "A4" });
  // What the browser is told by its debugger is not held back by the page's own policy.
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document));
  for (const { id, help, nodes } of violations) complaints.push(`${name}: axe: ${id}: ${help}: ${nodes[0].html}`);
  console.log(`${name}: ${passes.length} rules of axe-core kept, ${violations.length} broken`);
  await page.close();
}
await browser.close();

for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length === 0 ? 0 : 1);
