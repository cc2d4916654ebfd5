/** The demo's page, before its script runs. */
import { readFileSync } from "node:fs";

/** Puts the demo's body into the document. */
export function openPage(): void {
  const html = readFileSync("demo/index.html", "utf8");
  document.body.innerHTML = /<body>(.*)<\/body>/s.exec(html)?.[1] ?? "";
}
