/** Soft targets for the nodes of a minibatch; see worker/data/wordExamples.ts. */
import { subtractTaught } from "../loss";
import { Rows } from "../rows";
import { TOKENS, trie } from "./trie";

export class SoftWordTargets {
  constructor(
    /** Prefix id of each position of the stream, u32; 0 if the target is the token at the position. */
    readonly prefixOf: usize,
    /** First pair of each prefix, u32; then each pair's token (u32) and share (f32), [pairs, 2]. */
    readonly firstPair: usize,
    readonly pairs: usize,
    /** The teacher's probabilities per prefix, from prefix 1 on, f32 [prefixes, padTo8(vocabulary)]; 0 without a teacher. */
    readonly teacher: usize,
    readonly stream: usize,
  ) {}

  /**
   * Subtracts the targets of all nodes from the gradient and returns the mean loss.
   *
   * @param weight of the teacher, 0 to 1
   */
  subtract(rows: Rows, space: u32, vocabulary: i32, weight: f32, logNormalizers: usize): f32 {
    const stride = rows.groupStride, keep = <f32>1 - weight;
    let loss: f64 = 0;
    for (let node: usize = 0; node < <usize>trie.nodes; node++) {
      const at = node << 2, count = load<f32>(trie.shares + at);
      if (count == 0) continue;
      const row: usize = space == TOKENS ? <usize>load<u32>(trie.tokenRows + at) : node;
      const z = rows.values + (row << 4), d = rows.gradient + (row << 4), scale = count / <f32>trie.places;
      const position = <usize>load<u32>(trie.positions + at), prefix = <usize>load<u32>(this.prefixOf + (position << 2));
      let expected: f32 = 0;
      if (prefix == 0) {
        const to = offset(load<u16>(this.stream + (position << 1)), stride);
        expected = load<f32>(z + to);
        store<f32>(d + to, load<f32>(d + to) - scale);
      } else {
        const end = this.pairs + ((<usize>load<u32>(this.firstPair + (prefix << 2), 4)) << 3);
        for (let pair = this.pairs + ((<usize>load<u32>(this.firstPair + (prefix << 2))) << 3); pair < end; pair += 8) {
          const to = offset(load<u32>(pair), stride), share = load<f32>(pair, 4);
          expected += share * load<f32>(z + to);
          store<f32>(d + to, load<f32>(d + to) - scale * keep * share);
        }
        expected *= keep;
        if (weight > 0) expected += weight * subtractTaught(z, d, stride, this.teacher, prefix - 1, vocabulary, scale * weight);
      }
      loss += count * (load<f32>(logNormalizers + (row << 2)) - expected);
    }
    return <f32>(loss / <f64>trie.places);
  }
}

/** Offset in bytes of `token`'s logit from the row's first logit. */
// @ts-expect-error: decorator
@inline
function offset(token: u32, stride: usize): usize {
  return <usize>(token >> 2) * stride + (<usize>(token & 3) << 2);
}
