import { useState } from "react";
import { useQuery } from "urql";
import { CONNECTION_ROW, ConnectionRow } from "./ConnectionRow";
import { Discover } from "./Discover";
import { Events } from "./Events";
import { graphql } from "./graphql";

export const CONNECTIONS = graphql(
  `
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
  `,
  [CONNECTION_ROW],
);

/** The connections of an account, five at a time, and what happens to them. */
export function Connections({ account }: { account: string }) {
  const [after, setAfter] = useState<string | null>();
  const [{ data, error }] = useQuery({ query: CONNECTIONS, variables: { account, after } });
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
        {hasNextPage && <button onClick={() => setAfter(endCursor)}>More</button>}
      </section>
      <Events account={account} />
      {chosen && <Discover account={account} connection={chosen} />}
    </>
  );
}
