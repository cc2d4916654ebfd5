import { Makemore } from "makemore-web";
// Import the element by its path, because Parcel ignores the exports map by default (docs/bundlers.md).
import "makemore-web/dist/element.js";
import { scenario } from "./scenario.js";
import words from "./words.js";

scenario(Makemore, words, { element: true });
