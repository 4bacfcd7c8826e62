// Who is signed in: whoever holds a key, for as long as the tab is open, or the browser by the gateway's cookie.
const NAME = "entente-key";

export function readKey(): string | null {
  return sessionStorage.getItem(NAME);
}

export function keepKey(key: string) {
  sessionStorage.setItem(NAME, key);
}

export async function signOut() {
  if (readKey()) sessionStorage.removeItem(NAME);
  else await fetch("/auth/sign-out", { method: "POST", headers: { "Content-Type": "application/json" } });
}
