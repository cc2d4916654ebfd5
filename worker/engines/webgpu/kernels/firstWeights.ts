/**
 * The last part of the first level's backward kernel, while the gradients of its rows are in registers: the
 * lecture's `dC[ix] += demb` and `dW = x.T @ dhpreact`. x is embedded characters, and both are linear in
 * `dhpreact`. So `dhpreact` is first summed by character and place, [VOCABULARY, FOLD1], for the workgroup's
 * channels:
 *
 *     dW[place, d]     = sum over characters of C[character, d] * sums[character, place]
 *     demb[character]  = sum over places of sums[character, place] @ W[place].T
 *
 * The workgroup owns its columns of W and trains them here. demb is a sum over all channels: each workgroup
 * writes its partial sum, and embedding.ts adds them up. The sums run in the order of the rows, without atomics,
 * so every run gives the same bits.
 */
import { Buffers, type Plan } from "../plan";
import { type Binding, vec4Array } from "./kernel";
import { eachRow, type Held, type Shape } from "./workgroup";

/** The bindings, constants and code that the first level's kernel adds. */
export interface FirstWeights {
  readonly bindings: readonly Binding[];
  readonly sizes: Readonly<Record<string, number>>;
  /** vec4s on the board. */
  readonly board: number;
  readonly functions: string;
  readonly train: string;
}

/** @param h the level's `dhpreact` */
export function firstWeights(plan: Plan, h: Held, { lanes, board }: Shape): FirstWeights {
  const { chain, blocks, head, dimensions4, tokenRows } = plan;
  const [{ block, weight } = head] = blocks;
  const { fold } = block;
  const entries = chain.vocabularySize * fold;
  const weights = fold * dimensions4 * 4;
  const characters = chain.vocabularySize * dimensions4;
  // Board space for sums, weights and characters, and for partial sums that lanes exchange.
  const all = entries + weights + characters + lanes;
  const onBoard = entries <= lanes && all <= board;
  // Rows on the board at once; four rows take FOLD1 vec4s of tokens.
  let PIECE = 4;
  while (PIECE < tokenRows && 2 * PIECE + (PIECE / 2) * fold <= board) PIECE *= 2;
  // Entries summed at the same time, and lanes per entry.
  const ENTRIES_AT_ONCE = Math.min(entries, lanes);
  let SHARES = 1;
  while (SHARES * 2 * ENTRIES_AT_ONCE <= lanes) SHARES *= 2;
  return {
    bindings: [
      { buffer: Buffers.tokens, name: "tokens", type: vec4Array(plan, Buffers.tokens, "vec4u") }, // [FOLD1, TOKEN_ROWS / 4]
      { buffer: block.weight, name: "weight1", type: vec4Array(plan, block.weight), write: true }, // [FOLD1, DIMENSIONS4 * 4, FAN_OUT4], bias
      { buffer: chain.embedding.weight, name: "embedding", type: vec4Array(plan, chain.embedding.weight) }, // [VOCABULARY, DIMENSIONS4]
    ],
    sizes: {
      FOLD1: fold,
      VOCABULARY: chain.vocabularySize,
      DIMENSIONS4: dimensions4,
      TOKEN_ROWS: tokenRows,
      ENTRIES: entries,
      ENTRIES_AT_ONCE,
      SHARES,
      PIECE,
      DEMB: plan.demb, // [FAN_OUT4, VOCABULARY, DIMENSIONS4]
      CHARACTER_SUMS: plan.characterSums, // [FAN_OUT4, ENTRIES]
      M1: weight.m,
      V1: weight.v,
      // On the board:
      WEIGHT1: entries,
      EMBEDDING: entries + weights,
      EXCHANGE: onBoard ? entries + weights + characters : 0,
    },
    board: Math.max(onBoard ? all : lanes, PIECE + (PIECE / 4) * fold),
    functions: onBoard ? ON_BOARD : IN_MEMORY,
    train: train(h, onBoard, block.bias === undefined ? "none" : block.norm ? "constant" : "trained"),
  };
}

/** How `train` accesses the sums, the old W and C if they fit on the board. */
const ON_BOARD = /* wgsl */ `
fn keepSum(c: u32, entry: u32, sum: vec4f) { board[entry] = sum; }
fn sumOf(c: u32, entry: u32) -> vec4f { return board[entry]; }
fn weight1At(c: u32, i: u32) -> vec4f { return board[WEIGHT1 + i]; }
fn characterAt(i: u32) -> vec4f { return board[EMBEDDING + i]; }
`;

/** The same if they do not fit: the sums go to `activations`. */
const IN_MEMORY = /* wgsl */ `
fn keepSum(c: u32, entry: u32, sum: vec4f) { activations[CHARACTER_SUMS + c * ENTRIES + entry] = sum; }
fn sumOf(c: u32, entry: u32) -> vec4f { return activations[CHARACTER_SUMS + c * ENTRIES + entry]; }
fn weight1At(c: u32, i: u32) -> vec4f { return weight1[i * FAN_OUT4 + c]; }
fn characterAt(i: u32) -> vec4f { return embedding[i]; }
`;

