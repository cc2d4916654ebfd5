"use client";
import { Makemore } from "makemore-web";
import "makemore-web/element";
import { useEffect } from "react";
import { scenario } from "./scenario.js";
import words from "./words.js";

/** Next.js also renders this on the server, where importing the package and making a `Makemore` does nothing. */
const idle = new Makemore();

export default function Page() {
  useEffect(() => {
    scenario(Makemore, words, { element: true });
  }, []);
  return <p>{idle.model === undefined ? "Rendered without a model" : "Rendered with a model"}</p>;
}
