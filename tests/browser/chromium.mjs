// The system's Chromium, or the one that CHROMIUM names, with a page that nothing may go wrong in.
import { chromium } from "playwright-core";

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

/** What a page complains of from now on: errors, and requests to another host than its own. `mayLog` excepts messages. */
export function complaintsOf(page, pageUrl, mayLog = () => false) {
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error in the page: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !mayLog(message.text())) complaints.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith("http") && host !== new URL(pageUrl).host) complaints.push(`asked ${host}`);
  });
  return complaints;
}
