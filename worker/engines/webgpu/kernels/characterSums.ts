/**
 * The first half of the embedding's gradient, the lecture's `dC[ix] += demb[k, j]`: where a
 * character stands in the minibatch at a place of a joined row, the gradient of that row's
 * `hpreact` belongs to it. The way from there to `demb` is linear, so the rows are added up first,
 * for each character and place, and `embedding` takes the sum the rest of the way, once.
 *
 * A lane owns eight channels of one sum, and walks all rows. Every sum gathers its own, in their
 * order, so no two lanes ever add to the same number, and each run gives the same bits.
 */
import { Buffers, type Plan } from "../plan";
import { type Kernel, STEP, sizes, vec4Array } from "./kernel";

const LANES = 64;

/** See the head of this file. */
export function characterSumsKernel(plan: Plan): Kernel {
  const { chain, blocks, head, tokenRows } = plan;
  const [{ block, fanOut4, gradient } = head] = blocks;
  return {
    name: "character sums",
    workgroups: Math.ceil((chain.vocabularySize * block.fold * fanOut4) / 2 / LANES),
    buffers: [Buffers.activations, Buffers.tokens, Buffers.characterSums],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read> activations: ${vec4Array(plan, Buffers.activations)};  // DHPREACT: [rows, FAN_OUT4]
@group(1) @binding(1) var<storage, read> tokens: ${vec4Array(plan, Buffers.tokens, "vec4u")};  // [FOLD, TOKEN_ROWS / 4]
@group(1) @binding(2) var<storage, read_write> sums: ${vec4Array(plan, Buffers.characterSums)};  // [vocabulary, FOLD, FAN_OUT4]

${sizes({
  SUMS: chain.vocabularySize * block.fold * fanOut4,
  TOKEN_ROWS: tokenRows,
  FOLD: block.fold,
  FAN_OUT4: fanOut4,
  DHPREACT: gradient,
})}

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let sum = id.x * 2u;
  if sum >= SUMS { return; }
  let c = sum % FAN_OUT4;
  let place = sum / FAN_OUT4 % FOLD;
  let character = sum / FAN_OUT4 / FOLD;
  var left = vec4f();
  var right = vec4f();
  for (var row32 = 0u; row32 < TOKEN_ROWS / 32u; row32++) {
    // Of 32 rows, those that have the character: mostly there are few.
    var rows = 0u;
    for (var i = 0u; i < 8u; i++) {
      let has = vec4u(tokens[place * (TOKEN_ROWS / 4u) + row32 * 8u + i] == vec4u(character));
      rows |= dot(has, vec4u(1, 2, 4, 8)) << (4u * i);
    }
    for (; rows != 0u; rows &= rows - 1u) {
      let at = DHPREACT + (row32 * 32u + firstTrailingBit(rows)) * FAN_OUT4 + c;
      left += activations[at];
      right += activations[at + 1u];
    }
  }
  sums[sum] = left;
  sums[sum + 1u] = right;
}
`,
  };
}
