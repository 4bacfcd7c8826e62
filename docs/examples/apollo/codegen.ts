import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../../schema.graphql",
  documents: "src/*.tsx",
  generates: {
    "src/__generated__/": {
      preset: "client",
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
