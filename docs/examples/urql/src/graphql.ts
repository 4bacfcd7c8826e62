import { initGraphQLTada } from "gql.tada";
import type { introspection } from "./__generated__/schema";

/** Types the documents that it takes by the gateway's schema, without generating code for each. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  disableMasking: true;
  scalars: { Date: string; DateTime: string; JSON: unknown; SafeInt: number };
}>();
