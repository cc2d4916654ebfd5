/** Trains the embedding: adds up the partial gradients that the first level's workgroups wrote. */
import type { Optimizer } from "../../../optimizers";
import { Buffers, type Plan } from "../plan";
import { type Kernel, kernel, sizes, vec4Array } from "./kernel";
import { learn, momentsBinding } from "./learn";
import { board } from "./workgroup";

const LANES = 64;
/** Lanes per sum. */
const SHARES = 16;

/** See the top of this file. */
export function embeddingKernel(plan: Plan, optimizer: Optimizer): Kernel {
  const { chain, dimensions4, embedding, blocks, head, demb } = plan;
  const [{ fanOut4 } = head] = blocks;
  const numbers4 = chain.vocabularySize * dimensions4;
  return kernel(
    "embedding",
    Math.ceil((numbers4 * SHARES) / LANES),
    [
      { buffer: Buffers.activations, name: "activations", type: vec4Array(plan, Buffers.activations) }, // DEMB: [FAN_OUT4, NUMBERS4]
      {
        buffer: chain.embedding.weight,
        name: "embedding",
        type: vec4Array(plan, chain.embedding.weight),
        write: true,
      },
      ...momentsBinding(plan, optimizer),
    ],
    /* wgsl */ `
${sizes({
  LANES,
  SHARES,
  AT_ONCE: LANES / SHARES,
  NUMBERS4: numbers4,
  FAN_OUT4: fanOut4,
  DEMB: demb,
  M: embedding.m,
  V: embedding.v,
})}
${board(LANES)}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let number = group.x * AT_ONCE + lane % AT_ONCE;
  var sum = vec4f();
  for (var c = lane / AT_ONCE; c < FAN_OUT4; c += SHARES) {
    sum += activations[DEMB + c * NUMBERS4 + min(number, NUMBERS4 - 1u)];
  }
  board[lane] = sum;
  workgroupBarrier();
  if lane < AT_ONCE && number < NUMBERS4 {
    for (var s = 1u; s < SHARES; s++) { sum += board[s * AT_ONCE + lane]; }
    embedding[number] = learn(embedding[number], sum, M + number, V + number);
  }
}
${learn(optimizer)}
`,
  );
}
