// Subscriptions over graphql-transport-ws that lose nothing when the socket does.
import { type Client, createClient, type FormattedExecutionResult } from "graphql-ws";

export type Subscribe = Client["subscribe"];

/**
 * Opens a socket when something subscribes, and closes it when nothing does. `key` is null for a browser that is signed
 * in: its cookie comes along.
 * `onGap` is called where events may have been missed: lists are to be read again, and events followed anew.
 */
export function openSocket(key: string | null, onGap: () => void): { subscribe: Subscribe } {
  const client = createClient({
    url: new URL("/graphql", location.href.replace(/^http/, "ws")).href,
    connectionParams: key ? { Authorization: `Bearer ${key}` } : {},
    keepAlive: 10_000,
    retryAttempts: Infinity,
  });
  return { subscribe: (payload, sink) => follow(client, payload, sink, onGap) };
}

/** Subscribes, and after each interruption again from the last cursor, which the document takes as `$after`. */
function follow(
  client: Client,
  payload: Parameters<Subscribe>[0],
  sink: Parameters<Subscribe>[1],
  onGap: () => void,
): () => void {
  // graphql-ws sends this same object whenever it has to open the socket again.
  const variables: Record<string, unknown> = { ...payload.variables };
  const unlisten = client.on("connected", (_socket, _payload, wasRetry) => {
    if (wasRetry && !variables.after) onGap();
  });
  let stop: () => void;
  function begin() {
    let again = false;
    stop = client.subscribe<Record<string, { cursor?: string } | null>>({ ...payload, variables }, {
      next(result) {
        const code = result.errors?.[0]?.extensions?.code;
        again = code === "ACCESS_CHANGED";
        if (again) return;
        if (code === "CURSOR_EXPIRED") return onGap();
        const cursor = Object.values(result.data ?? {})[0]?.cursor;
        if (cursor) variables.after = cursor;
        sink.next(result as FormattedExecutionResult<never, never>);
      },
      error: (error) => sink.error(error),
      complete() {
        if (again) begin();
        else sink.complete();
      },
    });
  }
  begin();
  return () => {
    unlisten();
    stop();
  };
}
