import { Makemore } from "makemore-web";
// Parcel reads no exports map by default, so the file goes by its place (docs/bundlers.md).
import "makemore-web/dist/element.js";
import { scenario } from "./scenario.js";
import words from "./words.js";

scenario(Makemore, words, { element: true });
