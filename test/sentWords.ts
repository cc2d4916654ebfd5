import type { EncodedWords } from "../src/protocol";

/** Words as the page sends them to the worker, in one piece. */
export function sentWords(text: string, isText = false): EncodedWords {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(new TextEncoder().encode(text));
  port1.postMessage(undefined);
  return { port: port2, isText };
}
