import { useMemo, useState } from "react";
import { Provider, useQuery } from "urql";
import { isSignedOut, openClient } from "./client";
import { Connections } from "./Connections";
import { graphql } from "./graphql";
import { keepKey, readKey, signOut } from "./session";
import { SignIn } from "./SignIn";

const VIEWER = graphql(`
  query Viewer {
    viewer {
      accounts(first: 100) {
        nodes {
          id
          name
          role
        }
      }
    }
  }
`);

export function App() {
  const [key, setKey] = useState(readKey);
  const [starts, setStarts] = useState(0);
  const client = useMemo(() => openClient(key, () => setStarts((before) => before + 1)), [key, starts]);

  function signIn(key: string) {
    keepKey(key);
    setKey(key);
  }

  return (
    <Provider value={client}>
      <h1>Entente with urql</h1>
      <Accounts
        key={`${key} ${starts}`}
        hasKey={key !== null}
        onKey={signIn}
        onSignOut={() => signOut().then(() => location.reload())}
      />
    </Provider>
  );
}

function Accounts(props: { hasKey: boolean; onKey: (key: string) => void; onSignOut: () => void }) {
  const [{ data, error }] = useQuery({ query: VIEWER });
  const [chosen, setChosen] = useState<string>();
  if (isSignedOut(error)) {
    return <SignIn reason={props.hasKey ? "This key is unknown, revoked or expired." : ""} onKey={props.onKey} />;
  }
  if (error) return <p role="alert">{error.message}</p>;
  if (!data) return <p>Loading …</p>;
  const accounts = data.viewer.accounts.nodes;
  const account = accounts.find(({ id }) => id === chosen) ?? accounts[0];
  return (
    <>
      <p>
        Acting for{" "}
        <select value={account?.id} onChange={(event) => setChosen(event.target.value)}>
          {accounts.map(({ id, name, role }) => (
            <option key={id} value={id}>
              {name} ({role})
            </option>
          ))}
        </select>{" "}
        <button onClick={props.onSignOut}>Sign out</button>
      </p>
      {account && <Connections key={account.id} account={account.id} />}
    </>
  );
}
