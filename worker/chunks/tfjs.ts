/** dist/makemore-web/tfjs.js, loaded when it is first asked for. */
import * as tfjs from "../engines/tfjsChunk";

// Left on the global object, not exported: some bundlers minify the file as a classic script.
globalThis.makemoreWebChunks = { ...globalThis.makemoreWebChunks, tfjs };
