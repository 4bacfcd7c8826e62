import { useSubscription } from "@apollo/client/react";
import { useState } from "react";
import { graphql } from "./__generated__";
import type { ConnectionEventsSubscription } from "./__generated__/graphql";
import { addToList } from "./addToList";

// Subscribers that send this same document are answered together. The cache takes what an event says of a connection.
const EVENTS = graphql(`
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
`);

type Event = ConnectionEventsSubscription["connectionEvents"];

/** What happens to an account's connections, the last first. */
export function Events({ account }: { account: string }) {
  const [events, setEvents] = useState<Event[]>([]);
  const { error } = useSubscription(EVENTS, {
    variables: { account },
    onData({ client, data: { data } }) {
      if (!data) return;
      addToList(client.cache, account, data);
      setEvents((before) => [data.connectionEvents, ...before].slice(0, 20));
    },
  });
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
