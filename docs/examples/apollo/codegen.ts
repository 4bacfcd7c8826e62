import type { CodegenConfig } from "@graphql-codegen/cli";
import { addTypenameSelectionDocumentTransform } from "@graphql-codegen/client-preset";

const config: CodegenConfig = {
  schema: "../../../schema.graphql",
  documents: "src/*.tsx",
  generates: {
    "src/__generated__/": {
      preset: "client",
      // As the cache asks for them, so that a document that is sent by its hash alone is answered with them.
      documentTransforms: [addTypenameSelectionDocumentTransform],
      presetConfig: { fragmentMasking: false, persistedDocuments: { hashAlgorithm: "sha256" } },
      config: {
        scalars: { Date: "string", DateTime: "string", JSON: "unknown", SafeInt: "number" },
        strictScalars: true,
        enumsAsTypes: true,
        useTypeImports: true,
      },
    },
    // Which types a union or an interface has: without it the cache drops what a fragment on one selects.
    "src/__generated__/possible-types.ts": { plugins: ["fragment-matcher"] },
  },
};

export default config;
