import type { ApolloCache } from "@apollo/client";
import type { ConnectionEventsSubscription } from "./__generated__/graphql";
import { CONNECTIONS } from "./Connections";

/** Puts a connection that has just begun at the top of its account's list. The cache updates those that it knows. */
export function addToList(cache: ApolloCache, account: string, { connectionEvents: event }: ConnectionEventsSubscription) {
  const node = event.connection;
  if (event.kind !== "INVITED" || !node) return;
  cache.updateQuery({ query: CONNECTIONS, variables: { account } }, (list) => {
    const page = list?.account?.connections;
    if (!page || page.edges.some((edge) => edge.node.id === node.id)) return undefined;
    const edges = [{ __typename: "ConnectionEdge" as const, node }, ...page.edges];
    return { ...list, account: { ...list.account!, connections: { ...page, totalCount: page.totalCount + 1, edges } } };
  });
}
