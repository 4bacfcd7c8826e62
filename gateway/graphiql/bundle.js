// What esbuild starts from. The page itself takes its libraries from globals, so that
// the same file also runs from the CDN's scripts, without a bundler.
import "./libraries.js";
import "./page.js";
