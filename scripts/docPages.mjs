/**
 * The pages of the documentation (`docs/<name>.md`) by section, in the order of the site's sidebar. `docs/index.md`
 * is the site's first page.
 *
 * @type {Record<string, string[]>}
 */
export const sections = {
  Guide: [
    "train",
    "diagnostics",
    "sample",
    "sampling",
    "keep",
    "groups",
    "bundlers",
    "node",
    "element",
    "react",
    "recipes",
  ],
  Concepts: ["wavenet", "families", "engines", "webgpu"],
  Reference: ["errors", "onnx", "browsers"],
  Help: ["troubleshooting", "reliability", "security", "extending"],
  Measurements: ["performance", "results"],
};
