/**
 * Entry point in development: the package's main file, re-exported.
 *
 * Vite's dependency optimizer bundles `.js` entries into `node_modules/.vite/deps`. Before Vite 8 it
 * moves the main file there without the worker, and the worker is then a 404. It never bundles a
 * `.jsx` entry, so the main file stays beside its worker. There is no JSX in here.
 */
export * from "./index.js";
export { default } from "./index.js";
