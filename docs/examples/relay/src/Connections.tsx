import { Suspense, useState } from "react";
import { graphql, useLazyLoadQuery, usePaginationFragment } from "react-relay";
import type { Connections_account$key } from "./__generated__/Connections_account.graphql";
import type { ConnectionsPageQuery } from "./__generated__/ConnectionsPageQuery.graphql";
import type { ConnectionsQuery } from "./__generated__/ConnectionsQuery.graphql";
import { ConnectionRow } from "./ConnectionRow";
import { Discover } from "./Discover";
import { Events } from "./Events";

/** The connections of an account, five at a time, and what happens to them. */
export function Connections({ account }: { account: string }) {
  const data = useLazyLoadQuery<ConnectionsQuery>(
    graphql`
      query ConnectionsQuery($account: ID!) {
        account(id: $account) {
          ...Connections_account
        }
      }
    `,
    { account },
  );
  if (!data.account) return <p>This account is not there any more.</p>;
  return <List account={account} of={data.account} />;
}

function List({ account, of }: { account: string; of: Connections_account$key }) {
  const { data, hasNext, loadNext } = usePaginationFragment<ConnectionsPageQuery, Connections_account$key>(
    graphql`
      fragment Connections_account on Account
      @refetchable(queryName: "ConnectionsPageQuery")
      @argumentDefinitions(count: { type: "Int", defaultValue: 5 }, cursor: { type: "String" }) {
        connections(first: $count, after: $cursor) @connection(key: "Connections_connections") {
          __id
          edges {
            node {
              id
              ...ConnectionRow_connection
            }
          }
        }
      }
    `,
    of,
  );
  const [chosen, setChosen] = useState<string>();
  const { __id, edges } = data.connections;
  return (
    <>
      <section>
        <h2>
          Connections ({edges.length}
          {hasNext && " and more"})
        </h2>
        <table>
          <tbody>
            {edges.map(({ node }) => (
              <ConnectionRow key={node.id} connection={node} onDiscover={() => setChosen(node.id)} />
            ))}
          </tbody>
        </table>
        {hasNext && <button onClick={() => loadNext(5)}>More</button>}
      </section>
      <Events account={account} list={__id} />
      {chosen && (
        <Suspense fallback={<p>Comparing …</p>}>
          <Discover account={account} connection={chosen} />
        </Suspense>
      )}
    </>
  );
}
