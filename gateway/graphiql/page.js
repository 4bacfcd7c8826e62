const { React, ReactDOM, GraphiQL, graphqlWs } = globalThis;

const root = document.getElementById("graphiql");
const { graphqlPath, defaultQuery } = root.dataset;
const defaultHeaders = '{\n  "Authorization": "Bearer "\n}';

// The headers tab starts with a bearer token to fill in; until it is filled in, nothing is sent for it.
function filledIn(headers = {}) {
  return Object.fromEntries(
    Object.entries(headers).filter(([, value]) => String(value).trim().toLowerCase() !== "bearer"),
  );
}

function webSocketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

// A browser cannot set headers on a WebSocket, so they go as the payload of `connection_init`.
// They hold for the whole connection: other headers need another client.
let webSocket = { headers: undefined, client: undefined };
function webSocketClient(headers) {
  const wanted = JSON.stringify(headers);
  if (webSocket.headers !== wanted) {
    webSocket.client?.dispose();
    webSocket = {
      headers: wanted,
      client: graphqlWs.createClient({
        url: webSocketUrl(graphqlPath),
        connectionParams: headers,
        // A silent retry would subscribe again from the first cursor and show events twice.
        retryAttempts: 0,
      }),
    };
  }
  return webSocket.client;
}

// The client connects with its first subscription, so queries and mutations open no socket.
function fetcher(params, options) {
  const headers = filledIn(options?.headers);
  const send = GraphiQL.createFetcher({ url: graphqlPath, wsClient: webSocketClient(headers) });
  return send(params, { ...options, headers });
}

ReactDOM.createRoot(root).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery,
    defaultHeaders,
    defaultEditorToolsVisibility: "headers",
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
  }),
);
