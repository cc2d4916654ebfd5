// The package's worker, with a fault: its thread ends when `sample` is called.
await import("../node_modules/makemore-web/dist/makemore-web/worker.js");
addEventListener("message", ({ data }) => {
  if (data.path?.[0] === "sample") process.exit(3);
});
