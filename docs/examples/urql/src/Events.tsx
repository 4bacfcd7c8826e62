import type { ResultOf } from "gql.tada";
import { useSubscription } from "urql";
import { CONNECTION_ROW } from "./ConnectionRow";
import { graphql } from "./graphql";

// Subscribers that send this same document are answered together. The cache takes what an event says of a connection.
export const EVENTS = graphql(
  `
    subscription ConnectionEvents($account: ID!, $after: String) {
      connectionEvents(accountId: $account, after: $after) {
        cursor
        kind
        at
        connection {
          ...ConnectionRow
        }
      }
    }
  `,
  [CONNECTION_ROW],
);

type Event = ResultOf<typeof EVENTS>["connectionEvents"];

/** What happens to an account's connections, the last first. */
export function Events({ account }: { account: string }) {
  const [{ data: events = [], error }] = useSubscription(
    { query: EVENTS, variables: { account } },
    (before: Event[] = [], { connectionEvents }) => [connectionEvents, ...before].slice(0, 20),
  );
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
