/**
 * The first half of the embedding's gradient, the lecture's `dC[ix] += demb[k, j]`: where a
 * character stands in the minibatch at a place of a joined row, the gradient of that row's
 * `hpreact` belongs to it. The way from there to `demb` is linear, so the rows are added up first,
 * for each character and place, and `embedding` takes the sum the rest of the way, once.
 *
 * A lane owns four channels of one sum, and walks all rows. Every sum gathers its own, in their
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
    workgroups: Math.ceil((chain.vocabularySize * block.fold * fanOut4) / LANES),
    buffers: [Buffers.activations, Buffers.tokens, Buffers.characterSums],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read> activations: array<vec4f>;        // DHPREACT: [rows, FAN_OUT4]
@group(1) @binding(1) var<storage, read> tokens: array<vec4u>;             // [FOLD, TOKEN_ROWS / 4]
@group(1) @binding(2) var<storage, read_write> sums: array<vec4f>;         // [vocabulary, FOLD, FAN_OUT4]

${sizes({ TOKEN_ROWS: tokenRows, FOLD: block.fold, FAN_OUT4: fanOut4, DHPREACT: gradient })}

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x >= arrayLength(&sums) { return; }
  let c = id.x % FAN_OUT4;
  let place = id.x / FAN_OUT4 % FOLD;
  let character = id.x / FAN_OUT4 / FOLD;
  var sum = vec4f();
  for (var row = 0u; row < TOKEN_ROWS; row += 4u) {
    let has = tokens[(place * TOKEN_ROWS + row) / 4u] == vec4u(character);
    if any(has) {
      let at = DHPREACT + row * FAN_OUT4 + c;
      if has.x { sum += activations[at]; }
      if has.y { sum += activations[at + FAN_OUT4]; }
      if has.z { sum += activations[at + 2u * FAN_OUT4]; }
      if has.w { sum += activations[at + 3u * FAN_OUT4]; }
    }
  }
  sums[id.x] = sum;
}
`,
  };
}
