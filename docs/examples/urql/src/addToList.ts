import type { Cache } from "@urql/exchange-graphcache";
import type { ResultOf } from "gql.tada";
import { CONNECTIONS } from "./Connections";
import type { EVENTS } from "./Events";

/** Puts a connection that has just begun at the top of its account's list. The cache updates those that it knows. */
export function addToList(cache: Cache, account: string, { connectionEvents: event }: ResultOf<typeof EVENTS>) {
  const node = event.connection;
  if (event.kind !== "INVITED" || !node) return;
  cache.updateQuery({ query: CONNECTIONS, variables: { account } }, (list) => {
    const page = list?.account?.connections;
    if (!page || page.edges.some((edge) => edge.node.id === node.id)) return list;
    const edges = [{ __typename: "ConnectionEdge" as const, node }, ...page.edges];
    return { ...list, account: { ...list.account!, connections: { ...page, totalCount: page.totalCount + 1, edges } } };
  });
}
