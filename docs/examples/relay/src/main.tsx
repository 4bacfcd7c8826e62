import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { SignedOut } from "./environment";

// That somebody has to sign in is no fault.
function onCaughtError(error: unknown) {
  if (!(error instanceof SignedOut)) console.error(error);
}

createRoot(document.getElementById("page")!, { onCaughtError }).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
