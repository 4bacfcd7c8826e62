import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page and the gateway share an origin, as they do behind one proxy: a browser session needs that.
const gateway = process.env.ENTENTE_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  server: {
    proxy: {
      "/graphql": { target: gateway, ws: true },
      "^/(accounts|auth|deliveries|oauth|uploads)/": gateway,
    },
  },
});
