import "./names.ts";
import words from "./words.js";

const element = document.createElement("more-names");
element.words = words.split("\n");
document.getElementById("app").append(element);
globalThis.unmount = () => element.remove();
