import type { EncodedWords } from "../src/protocol";
import type { WordGroups, Words } from "../src/types";
import { WordSender } from "../src/wordSender";

/** Sends words in one part, in the page's format. */
export function sentWords(text: string, isText = false): EncodedWords {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(new TextEncoder().encode(text));
  port1.postMessage(undefined);
  return { port: port2, isText };
}

/** Sends words with the page's own sender. Sends all slices, because the words may not fit in the first one. */
export function sentByPage(words: Words | WordGroups): EncodedWords {
  const sender = new WordSender(words, "test");
  void sender.send(new AbortController().signal);
  return sender.encoded;
}
