// Does a frontend do in a browser what it promises: sign in, list connections, follow them live, read Discover?
//
//   node frontend.mjs <page url> <api key> <screenshot path> [seconds]
//
// Whoever runs it makes what the page is to see, and is told when on stdout. The account of the key has six connections or
// more, one of them active with a project. Says "following", and then has to see a connection that is new ("live"). Cuts
// the socket ("dropped"), waits for a line on stdin, lets the page connect again, and has to see that an invite was
// accepted meanwhile. Then it lists all connections, opens Discover, prints the page's text and takes a screenshot (also when
// it fails). Exits 1 when something has not come within `seconds` (20) each, or when the page had an error or asked another
// host for anything. The browser is the system's Chromium, or the one that CHROMIUM names.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { complaintsOf, launch } from "./chromium.mjs";

const [pageUrl, apiKey, screenshot, seconds = "20"] = process.argv.slice(2);
if (!screenshot) {
  console.error("usage: node frontend.mjs <page url> <api key> <screenshot path> [seconds]");
  process.exit(2);
}
const told = createInterface({ input: process.stdin });

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1000, height: 1000 } });
page.setDefaultTimeout(Number(seconds) * 1000);
// Before somebody has signed in, the gateway may answer 401.
const complaints = complaintsOf(page, pageUrl, (text) => text.includes("401"));

/** The page's sockets: they can be cut, and are held back until they may connect again. */
const sockets = { open: new Set(), mayConnect: Promise.resolve() };
let subscribed;
const following = new Promise((resolve) => (subscribed = resolve));
await page.routeWebSocket(/\/graphql$/, async (socket) => {
  await sockets.mayConnect;
  const server = socket.connectToServer();
  sockets.open.add(socket);
  socket.onMessage((message) => {
    server.send(message);
    if (JSON.parse(message).type === "subscribe") subscribed();
  });
});

async function cutAndHold() {
  let release;
  sockets.mayConnect = new Promise((resolve) => (release = resolve));
  for (const socket of sockets.open) await socket.close({ code: 1012, reason: "cut" });
  sockets.open.clear();
  return release;
}

const happened = (kind) => page.getByRole("listitem").filter({ hasText: new RegExp(`\\b${kind}\\b`) });
const more = page.getByRole("button", { name: "More" });

try {
  await page.goto(pageUrl);
  await page.getByLabel("Key").fill(apiKey);
  await page.getByRole("button", { name: "Sign in" }).click();
  await more.waitFor();
  await following;
  console.log("following");

  await happened("INVITED").first().waitFor();
  console.log("live");

  const release = await cutAndHold();
  console.log("dropped");
  await once(told, "line");
  release();
  await happened("INVITE_ACCEPTED").waitFor();

  while (await more.isVisible()) {
    const rows = await page.getByRole("row").count();
    await more.click();
    await page.getByRole("row").nth(rows).waitFor();
  }
  await page.getByRole("button", { name: "Discover" }).first().click();
  await page.getByText("In common:").waitFor();
} catch (error) {
  complaints.push(error.message);
} finally {
  console.log(await page.locator("body").innerText());
  await page.screenshot({ path: screenshot, fullPage: true });
  await browser.close();
}

for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length === 0 ? 0 : 1);
