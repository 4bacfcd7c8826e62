import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import type { ResultOf } from "gql.tada";
import { Client, type CombinedError, fetchExchange, subscriptionExchange } from "urql";
import { addToList } from "./addToList";
import type { EVENTS } from "./Events";
import { openSocket } from "./socket";

/** A client with an empty cache, so that nobody sees what another key has read. `onGap` is to open another one. */
export function openClient(key: string | null, onGap: () => void): Client {
  const socket = openSocket(key, onGap);
  return new Client({
    url: "/graphql",
    preferGetMethod: false,
    fetchOptions: { headers: key ? { Authorization: `Bearer ${key}` } : {} },
    exchanges: [
      openCache(),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = "", variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
}

const hasNoId = () => null;

/** Pages are one list for each set of arguments that select; what has no id belongs to what it was read with. */
function openCache() {
  return cacheExchange({
    possibleTypes: { OverlapAnswer: ["BelowThreshold", "Overlap", "Unavailable"] },
    resolvers: { Account: { connections: relayPagination() } },
    updates: {
      Subscription: {
        connectionEvents: (answer, { accountId }, cache) =>
          addToList(cache, accountId as string, answer as ResultOf<typeof EVENTS>),
      },
    },
    keys: {
      AccountPage: hasNoId,
      BelowThreshold: hasNoId,
      ConnectionEvent: hasNoId,
      ConnectionPage: hasNoId,
      Counterparty: hasNoId,
      Discover: hasNoId,
      Overlap: hasNoId,
      ProjectPage: hasNoId,
      RankedAudience: hasNoId,
      Unavailable: hasNoId,
      Viewer: hasNoId,
    },
  });
}

/** Whether the gateway did not take the key or the session. */
export function isSignedOut(error: CombinedError | undefined): boolean {
  const response: Response | undefined = error?.response;
  return response?.status === 401 || !!error?.graphQLErrors.some((e) => e.extensions?.code === "UNAUTHENTICATED");
}
