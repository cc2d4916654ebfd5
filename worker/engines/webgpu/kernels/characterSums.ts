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
import { type Kernel, STEP, sizes } from "./kernel";

const LANES = 64;

/** See the head of this file. */
export function characterSumsKernel({ chain, blocks, head, tokenRows }: Plan): Kernel {
  const [{ block, fanOut4, gradient } = head] = blocks;
  return {
    name: "character sums",
    workgroups: Math.ceil((chain.vocabularySize * block.fold * fanOut4) / 2 / LANES),
    buffers: [Buffers.activations, Buffers.tokens, Buffers.characterSums],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read> activations: array<vec4f>;        // DHPREACT: [rows, FAN_OUT4]
@group(1) @binding(1) var<storage, read> tokens: array<vec4u>;             // [FOLD, TOKEN_ROWS / 4]
@group(1) @binding(2) var<storage, read_write> sums: array<vec4f>;         // [vocabulary, FOLD, FAN_OUT4]

${sizes({ TOKEN_ROWS: tokenRows, FOLD: block.fold, FAN_OUT4: fanOut4, DHPREACT: gradient })}

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let sum = id.x * 2u;
  if sum >= arrayLength(&sums) { return; }
  let c = sum % FAN_OUT4;
  let place = sum / FAN_OUT4 % FOLD;
  let character = sum / FAN_OUT4 / FOLD;
  var left = vec4f();
  var right = vec4f();
  var at = DHPREACT + c;
  for (var row4 = place * (TOKEN_ROWS / 4u); row4 < (place + 1u) * (TOKEN_ROWS / 4u); row4++) {
    // Four rows at a time; mostly none of them has the character, and then this is all.
    let has = vec4u(tokens[row4] == vec4u(character));
    for (var rows = has.x | (has.y << 1u) | (has.z << 2u) | (has.w << 3u); rows != 0u; rows &= rows - 1u) {
      let row = at + firstTrailingBit(rows) * FAN_OUT4;
      left += activations[row];
      right += activations[row + 1u];
    }
    at += 4u * FAN_OUT4;
  }
  sums[sum] = left;
  sums[sum + 1u] = right;
}
`,
  };
}
