import type { EncodedWords } from "../src/protocol";
import type { WordGroups, Words } from "../src/types";
import { WordSender } from "../src/wordSender";

/** Words as the page sends them to the worker, in one piece. */
export function sentWords(text: string, isText = false): EncodedWords {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(new TextEncoder().encode(text));
  port1.postMessage(undefined);
  return { port: port2, isText };
}

/** Words as the page's own sender sends them, to the end: its first slice may be too short for that. */
export function sentByPage(words: Words | WordGroups): EncodedWords {
  const sender = new WordSender(words, "test");
  void sender.send(new AbortController().signal);
  return sender.encoded;
}
