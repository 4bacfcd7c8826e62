import { Component, type ReactNode, Suspense, useMemo, useState } from "react";
import { graphql, RelayEnvironmentProvider, useLazyLoadQuery } from "react-relay";
import type { AppViewerQuery } from "./__generated__/AppViewerQuery.graphql";
import { Connections } from "./Connections";
import { openEnvironment, SignedOut } from "./environment";
import { keepKey, readKey, signOut } from "./session";
import { SignIn } from "./SignIn";

export function App() {
  const [key, setKey] = useState(readKey);
  const [starts, setStarts] = useState(0);
  const environment = useMemo(() => openEnvironment(key, () => setStarts((before) => before + 1)), [key, starts]);

  function signIn(key: string) {
    keepKey(key);
    setKey(key);
  }

  return (
    <RelayEnvironmentProvider environment={environment}>
      <h1>Entente with Relay</h1>
      <Faults key={`${key} ${starts}`} onKey={signIn}>
        <Suspense fallback={<p>Loading …</p>}>
          <Accounts onSignOut={() => signOut().then(() => location.reload())} />
        </Suspense>
      </Faults>
    </RelayEnvironmentProvider>
  );
}

function Accounts({ onSignOut }: { onSignOut: () => void }) {
  const data = useLazyLoadQuery<AppViewerQuery>(
    graphql`
      query AppViewerQuery {
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
    `,
    {},
  );
  const [chosen, setChosen] = useState<string>();
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
        <button onClick={onSignOut}>Sign out</button>
      </p>
      {account && (
        <Suspense fallback={<p>Loading …</p>}>
          <Connections key={account.id} account={account.id} />
        </Suspense>
      )}
    </>
  );
}

/** Shows what went wrong below it, or who has to sign in first. */
class Faults extends Component<{ children: ReactNode; onKey: (key: string) => void }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error instanceof SignedOut) return <SignIn reason={error.message} onKey={this.props.onKey} />;
    if (error) return <p role="alert">{error.message}</p>;
    return this.props.children;
  }
}
