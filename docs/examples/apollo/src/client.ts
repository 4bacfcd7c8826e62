import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, ServerError } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import { OperationTypeNode } from "graphql";
import type { Client } from "graphql-ws";
import possible from "./__generated__/possible-types";
import { openSocket } from "./socket";

/** A client with an empty cache, so that nobody sees what another key has read. `onGap` is to open another one. */
export function openClient(key: string | null, onGap: () => void): ApolloClient {
  const overHttp = new HttpLink({ uri: "/graphql", headers: key ? { Authorization: `Bearer ${key}` } : {} });
  const overSocket = new GraphQLWsLink(openSocket(key, onGap) as Client);
  return new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      overSocket,
      overHttp,
    ),
    cache: openCache(),
  });
}

/** Pages are one list for each set of arguments that select; `edges` are merged, `nodes` are not. */
function openCache(): InMemoryCache {
  return new InMemoryCache({
    possibleTypes: possible.possibleTypes,
    typePolicies: {
      Account: { fields: { connections: relayStylePagination(["actionRequired", "states"]) } },
    },
  });
}

/** Whether the gateway did not take the key or the session. */
export function isSignedOut(error: unknown): boolean {
  if (ServerError.is(error)) return error.statusCode === 401;
  return CombinedGraphQLErrors.is(error) && error.errors.some((e) => e.extensions?.code === "UNAUTHENTICATED");
}
