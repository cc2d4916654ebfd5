import { Makemore } from "makemore-web";
import { scenario } from "./scenario.js";
import words from "./words.js";

scenario(Makemore, words);
