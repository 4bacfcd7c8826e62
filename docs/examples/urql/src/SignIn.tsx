import type { FormEvent } from "react";

/** Asks for a key, or sends the browser to the operator's provider. */
export function SignIn({ reason, onKey }: { reason: string; onKey: (key: string) => void }) {
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const key = new FormData(event.currentTarget).get("key");
    if (typeof key === "string" && key.trim()) onKey(key.trim());
  }
  return (
    <section>
      <h2>Sign in</h2>
      <form onSubmit={submit}>
        <label>
          Key <input name="key" type="password" autoComplete="off" />
        </label>{" "}
        <button>Sign in</button>
      </form>
      <p>
        Or <a href="/auth/sign-in?return_to=/">sign in by browser</a>, where the gateway has a provider for it.
      </p>
      <p role="alert">{reason}</p>
    </section>
  );
}
