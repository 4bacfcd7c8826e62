import { useQuery } from "@apollo/client/react";
import { graphql } from "./__generated__";
import type { AnswerFragment } from "./__generated__/graphql";

const DISCOVER = graphql(`
  query Discover($account: ID!, $connection: ID!) {
    connection(accountId: $account, id: $connection) {
      id
      projects(first: 1) {
        nodes {
          id
          name
          discover(accountId: $account) {
            compare {
              ...Answer
            }
            relevantAudiences {
              rank
              index
              audience {
                id
                name
              }
              answer {
                ...Answer
              }
            }
          }
        }
      }
    }
  }

  fragment Answer on OverlapAnswer {
    __typename
    ... on Overlap {
      identities
      standardError
      percentage
    }
    ... on BelowThreshold {
      threshold
    }
    ... on Unavailable {
      reason
    }
  }
`);

/** What the two sides of a connection have in common, by its newest project. */
export function Discover({ account, connection }: { account: string; connection: string }) {
  const { data, error } = useQuery(DISCOVER, { variables: { account, connection } });
  if (error) return <p role="alert">{error.message}</p>;
  if (!data) return <p>Comparing …</p>;
  const project = data.connection?.projects.nodes[0];
  if (!project) return <p>Create a project in this connection first.</p>;
  return (
    <section>
      <h2>Discover: {project.name}</h2>
      <p>In common: {inWords(project.discover.compare)}</p>
      <table>
        <tbody>
          {project.discover.relevantAudiences.map(({ rank, index, audience, answer }) => (
            <tr key={audience.id}>
              <td>{rank}</td>
              <td>{audience.name}</td>
              <td>{inWords(answer)}</td>
              <td>{index === null ? "" : `index ${Math.round(index)}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function inWords(answer: AnswerFragment): string {
  switch (answer.__typename) {
    case "Overlap": {
      const [identities, error] = [answer.identities.toLocaleString(), Math.round(answer.standardError)];
      return `${identities} identities ± ${error} (${answer.percentage.toFixed(1)} %)`;
    }
    case "BelowThreshold":
      return `fewer than ${answer.threshold}`;
    case "Unavailable":
      return `unavailable: ${answer.reason}`;
    default:
      return "an answer that this page does not know";
  }
}
