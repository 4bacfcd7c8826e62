import { useMemo, useState } from "react";
import { graphql, useSubscription } from "react-relay";
import type { GraphQLSubscriptionConfig } from "relay-runtime";
import type { EventsSubscription } from "./__generated__/EventsSubscription.graphql";

// Subscribers that send this same document are answered together. The store takes what an event says of a connection, and
// `@prependNode` puts those that are not in the list at its top.
const EVENTS = graphql`
  subscription EventsSubscription($account: ID!, $after: String, $lists: [ID!]!) {
    connectionEvents(accountId: $account, after: $after) {
      cursor
      kind
      at
      connection @prependNode(connections: $lists, edgeTypeName: "ConnectionEdge") {
        ...ConnectionRow_connection
        counterparty(accountId: $account) {
          collaborator {
            name
          }
        }
      }
    }
  }
`;

type Event = EventsSubscription["response"]["connectionEvents"];

/** What happens to an account's connections, the last first. `list` is the store's id of the list that they are in. */
export function Events({ account, list }: { account: string; list: string }) {
  const [events, setEvents] = useState<Event[]>([]);
  const [error, setError] = useState<Error>();
  const config = useMemo<GraphQLSubscriptionConfig<EventsSubscription>>(
    () => ({
      subscription: EVENTS,
      variables: { account, lists: [list] },
      onNext: (answer) => answer && setEvents((before) => [answer.connectionEvents, ...before].slice(0, 20)),
      onError: setError,
    }),
    [account, list],
  );
  useSubscription(config);
  return (
    <section>
      <h2>Events</h2>
      {error && <p role="alert">{error.message}</p>}
      <ul>
        {events.map(({ cursor, kind, at, connection }) => (
          <li key={cursor}>
            {new Date(at).toLocaleTimeString()} {kind} {connection?.counterparty.collaborator.name}
          </li>
        ))}
      </ul>
    </section>
  );
}
