/** A simple n-gram teacher, as the reference describes it. */
import { readContext, type TokenStream } from "../worker/data/dataset";

/** Context and target of each example, as the lecture's `build_dataset` lists them, sorted as strings of ids. */
export function listed(stream: TokenStream, contextLength: number) {
  const examples = Array.from({ length: stream.length - 1 }, (_, i) => {
    const context = new Array<number>(contextLength).fill(0);
    readContext(stream, i + 1, contextLength, context);
    return { context: context.join(), key: [...context].reverse(), target: stream[i + 1] ?? 0 };
  });
  return examples.sort((a, b) => {
    const at = a.key.findIndex((token, i) => token !== b.key[i]);
    return at < 0 ? a.target - b.target : (a.key[at] ?? 0) - (b.key[at] ?? 0);
  });
}

/** The reference's loop: the counts for an example leave out that example. */
export function ngram(
  examples: ReturnType<typeof listed>,
  context: string,
  vocabularySize: number,
): number[] {
  const same = examples.filter((example) => example.context === context);
  const mean = new Array<number>(vocabularySize).fill(0);
  const concentrations = [30, 146, 72, 36, 13, 13, 36, 5000, 5000];
  for (const own of same) {
    const { key } = own;
    const written = key.filter((token) => token > 0).length;
    let p = new Array<number>(vocabularySize).fill(1 / vocabularySize);
    for (const [order, a] of concentrations.entries()) {
      if (order > key.length || written < order - 1) continue;
      const others = examples.filter(
        (other) => other !== own && other.key.slice(0, order).join() === key.slice(0, order).join(),
      );
      p = p.map(
        (before, token) =>
          (others.filter(({ target }) => target === token).length + a * before) / (others.length + a),
      );
    }
    for (const [token, share] of p.entries()) mean[token] = (mean[token] ?? 0) + share / same.length;
  }
  return mean;
}
