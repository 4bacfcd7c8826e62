// PostGraphile as its documentation sets it up for production: its own server on Node's, no watching, no GraphiQL.
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const poolConfig = { max: 8, idleTimeoutMillis: 0 };

const preset = {
  extends: [PostGraphileAmberPreset],
  disablePlugins: ["NodePlugin"],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ["page"], poolConfig })],
  grafserv: { watch: false, graphiql: false, websockets: false },
  grafast: { explain: false },
};

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/graphql`));
