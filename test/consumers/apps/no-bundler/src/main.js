import { Makemore } from "./makemore-web/index.js";
import { scenario } from "./scenario.js";
import words from "./words.js";

scenario(Makemore, words);
