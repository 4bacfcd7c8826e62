// Does the GraphiQL page work in a browser, with no network but the gateway?
//
//   node graphiql.mjs <page url> <api key> <query> <screenshot path> <expected> [seconds]
//
// Types the key into the Headers tab and the query into the editor, runs it, waits until the answer
// holds `expected` and takes a screenshot (also when it fails). Exits 1 when the answer does not come
// within `seconds` (20), or when the page had an error, broke its own Content-Security-Policy or asked
// another host for anything. The browser is the system's Chromium, or the one that CHROMIUM names.
import { complaintsOf, launch } from "./chromium.mjs";

const [pageUrl, apiKey, query, screenshot, expected, seconds = "20"] = process.argv.slice(2);
if (!expected) {
  console.error("usage: node graphiql.mjs <page url> <api key> <query> <screenshot path> <expected> [seconds]");
  process.exit(2);
}

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
const complaints = complaintsOf(page, pageUrl);

/** Replaces what an editor holds, as a paste does: typing would close brackets by itself. */
async function paste(editor, text) {
  await page.locator(`${editor} .CodeMirror-scroll:visible`).click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(text);
  // GraphiQL reads an editor a moment after the last key.
  await page.waitForTimeout(500);
}

let answer = "";
try {
  await page.goto(pageUrl, { waitUntil: "networkidle" });
  await paste('section[aria-label="Headers"]', JSON.stringify({ Authorization: `Bearer ${apiKey}` }));
  await paste(".graphiql-query-editor", query);
  await page.getByRole("button", { name: "Execute query" }).click();
  const deadline = Date.now() + Number(seconds) * 1000;
  while (!answer.includes(expected) && Date.now() < deadline) {
    await page.waitForTimeout(100);
    answer = await page.evaluate(() => document.querySelector(".result-window .CodeMirror")?.CodeMirror.getValue() ?? "");
  }
} catch (error) {
  complaints.push(error.message);
} finally {
  await page.screenshot({ path: screenshot });
  await browser.close();
}

console.log(answer);
if (!answer.includes(expected)) complaints.push(`the answer does not hold ${JSON.stringify(expected)}`);
for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length === 0 ? 0 : 1);
