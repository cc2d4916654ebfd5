/** The loss of the lecture's first model: a table of how often each character follows each other one. */
import { slices } from "./slices";

/** Ids of characters are below this: 2^26, so that a pair of them is an exact number. */
const IDS = 1 << 26;

/**
 * Mean loss, in nats per character, of a bigram that is counted and evaluated on the same words. The end of a word
 * counts as a character.
 *
 * @param signal ends the work: the promise then rejects with the signal's reason
 */
export async function bigramLoss(words: Iterable<string>, signal?: AbortSignal): Promise<number> {
  /** 0 is the boundary before and after a word. */
  const ids = new Map<string, number>();
  const firsts = new Map<number, number>();
  const pairs = new Map<number, number>();
  const pause = slices(signal);
  let total = 0;
  const add = (counts: Map<number, number>, key: number) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const word of words) {
    let before = 0;
    for (const character of [...word, ""]) {
      if (!ids.has(character)) ids.set(character, character === "" ? 0 : ids.size + 1);
      const id = ids.get(character) ?? 0;
      add(firsts, before);
      add(pairs, before * IDS + id);
      before = id;
      total++;
    }
    await pause();
  }
  let sum = 0;
  for (const [pair, count] of pairs)
    sum -= count * Math.log(count / (firsts.get(Math.floor(pair / IDS)) ?? count));
  return sum / total;
}
