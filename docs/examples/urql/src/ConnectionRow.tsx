import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql";

export const CONNECTION_ROW = graphql(`
  fragment ConnectionRow on Connection {
    id
    state
    standing(accountId: $account)
    counterparty(accountId: $account) {
      collaborator {
        id
        name
        role
      }
    }
  }
`);

/** A connection as the viewing account sees it. */
export function ConnectionRow(props: { connection: ResultOf<typeof CONNECTION_ROW>; onDiscover: () => void }) {
  const { connection, onDiscover } = props;
  const { name, role } = connection.counterparty.collaborator;
  return (
    <tr>
      <td>{name}</td>
      <td>{role}</td>
      <td>{connection.standing}</td>
      <td>{connection.state === "ACTIVE" && <button onClick={onDiscover}>Discover</button>}</td>
    </tr>
  );
}
