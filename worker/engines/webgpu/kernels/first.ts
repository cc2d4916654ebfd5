/**
 * The first level's forward pass: draws the minibatch, embeds it, `hpreact = x @ W + b`, BatchNorm1d, tanh.
 *
 * A row of x is FOLD embedded characters, so `x @ W` is a sum of FOLD rows of the table `embedding @ W`,
 * [VOCABULARY, FOLD, channels], which is small because the vocabulary is. A workgroup owns one vec4 of channels,
 * computes their part of the table on its board, and looks rows up. If the table does not fit on the board, it
 * multiplies each row.
 *
 * Every workgroup draws the minibatch for itself; the first one also stores the tokens.
 */
import { Buffers, NormRow, type Plan } from "../plan";
import { type Kernel, kernel, MULTIPLY_ADD, sizes, vec4Array } from "./kernel";
import { type Drawn, minibatch, minibatchBindings } from "./minibatch";
import { activation, forwardNorm, normBinding, readNorm } from "./norm";
import { board, eachRow, held, plainRows, rowSizes, type Shape, SUMS, sumsBoard, TAKER } from "./workgroup";

/** Maximum number of characters that a lane keeps in registers. */
const MOST_CHARACTERS = 64;

/** See the top of this file. */
export function firstKernel(plan: Plan, drawn: Drawn, shape: Shape): Kernel {
  const { chain, batch, dimensions4, tokenRows, head } = plan;
  const [level = head] = plan.blocks;
  const { block, rows, fanOut4, normalized, y } = level;
  const { bias, fold } = block;
  const lanes = plainRows(shape, rows);
  const h = held(lanes, "h", "Y");
  const weights = fold * dimensions4 * 4;
  const characters = chain.vocabularySize * dimensions4;
  const entries = chain.vocabularySize * fold;
  const hasTable = weights + characters + entries <= shape.board;
  // Draw before the table is computed if the characters fit in registers, so that the reads overlap with it.
  const early = lanes.HELD * fold <= MOST_CHARACTERS;
  const draw = /* wgsl */ `
      let example = exampleOf(row / POSITIONS);
      if c == 0u && row % POSITIONS == 0u {
        let at = FOLD * TOKEN_ROWS + row / POSITIONS;
        tokens[at] = tokenAt(example.position);
        ${drawn.tables?.soft ? "tokens[at + BATCH] = example.context;" : ""}
      }
      let drawn = charactersOf(example.position, row % POSITIONS);`;
  return kernel(
    "first",
    fanOut4,
    [
      ...minibatchBindings(drawn),
      { buffer: chain.embedding.weight, name: "embedding", type: vec4Array(plan, chain.embedding.weight) }, // [VOCABULARY, DIMENSIONS4]
      { buffer: block.weight, name: "weight", type: vec4Array(plan, block.weight) }, // [FOLD, DIMENSIONS4 * 4, FAN_OUT4], bias
      { buffer: Buffers.tokens, name: "tokens", type: "array<u32>", write: true }, // [FOLD, TOKEN_ROWS], [2, BATCH]
      {
        buffer: Buffers.activations,
        name: "activations",
        type: vec4Array(plan, Buffers.activations),
        write: true,
      },
      ...normBinding(plan, level),
    ],
    /* wgsl */ `
${sizes({
  LANES: shape.lanes,
  BATCH: batch,
  CONTEXT: chain.contextLength,
  POSITIONS: block.positions,
  FOLD: fold,
  VOCABULARY: chain.vocabularySize,
  DIMENSIONS4: dimensions4,
  TOKEN_ROWS: tokenRows,
  ROWS: rows,
  FAN_OUT4: fanOut4,
  NORMALIZED: normalized,
  Y: y,
  ...NormRow,
  // On the board:
  WEIGHT: 0,
  EMBEDDING: weights,
  TABLE: weights + characters,
})}
${rowSizes(lanes)}
${board(Math.max(sumsBoard(shape), hasTable ? weights + characters + entries : 0))}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let c = group.x;
  ${TAKER}
  ${readNorm(level)}
  ${h.declare}
  ${
    hasTable
      ? /* wgsl */ `
  for (var i = lane; i < FOLD * DIMENSIONS4 * 4u; i += LANES) { board[WEIGHT + i] = weight[i * FAN_OUT4 + c]; }
  for (var i = lane; i < VOCABULARY * DIMENSIONS4; i += LANES) { board[EMBEDDING + i] = embedding[i]; }`
      : ""
  }
  ${
    early
      ? /* wgsl */ `
  var characters: array<array<u32, FOLD>, HELD>;
  ${eachRow(`${draw}\n      characters[i] = drawn;`)}`
      : ""
  }
  ${
    hasTable
      ? /* wgsl */ `
  workgroupBarrier();
  for (var entry = lane; entry < VOCABULARY * FOLD; entry += LANES) {
    var sum = vec4f();
    for (var d = 0u; d < DIMENSIONS4; d++) {
      let w = WEIGHT + (entry % FOLD * DIMENSIONS4 + d) * 4u;
      sum = multiplyAdd(mat4x4f(board[w], board[w + 1u], board[w + 2u], board[w + 3u]), board[EMBEDDING + entry / FOLD * DIMENSIONS4 + d], sum);
    }
    board[TABLE + entry] = sum;
  }
  workgroupBarrier();`
      : ""
  }
  ${eachRow(/* wgsl */ `
      ${early ? "" : draw}
      var sum = ${bias ? "weight[FOLD * DIMENSIONS4 * 4u * FAN_OUT4 + c]" : "vec4f()"};
      for (var place = 0u; place < FOLD; place++) {
        let token = ${early ? "characters[i]" : "drawn"}[place];
        if c == 0u { tokens[place * TOKEN_ROWS + row] = token; }
        sum = addCharacter(token, place, c, sum);
      }
      ${h.value} = sum;`)}
  ${forwardNorm(level, h)}
}

// The characters of a row: back from the target to the last boundary, and only boundaries before it. No read
// depends on another one.
fn charactersOf(position: u32, row: u32) -> array<u32, FOLD> {
  var characters: array<u32, FOLD>;
  var inside = true;
  for (var back = 1u; back <= CONTEXT; back++) {
    let token = tokenAt(max(position, back) - back);
    inside = inside && token != 0u;
    let place = CONTEXT - back;
    if place / FOLD == row { characters[place % FOLD] = select(0u, token, inside); }
  }
  return characters;
}

// sum + embedding[token] @ W[place]
fn addCharacter(token: u32, place: u32, c: u32, sum: vec4f) -> vec4f {
  ${
    hasTable
      ? "return sum + board[TABLE + token * FOLD + place];"
      : /* wgsl */ `
  var result = sum;
  for (var d = 0u; d < DIMENSIONS4; d++) {
    let w = (place * DIMENSIONS4 + d) * 4u * FAN_OUT4 + c;
    let rows = mat4x4f(weight[w], weight[w + FAN_OUT4], weight[w + 2u * FAN_OUT4], weight[w + 3u * FAN_OUT4]);
    result = multiplyAdd(rows, embedding[token * DIMENSIONS4 + d], result);
  }
  return result;`
  }
}
${activation(level)}
${minibatch(drawn)}
${SUMS}
${MULTIPLY_ADD}
`,
  );
}
