import { graphql, useFragment } from "react-relay";
import type { Answer_answer$key } from "./__generated__/Answer_answer.graphql";

/** What a comparison says. */
export function Answer(props: { answer: Answer_answer$key }) {
  const answer = useFragment(
    graphql`
      fragment Answer_answer on OverlapAnswer {
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
    `,
    props.answer,
  );
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
