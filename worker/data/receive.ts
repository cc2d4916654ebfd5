import { MakemoreError } from "../../src/errors";
import type { EncodedWords, WordsPiece } from "../../src/protocol";

/** Words as the page sent them, unchecked. */
export interface ReceivedWords extends Pick<EncodedWords, "isText"> {
  readonly text: string;
}

/** The words of a group as the page sent them. */
interface ReceivedList extends ReceivedWords {
  readonly name: string;
}

/**
 * Receives words, which the page sends in pieces.
 *
 * @throws the signal's reason when it aborts
 */
export async function receiveWords(words: EncodedWords, signal: AbortSignal): Promise<ReceivedWords> {
  const [list] = await receiveLists(words, signal);
  return { text: list?.text ?? "", isText: words.isText };
}

/** Same as `receiveWords`, for lists by group. A list without groups has the name "". */
export async function receiveLists(
  { port, isText, groups = [{ name: "", isText }] }: EncodedWords,
  signal: AbortSignal,
): Promise<ReceivedList[]> {
  const decoder = new TextDecoder();
  const texts: string[] = [];
  let pieces: string[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const refuse = () => reject(signal.reason);
      if (signal.aborted) refuse();
      signal.addEventListener("abort", refuse, { once: true });
      port.onmessageerror = () =>
        reject(
          new MakemoreError("WORKER_FAILED", "The words could not be read; the page may be out of memory."),
        );
      port.onmessage = ({ data: piece }: MessageEvent<WordsPiece>) => {
        if (piece) {
          pieces.push(decoder.decode(piece, { stream: true }));
          return;
        }
        texts.push(pieces.join("") + decoder.decode());
        pieces = [];
        if (texts.length === groups.length) resolve();
      };
    });
  } finally {
    port.close();
  }
  return groups.map((group, i) => ({ ...group, text: texts[i] ?? "" }));
}
