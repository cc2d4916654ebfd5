import { Makemore } from "makemore-web";
import "makemore-web/element";
import { scenario } from "./scenario.js";
import words from "./words.js";

scenario(Makemore, words, { element: true });
