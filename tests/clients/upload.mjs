// Uploads a file by tus, and goes on by itself after whatever cuts it off.
//
//   node upload.mjs <file> <options as JSON> [stop after so many bytes]
//
// The options are tus-js-client's own: `endpoint`, `uploadUrl`, `headers`, `metadata`, `chunkSize` and so on. Prints
// `url <address>` once there is one, and at the end `done`, `stopped` or `failed <reason>`; exits 1 when it failed.
import fs from "node:fs";
import * as tus from "tus-js-client";

const [path, options, stop = "Infinity"] = process.argv.slice(2);
if (!options) {
  console.error("usage: node upload.mjs <file> <options as JSON> [stop after so many bytes]");
  process.exit(2);
}

const upload = new tus.Upload(fs.createReadStream(path), {
  retryDelays: Array(200).fill(50),
  ...JSON.parse(options),
  onUploadUrlAvailable: () => console.log(`url ${upload.url}`),
  onProgress: (sent) => {
    if (sent < Number(stop)) return;
    console.log("stopped");
    process.exit(0);
  },
  onSuccess: () => {
    console.log("done");
    process.exit(0);
  },
  onError: (error) => {
    console.log(`failed ${error.message}`);
    process.exit(1);
  },
});
upload.start();
