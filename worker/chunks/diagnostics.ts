/** dist/makemore-web/diagnostics.js, loaded by the first training with `diagnostics`. */
import * as diagnostics from "../training/diagnostics/diagnoser";

globalThis.makemoreWebChunks = { ...globalThis.makemoreWebChunks, diagnostics };
