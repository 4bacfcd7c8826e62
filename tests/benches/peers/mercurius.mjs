// Mercurius as its documentation makes it fast: documents compiled (jit), joins where there is one of something, loaders
// without a cache where there are many, and statements that are prepared once.
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8, idleTimeoutMillis: 0 });

const schema = `
  type Query { account(id: ID!): Account }
  type Account { id: ID! name: String! role: String! industry: String!
    connections(first: Int!): [Connection!]! audiences(first: Int!): [Audience!]! }
  type Connection { id: ID! state: String! partner: Account! projects(first: Int!): [Project!]! }
  type Project { id: ID! name: String! createdAt: String! }
  type Audience { id: ID! name: String! identities: String! }
`;

const rows = async (name, text, values) => (await pool.query({ name, text, values })).rows;

const resolvers = {
  Query: {
    account: async (_, { id }) =>
      (await rows("account", "SELECT id, name, role, industry FROM page.accounts WHERE id = $1", [id]))[0],
  },
  Account: {
    connections: async (account, { first }) => {
      const found = await rows(
        "connections",
        `SELECT c.id, c.state, a.id AS partner_id, a.name, a.role, a.industry
         FROM (SELECT * FROM page.connections WHERE viewer_id = $1 ORDER BY id DESC LIMIT $2) AS c
         JOIN page.accounts AS a ON a.id = c.partner_id ORDER BY c.id DESC`,
        [account.id, first],
      );
      return found.map(({ id, state, partner_id, name, role, industry }) => ({
        id,
        state,
        partner: { id: partner_id, name, role, industry },
      }));
    },
  },
};

// The first items of many lists in one statement, each list in the place of its parent.
const firstOfEach = async (name, text, queries) => {
  const parents = queries.map(({ obj }) => obj.id);
  const lists = new Map(parents.map((id) => [id, []]));
  for (const row of await rows(name, text, [parents, queries[0].params.first])) {
    lists.get(row.parent_id).push(row);
  }
  return parents.map((id) => lists.get(id));
};

const uncached = (loader) => ({ loader, opts: { cache: false } });

const loaders = {
  Connection: {
    projects: uncached((queries) =>
      firstOfEach(
        "projects",
        `SELECT parent.id AS parent_id, p.id, p.name, p.created_at AS "createdAt"
         FROM unnest($1::text[]) AS parent (id) CROSS JOIN LATERAL
         (SELECT * FROM page.projects WHERE connection_id = parent.id ORDER BY id DESC LIMIT $2) AS p`,
        queries,
      ),
    ),
  },
  Account: {
    audiences: uncached((queries) =>
      firstOfEach(
        "audiences",
        `SELECT parent.id AS parent_id, a.id, a.name, a.identities
         FROM unnest($1::text[]) AS parent (id) CROSS JOIN LATERAL
         (SELECT * FROM page.audiences WHERE account_id = parent.id ORDER BY id DESC LIMIT $2) AS a`,
        queries,
      ),
    ),
  },
};

// Times as the database writes them: no `Date` is made of each and written again.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text);

const app = Fastify();
const compilerOptions = { disableLeafSerialization: true };
app.register(mercurius, { schema, resolvers, loaders, jit: 1, compilerOptions, graphiql: false });
console.log(`${await app.listen({ host: "127.0.0.1", port: 0 })}/graphql`);