function train(h: Held, onBoard: boolean, bias: "none" | "constant" | "trained"): string {
  return /* wgsl */ `
  ${
    onBoard
      ? /* wgsl */ `
  // Read early, so that the reads overlap with the sums.
  const HELD_WEIGHTS = (FOLD1 * DIMENSIONS4 * 4u + LANES - 1u) / LANES;
  const HELD_CHARACTERS = (VOCABULARY * DIMENSIONS4 + LANES - 1u) / LANES;
  var heldWeights: array<vec4f, HELD_WEIGHTS>;
  for (var i = 0u; i < HELD_WEIGHTS; i++) {
    heldWeights[i] = weight1[min(i * LANES + lane, FOLD1 * DIMENSIONS4 * 4u - 1u) * FAN_OUT4 + c];
  }
  var heldCharacters: array<vec4f, HELD_CHARACTERS>;
  for (var i = 0u; i < HELD_CHARACTERS; i++) {
    heldCharacters[i] = embedding[min(i * LANES + lane, VOCABULARY * DIMENSIONS4 - 1u)];
  }`
      : ""
  }
  // dhpreact, summed by character and place. A lane adds every SHARES-th group of four rows to one of the sums.
  for (var entry0 = 0u; entry0 < ENTRIES; entry0 += ENTRIES_AT_ONCE) {
    let entry = entry0 + lane % ENTRIES_AT_ONCE;
    let share = lane / ENTRIES_AT_ONCE;
    let place = entry % FOLD1;
    let character = vec4f(f32(entry / FOLD1));
    var characterSum = vec4f();
    for (var base = 0u; base < TOKEN_ROWS; base += PIECE) {
      let fours = min(PIECE, TOKEN_ROWS - base) / 4u;
      workgroupBarrier();
      ${eachRow(`if row >= base && row < base + PIECE { board[row - base] = ${h.value}; }`)}
      // A float32 represents every id exactly.
      for (var i = lane; i < FOLD1 * fours; i += LANES) {
        board[PIECE + i] = vec4f(tokens[i / fours * (TOKEN_ROWS / 4u) + base / 4u + i % fours]);
      }
      workgroupBarrier();
      if share < SHARES && entry < ENTRIES {
        for (var four = share; four < fours; four += SHARES) {
          let has = board[PIECE + place * fours + four] == character;
          let row0 = board[four * 4u];
          let row1 = board[four * 4u + 1u];
          let row2 = board[four * 4u + 2u];
          let row3 = board[four * 4u + 3u];
          characterSum += select(vec4f(), row0, has.x);
          characterSum += select(vec4f(), row1, has.y);
          characterSum += select(vec4f(), row2, has.z);
          characterSum += select(vec4f(), row3, has.w);
        }
      }
    }
    workgroupBarrier();
    board[EXCHANGE + lane] = characterSum;
    ${
      onBoard
        ? /* wgsl */ `
    for (var i = 0u; i * LANES + lane < FOLD1 * DIMENSIONS4 * 4u; i++) { board[WEIGHT1 + i * LANES + lane] = heldWeights[i]; }
    for (var i = 0u; i * LANES + lane < VOCABULARY * DIMENSIONS4; i++) { board[EMBEDDING + i * LANES + lane] = heldCharacters[i]; }`
        : ""
    }
    workgroupBarrier();
    if lane < ENTRIES_AT_ONCE && entry < ENTRIES {
      for (var s = 1u; s < SHARES; s++) { characterSum += board[EXCHANGE + s * ENTRIES_AT_ONCE + lane]; }
      keepSum(c, entry, characterSum);
    }
  }
  workgroupBarrier();
  storageBarrier();

  // demb: the workgroup's partial sum
  for (var i = lane; i < VOCABULARY * DIMENSIONS4; i += LANES) {
    var demb = vec4f();
    for (var place = 0u; place < FOLD1; place++) {
      let w = (place * DIMENSIONS4 + i % DIMENSIONS4) * 4u;
      let rows = mat4x4f(weight1At(c, w), weight1At(c, w + 1u), weight1At(c, w + 2u), weight1At(c, w + 3u));
      demb = multiplyAddT(sumOf(c, i / DIMENSIONS4 * FOLD1 + place), rows, demb);
    }
    activations[DEMB + c * VOCABULARY * DIMENSIONS4 + i] = demb;
  }
  ${onBoard ? "" : "// Every lane has read the old W.\n  storageBarrier();"}
  // dW: in reverse order of lanes, because the first lanes had more work on demb
  for (var i = LANES - 1u - lane; i < FOLD1 * DIMENSIONS4 * 4u; i += LANES) {
    let place = i / (DIMENSIONS4 * 4u);
    let d = i % (DIMENSIONS4 * 4u);
    var gradient = vec4f();
    for (var v = 0u; v < VOCABULARY; v++) {
      gradient += characterAt(v * DIMENSIONS4 + d / 4u)[d % 4u] * sumOf(c, v * FOLD1 + place);
    }
    let at = i * FAN_OUT4 + c;
    weight1[at] = learn(weight1At(c, i), gradient, M1 + at, V1 + at);
  }
  ${
    bias === "none"
      ? ""
      : /* wgsl */ `
  // Before a BatchNorm1d a bias does not affect the loss, so its gradient is exactly 0, not a rounding error.
  var biasSum = vec4f();
  ${bias === "trained" ? eachRow(`biasSum += ${h.value};`) : ""}
  let db = sumOverLanes(lane, biasSum);
  if lane == 0u {
    let at = FOLD1 * DIMENSIONS4 * 4u * FAN_OUT4 + c;
    weight1[at] = learn(weight1[at], db, M1 + at, V1 + at);
  }`
  }`;
}
