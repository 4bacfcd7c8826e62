import { graphql, useFragment } from "react-relay";
import type { ConnectionRow_connection$key } from "./__generated__/ConnectionRow_connection.graphql";

/** A connection as the viewing account sees it. */
export function ConnectionRow(props: { connection: ConnectionRow_connection$key; onDiscover: () => void }) {
  const connection = useFragment(
    graphql`
      fragment ConnectionRow_connection on Connection {
        state
        standing(accountId: $account)
        counterparty(accountId: $account) {
          collaborator {
            name
            role
          }
        }
      }
    `,
    props.connection,
  );
  const { name, role } = connection.counterparty.collaborator;
  return (
    <tr>
      <td>{name}</td>
      <td>{role}</td>
      <td>{connection.standing}</td>
      <td>{connection.state === "ACTIVE" && <button onClick={props.onDiscover}>Discover</button>}</td>
    </tr>
  );
}
