import { graphql, useLazyLoadQuery } from "react-relay";
import type { DiscoverQuery } from "./__generated__/DiscoverQuery.graphql";
import { Answer } from "./Answer";

/** What the two sides of a connection have in common, by its newest project. */
export function Discover({ account, connection }: { account: string; connection: string }) {
  const data = useLazyLoadQuery<DiscoverQuery>(
    graphql`
      query DiscoverQuery($account: ID!, $connection: ID!) {
        connection(accountId: $account, id: $connection) {
          projects(first: 1) {
            nodes {
              name
              discover(accountId: $account) {
                compare {
                  ...Answer_answer
                }
                relevantAudiences {
                  rank
                  index
                  audience {
                    id
                    name
                  }
                  answer {
                    ...Answer_answer
                  }
                }
              }
            }
          }
        }
      }
    `,
    { account, connection },
  );
  const project = data.connection?.projects.nodes[0];
  if (!project) return <p>Create a project in this connection first.</p>;
  return (
    <section>
      <h2>Discover: {project.name}</h2>
      <p>
        In common: <Answer answer={project.discover.compare} />
      </p>
      <table>
        <tbody>
          {project.discover.relevantAudiences.map(({ rank, index, audience, answer }) => (
            <tr key={audience.id}>
              <td>{rank}</td>
              <td>{audience.name}</td>
              <td>
                <Answer answer={answer} />
              </td>
              <td>{index == null ? "" : `index ${Math.round(index)}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
