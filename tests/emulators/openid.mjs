// An OpenID provider, for as long as whoever started it holds its standard input open. Who signs in is said where a person
// would type a name and a password: /interaction/UID/login?sub=…&email=…&verified=…
import http from "node:http";
import Provider from "oidc-provider";

process.stdin.on("end", () => process.exit()).resume();

const people = new Map();
const server = http.createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

// Codes and tokens of somebody whose name says so are over soon.
const isBrief = (ctx, what) => ctx.oidc.account?.accountId.startsWith(`brief-${what}`);

const provider = new Provider(issuer, {
  clients: [{ client_id: "entente", client_secret: "a secret of these tests", redirect_uris: ["http://127.0.0.1/"] }],
  cookies: { keys: ["a key of these tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: {
    AuthorizationCode: (ctx) => (isBrief(ctx, "code") ? 1 : 60),
    IdToken: (ctx) => (isBrief(ctx, "token") ? 30 : 3600),
    AccessToken: () => 600,
    Interaction: () => 600,
    Session: () => 600,
    Grant: () => 600,
  },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub) }) }),
  // Everybody consents.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid email profile");
    grant.addOIDCClaims(["email", "email_verified"]);
    await grant.save();
    return grant;
  },
});

// The gateways under test listen anywhere on this machine.
provider.Client.prototype.redirectUriAllowed = (uri) => new URL(uri).hostname === "127.0.0.1";

const callback = provider.callback();
server.on("request", async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, issuer);
  if (!/^\/interaction\/[^/]+\/(login|deny)$/.test(pathname)) return callback(request, response);
  if (pathname.endsWith("/deny")) {
    const denied = { error: "access_denied", error_description: "<script>no</script>" };
    return provider.interactionFinished(request, response, denied);
  }
  const [sub, email] = [searchParams.get("sub"), searchParams.get("email")];
  people.set(sub, { email, email_verified: searchParams.get("verified") === "true", name: searchParams.get("name") ?? sub });
  return provider.interactionFinished(request, response, { login: { accountId: sub } });
});
console.log(`listens on ${issuer}`);
