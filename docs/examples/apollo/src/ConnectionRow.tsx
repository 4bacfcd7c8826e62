import { graphql } from "./__generated__";
import type { ConnectionRowFragment } from "./__generated__/graphql";

graphql(`
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
export function ConnectionRow({ connection, onDiscover }: { connection: ConnectionRowFragment; onDiscover: () => void }) {
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
