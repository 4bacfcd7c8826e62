import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { graphql } from "./__generated__";
import { ConnectionRow } from "./ConnectionRow";
import { Discover } from "./Discover";
import { Events } from "./Events";

export const CONNECTIONS = graphql(`
  query Connections($account: ID!, $after: String) {
    account(id: $account) {
      id
      connections(first: 5, after: $after) {
        totalCount
        edges {
          node {
            id
            ...ConnectionRow
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
    }
  }
`);

/** The connections of an account, five at a time, and what happens to them. */
export function Connections({ account }: { account: string }) {
  const { data, error, fetchMore } = useQuery(CONNECTIONS, { variables: { account } });
  const [chosen, setChosen] = useState<string>();
  if (error) return <p role="alert">{error.message}</p>;
  if (!data) return <p>Loading …</p>;
  const page = data.account?.connections;
  if (!page) return <p>This account is not there any more.</p>;
  const { endCursor, hasNextPage } = page.pageInfo;
  return (
    <>
      <section>
        <h2>
          Connections ({page.edges.length} of {page.totalCount})
        </h2>
        <table>
          <tbody>
            {page.edges.map(({ node }) => (
              <ConnectionRow key={node.id} connection={node} onDiscover={() => setChosen(node.id)} />
            ))}
          </tbody>
        </table>
        {hasNextPage && <button onClick={() => fetchMore({ variables: { after: endCursor } })}>More</button>}
      </section>
      <Events account={account} />
      {chosen && <Discover account={account} connection={chosen} />}
    </>
  );
}
