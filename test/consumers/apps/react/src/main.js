import { Makemore } from "makemore-web";
import "makemore-web/element";
import { useMakemore } from "makemore-web/react";
import { createElement, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import words from "./words.js";

/** Trains when it is mounted. Strict mode mounts it twice. */
function Names() {
  const { train, sample, stop, makemore, progress, status, error } = useMakemore();
  const [names, setNames] = useState([]);
  useEffect(() => {
    train(words, { steps: 10_000_000 }).then(async (result) => {
      if (result) setNames(await sample(5));
    });
  }, [train, sample]);
  return createElement(
    "main",
    null,
    createElement("button", { type: "button", onClick: stop }, "Stop"),
    createElement("output", null, `${status} ${error ?? ""}`),
    createElement("ol", null, ...names.map((name) => createElement("li", { key: name }, name))),
    progress ? `${progress.step} steps${makemore() instanceof Makemore ? "" : ", another class"}` : "",
  );
}

const root = createRoot(document.getElementById("app"));
root.render(createElement(StrictMode, null, createElement(Names)));
const element = document.querySelector("makemore-words");
element.textContent = words;
Object.assign(globalThis, {
  unmount() {
    root.unmount();
    element.remove();
  },
  /** Whether the element and the page share one class, and therefore one copy of the main file. */
  shared: () => element.makemore instanceof Makemore,
});
