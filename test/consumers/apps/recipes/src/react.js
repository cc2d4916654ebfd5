import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Names } from "./Names.tsx";
import words from "./words.js";

const root = createRoot(document.getElementById("app"));
// Strict mode mounts everything twice in a development build, so it reveals missing clean-up.
root.render(createElement(StrictMode, null, createElement(Names, { words: words.split("\n") })));
globalThis.unmount = () => root.unmount();
