/**
 * The head and the loss: `logits = h @ W + b`, softmax, cross entropy, and its gradient
 * `dlogits = (softmax(logits) - target) / n`. A hard target is the lecture's `onehot(Yb)`. COLUMNS lanes share a
 * row of logits, and SHARES lanes share each sum. If the first level is the head, its kernel has computed the
 * logits already.
 */
import type { ExampleTables } from "../examples";
import { Buffers, type Plan } from "../plan";
import { type Kernel, kernel, MULTIPLY_ADD, sizes, vec4Array } from "./kernel";
import { tablesBinding } from "./minibatch";
import { board, type Shape } from "./workgroup";

/** Maximum number of lanes per sum. */
const MOST_SHARES = 8;

/** See the top of this file. */
export function headKernel(plan: Plan, tables: ExampleTables | undefined, { lanes }: Shape): Kernel {
  const { chain, batch, head, tokenRows, blocks } = plan;
  const [first = head] = blocks;
  const isFirst = first === head;
  let COLUMNS = 1;
  while (COLUMNS < head.fanOut4 && COLUMNS < lanes) COLUMNS *= 2;
  const SHARES = isFirst ? 1 : Math.min(MOST_SHARES, lanes / COLUMNS);
  const AT_ONCE = lanes / SHARES / COLUMNS;
  const TURNS = Math.ceil(head.fanOut4 / COLUMNS);
  return kernel(
    "head",
    Math.ceil(batch / AT_ONCE),
    [
      {
        buffer: Buffers.activations,
        name: "activations",
        type: vec4Array(plan, Buffers.activations),
        write: true,
      },
      { buffer: head.block.weight, name: "weight", type: vec4Array(plan, head.block.weight) }, // [FAN_IN4 * 4, LOGITS4], bias
      { buffer: Buffers.tokens, name: "tokens", type: "array<u32>" }, // contexts, [BATCH] targets
      { buffer: Buffers.exampleLosses, name: "exampleLosses", type: "array<f32>", write: true }, // [steps, BATCH]
      ...tablesBinding(tables),
      ...(tables?.taught ? [{ buffer: Buffers.teacher, name: "teacher", type: "array<vec4f>" }] : []), // [contexts, LOGITS4]
    ],
    /* wgsl */ `
${sizes({
  LANES: lanes,
  SHARES,
  COLUMNS,
  TURNS,
  AT_ONCE,
  BATCH: batch,
  VOCABULARY: chain.vocabularySize,
  FAN_IN4: head.fanIn4,
  LOGITS4: head.fanOut4,
  X: head.x,
  LOGITS: head.y,
  DLOGITS: head.gradient,
  TARGETS: first.block.fold * tokenRows,
  CONTEXTS: tables?.contexts ?? 0,
  PAIRS: tables?.pairs ?? 0,
})}
${board(3 * lanes)}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column0 = lane % COLUMNS;
  let share = lane / COLUMNS % SHARES;
  let inGroup = lane / COLUMNS / SHARES;
  let row = group.x * AT_ONCE + inGroup;
  let source = min(row, BATCH - 1u);
  // A lane handles every COLUMNS-th vec4 of the logits.
  var targets: array<vec4f, TURNS>;
  var logits: array<vec4f, TURNS>;
  var own = vec4f(-1e30);
  for (var turn = 0u; turn < TURNS; turn++) {
    let column = column0 + turn * COLUMNS;
    targets[turn] = targetOf(source, column);
    var sum = vec4f();
    ${isFirst ? "sum = activations[LOGITS + source * LOGITS4 + min(column, LOGITS4 - 1u)];" : multiply(head.block.bias ? "weight[FAN_IN4 * 4u * LOGITS4 + w0]" : "vec4f()")}
    // Padding columns get a probability of 0.
    logits[turn] = select(vec4f(-1e30), sum, numbersOf(column) < vec4u(VOCABULARY));
    own = max(own, logits[turn]);
  }

  // The lanes of a row exchange its maximum, then its sum of exponentials and the mean logit under the target.
  let row0 = inGroup * SHARES * COLUMNS + share * COLUMNS;
  board[LANES + lane].x = max(max(own.x, own.y), max(own.z, own.w));
  workgroupBarrier();
  var most = -1e30;
  for (var i = 0u; i < COLUMNS; i++) { most = max(most, board[LANES + row0 + i].x); }
  var ownSums = vec2f();
  for (var turn = 0u; turn < TURNS; turn++) {
    ownSums += vec2f(dot(exp(logits[turn] - most), vec4f(1)), dot(targets[turn], logits[turn]));
  }
  board[2u * LANES + lane] = vec4f(ownSums, 0, 0);
  workgroupBarrier();
  var sums = vec2f();
  for (var i = 0u; i < COLUMNS; i++) { sums += board[2u * LANES + row0 + i].xy; }
  if share > 0u || row >= BATCH { return; }

  if column0 == 0u { exampleLosses[step.index * BATCH + row] = log(sums.x) + most - sums.y; }
  for (var turn = 0u; turn < TURNS; turn++) {
    let column = column0 + turn * COLUMNS;
    if column < LOGITS4 {
      let softmax = exp(logits[turn] - most) / sums.x;
      activations[DLOGITS + row * LOGITS4 + column] = (softmax - targets[turn]) / f32(BATCH);
    }
  }
}

fn numbersOf(column: u32) -> vec4u {
  return vec4u(4u * column) + vec4u(0, 1, 2, 3);
}

// One vec4 of a row's target distribution, which adds up to 1.
fn targetOf(row: u32, column: u32) -> vec4f {
  let token = tokens[TARGETS + row];
  let hard = select(vec4f(0), vec4f(1), numbersOf(column) == vec4u(token));
  ${tables?.soft ? soft(tables) : "return hard;"}
}
${MULTIPLY_ADD}
`,
  );
}

/** `h @ W + b` for one vec4 of logits. */
function multiply(bias: string): string {
  return /* wgsl */ `
    let w0 = min(column, LOGITS4 - 1u);
    for (var k = share; k < FAN_IN4; k += SHARES) {
      let w = k * 4u * LOGITS4 + w0;
      let rows = mat4x4f(weight[w], weight[w + LOGITS4], weight[w + 2u * LOGITS4], weight[w + 3u * LOGITS4]);
      sum = multiplyAdd(rows, activations[X + source * FAN_IN4 + k], sum);
    }
    workgroupBarrier();
    board[lane] = sum;
    workgroupBarrier();
    sum = ${bias};
    for (var s = 0u; s < SHARES; s++) { sum += board[(inGroup * SHARES + s) * COLUMNS + column0]; }`;
}

/**
 * A soft target: the shares of the tokens that follow the context. The table omits the token at the context's
 * position, which gets the rest of 1.
 */
function soft({ taught }: ExampleTables): string {
  return /* wgsl */ `
  if step.given == 1u { return hard; }
  let context = tokens[TARGETS + BATCH + row];
  let entry = CONTEXTS + 2u * context;
  var rest = 1.0;
  var result = vec4f();
  for (var pair = examples[entry + 1u]; pair < examples[entry + 3u]; pair++) {
    let share = bitcast<f32>(examples[PAIRS + 2u * pair + 1u]);
    result += select(vec4f(), vec4f(share), numbersOf(column) == vec4u(examples[PAIRS + 2u * pair]));
    rest -= share;
  }
  result += rest * hard;
  ${taught ? "if column < LOGITS4 { result = mix(result, teacher[context * LOGITS4 + column], step.teacher); }" : ""}
  return result;`;
}
