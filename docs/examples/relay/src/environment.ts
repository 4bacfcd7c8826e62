import {
  Environment,
  type FetchFunction,
  type GraphQLResponse,
  Network,
  Observable,
  RecordSource,
  Store,
} from "relay-runtime";
import { openSocket } from "./socket";

/** The gateway did not take the key or the session. */
export class SignedOut extends Error {}

/** An environment with an empty store, so that nobody sees what another key has read. `onGap` is to open another one. */
export function openEnvironment(key: string | null, onGap: () => void): Environment {
  const socket = openSocket(key, onGap);
  return new Environment({
    network: Network.create(askWith(key), ({ text }, variables) =>
      Observable.create<GraphQLResponse>((sink) =>
        socket.subscribe(
          { query: text!, variables },
          {
            next: (answer) => sink.next(answer as GraphQLResponse),
            error: (error) => sink.error(error as Error),
            complete: sink.complete,
          },
        ),
      ),
    ),
    store: new Store(new RecordSource()),
  });
}

function askWith(key: string | null): FetchFunction {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  return async ({ text }, variables) => {
    const response = await fetch("/graphql", {
      method: "POST",
      headers,
      body: JSON.stringify({ query: text, variables }),
    });
    if (response.status === 401) throw new SignedOut("This key is unknown, revoked or expired.");
    const answer = await response.json();
    const [error] = answer.errors ?? [];
    if (error?.extensions?.code === "UNAUTHENTICATED") throw new SignedOut("");
    if (error) throw new Error(error.message);
    return answer;
  };
}
