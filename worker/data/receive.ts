import type { EncodedWords, WordsPiece } from "../../src/protocol";

/** Words as the page sent them, not looked at yet. */
export interface ReceivedWords extends Pick<EncodedWords, "isText"> {
  readonly text: string;
}

/**
 * Receives words, which the page sends in pieces.
 *
 * @throws the signal's reason when it aborts
 */
export async function receiveWords(
  { port, isText }: EncodedWords,
  signal: AbortSignal,
): Promise<ReceivedWords> {
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const refuse = () => reject(signal.reason);
      if (signal.aborted) refuse();
      signal.addEventListener("abort", refuse, { once: true });
      port.onmessage = ({ data: piece }: MessageEvent<WordsPiece>) => {
        if (piece) pieces.push(decoder.decode(piece, { stream: true }));
        else resolve();
      };
    });
  } finally {
    port.close();
  }
  return { text: pieces.join("") + decoder.decode(), isText };
}
