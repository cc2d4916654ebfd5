/**
 * The last Linear and the loss, forward and back: `logits = h @ W + b`, `F.cross_entropy(logits,
 * Yb)`, and the lecture's `dlogits = (softmax(logits) - onehot(Yb)) / n`.
 *
 * A workgroup owns a few rows. Its lanes stand in rows of COLUMNS; each takes every COLUMNS-th
 * vec4 of a row of logits, and they meet for the row's maximum and for its sum of exponentials.
 */
import { Buffers, type Plan } from "../plan";
import { type Kernel, STEP, sizes, vec4Array } from "./kernel";

const LANES = 64;

/** See the head of this file. */
export function headKernel(plan: Plan): Kernel {
  const { chain, batch, head, tokenRows } = plan;
  const [{ block } = head] = plan.blocks;
  let columns = 1;
  while (columns < head.fanOut4 && columns < LANES) columns *= 2;
  return {
    name: "head",
    workgroups: Math.ceil((batch * columns) / LANES),
    buffers: [Buffers.activations, head.block.weight, Buffers.tokens, Buffers.exampleLosses],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read_write> activations: ${vec4Array(plan, Buffers.activations)};  // X, and DLOGITS: [BATCH, FAN_OUT4]
@group(1) @binding(1) var<storage, read> weight: ${vec4Array(plan, head.block.weight)};  // [FAN_IN4 * 4, FAN_OUT4], bias
@group(1) @binding(2) var<storage, read> tokens: array<u32>;               // contexts, [BATCH] targets
@group(1) @binding(3) var<storage, read_write> exampleLosses: array<f32>;  // [steps, BATCH]

${sizes({
  LANES,
  COLUMNS: columns,
  BATCH: batch,
  VOCABULARY: chain.vocabularySize,
  FAN_IN4: head.fanIn4,
  FAN_OUT4: head.fanOut4,
  X: head.x,
  DLOGITS: head.gradient,
  TARGETS: block.fold * tokenRows,
})}

var<workgroup> maxima: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x * (LANES / COLUMNS) + lane / COLUMNS;
  let inside = row < BATCH;
  let column = lane % COLUMNS;
  let others = lane - column;
  let x = X + row * FAN_IN4;
  let dlogits = DLOGITS + row * FAN_OUT4;

  // logits = h @ W + b, kept where dlogits will be
  var most = -1e30;
  if inside {
    for (var c = column; c < FAN_OUT4; c += COLUMNS) {
      var logits = ${head.block.bias ? "weight[FAN_IN4 * 4u * FAN_OUT4 + c]" : "vec4f()"};
      for (var k = 0u; k < FAN_IN4; k++) {
        let at = k * 4u * FAN_OUT4 + c;
        let w = mat4x4f(weight[at], weight[at + FAN_OUT4], weight[at + 2u * FAN_OUT4], weight[at + 3u * FAN_OUT4]);
        logits += w * activations[x + k];
      }
      // Columns that only fill up the vec4 get a probability of 0.
      logits = select(vec4f(-1e30), logits, vec4u(4u * c) + vec4u(0, 1, 2, 3) < vec4u(VOCABULARY));
      activations[dlogits + c] = logits;
      most = max(most, max(max(logits.x, logits.y), max(logits.z, logits.w)));
    }
  }
  maxima[lane] = most;
  workgroupBarrier();
  for (var i = 0u; i < COLUMNS; i++) { most = max(most, maxima[others + i]); }

  var sum = 0.0;
  if inside {
    for (var c = column; c < FAN_OUT4; c += COLUMNS) {
      sum += dot(exp(activations[dlogits + c] - most), vec4f(1));
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  sum = 0.0;
  for (var i = 0u; i < COLUMNS; i++) { sum += sums[others + i]; }

  if inside {
    let yb = tokens[TARGETS + row];
    for (var c = column; c < FAN_OUT4; c += COLUMNS) {
      let logits = activations[dlogits + c];
      if c == yb / 4u {
        exampleLosses[step.index * BATCH + row] = log(sum) + most - logits[yb % 4u];
      }
      let onehot = select(vec4f(0), vec4f(1), vec4u(4u * c) + vec4u(0, 1, 2, 3) == vec4u(yb));
      activations[dlogits + c] = (exp(logits - most) / sum - onehot) / f32(BATCH);
    }
  }
}
`,
  };
}
