// Azurite's blob service, for as long as whoever started it holds its standard input open.
process.stdin.on("end", () => process.exit()).resume();
await import("azurite/dist/src/blob/main.js");
