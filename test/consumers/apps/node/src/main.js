// The process must end by itself, without `process.exit`.
import { Makemore } from "makemore-web";
import { scenario } from "./scenario.js";
import words from "./words.js";

await scenario(Makemore, words);
console.log(JSON.stringify(globalThis.outcome));
