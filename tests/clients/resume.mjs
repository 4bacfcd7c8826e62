// Does a subscriber that lost its connection get every event, and each once?
//
//   node resume.mjs <ws url> <bearer> <document> <variables json> <drop after> <total> [seconds]
//
// Subscribes over graphql-transport-ws, prints each event as a line of JSON, drops the socket after
// `drop after` events and subscribes again with the last event's `cursor` as the variable `after`.
// The document has one root field, and selects its `cursor`. Says "subscribed" and "dropped" on
// stderr. Exits 0 after `total` events, 1 on an error, on a cursor seen twice, or when they have not
// come within `seconds` (30).
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";

const [url, bearer, query, variables, dropAfter, total, seconds = "30"] = process.argv.slice(2);
if (!total) {
  console.error("usage: node resume.mjs <ws url> <bearer> <document> <variables json> <drop after> <total> [seconds]");
  process.exit(2);
}

const seen = new Set();
let after = JSON.parse(variables).after ?? null;

setTimeout(() => fail(`only ${seen.size} of ${total} events after ${seconds} seconds`), Number(seconds) * 1000);

function fail(reason) {
  console.error(typeof reason === "string" ? reason : (reason.message ?? JSON.stringify(reason)));
  process.exit(1);
}

/** Calls `onEvent` until it answers false; then the socket is cut without a farewell. */
function subscribe(onEvent) {
  return new Promise((resolve, reject) => {
    let socket;
    let done = false;
    const client = createClient({
      url,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${bearer}` },
      retryAttempts: 0,
      on: {
        connected: (connected) => {
          socket = connected;
          console.error("subscribed");
        },
      },
    });
    client.subscribe(
      { query, variables: { ...JSON.parse(variables), after } },
      {
        next: (result) => {
          if (done) return;
          if (result.errors) return reject(new Error(JSON.stringify(result.errors)));
          done = !onEvent(Object.values(result.data)[0]);
          if (!done) return;
          socket.terminate();
          resolve();
        },
        error: (error) => (done ? undefined : reject(Array.isArray(error) ? new Error(JSON.stringify(error)) : error)),
        complete: () => (done ? undefined : reject(new Error("the gateway ended the subscription"))),
      },
    );
  });
}

function until(count) {
  return (event) => {
    if (!event?.cursor) fail(`an event without a cursor: ${JSON.stringify(event)}`);
    if (seen.has(event.cursor)) fail(`seen twice: ${JSON.stringify(event)}`);
    seen.add(event.cursor);
    after = event.cursor;
    console.log(JSON.stringify(event));
    return seen.size < count;
  };
}

try {
  await subscribe(until(Number(dropAfter)));
  console.error("dropped");
  await subscribe(until(Number(total)));
  process.exit(0);
} catch (error) {
  fail(error);
}
