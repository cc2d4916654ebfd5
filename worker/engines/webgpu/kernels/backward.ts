/**
 * A level's backward pass, from the gradient of the next Linear's output to that of its own Linear's output:
 * `dh = dhpreact_next @ W_next.T`, `dhpreact = (1 - h**2) * dh`, and back through BatchNorm1d.
 *
 * A workgroup owns one vec4 of channels for all rows. It is therefore the only one that reads the rows of W_next
 * that multiply these channels, and it trains them after reading: `W_next -= rate * h.T @ dhpreact_next`. It also
 * owns its channels' gamma and beta, and in the first level its columns of W: see firstWeights.ts. Within this
 * dispatch, only the workgroup that trains a number may read it.
 */
import type { Optimizer } from "../../../optimizers";
import { type BlockPlan, Buffers, NormRow, type Plan } from "../plan";
import { firstWeights } from "./firstWeights";
import { type Kernel, kernel, MULTIPLY_ADD, repeat, sizes, unroll, vec4Array } from "./kernel";
import { learn, momentsBinding } from "./learn";
import { backwardNorm, learnNorm, normBinding, readForward } from "./norm";
import {
  board,
  dividedProduct,
  eachRow,
  type Held,
  held,
  plainRows,
  rowSizes,
  type Shape,
  SUMS,
  sumsBoard,
  TAKER,
  takeRows,
} from "./workgroup";

/**
 * @param next the level above. Absent if another kernel has already computed the gradient: product.ts, or for the
 *   head the head's kernel, which computes its `dhpreact`.
 */
export function backwardKernel(
  plan: Plan,
  level: BlockPlan,
  next: BlockPlan | undefined,
  optimizer: Optimizer,
  shape: Shape,
): Kernel {
  const { block, rows, fanOut4, normalized, y, gradient } = level;
  const from = next ? gradientFrom(next, shape) : undefined;
  const lanes = from?.product ?? plainRows(shape, rows);
  const h = held(lanes, "h", "DHPREACT");
  const normalizedRows = held(lanes, "normalized", "NORMALIZED");
  const yRows = held(lanes, "y", "Y");
  const first = level === plan.blocks[0] ? firstWeights(plan, h, shape) : undefined;
  const trains = from !== undefined || first !== undefined;
  return kernel(
    `backward of ${block.weight}`,
    fanOut4,
    [
      {
        buffer: Buffers.activations,
        name: "activations",
        type: vec4Array(plan, Buffers.activations),
        write: true,
      },
      ...(next
        ? [
            {
              buffer: next.block.weight,
              name: "weight",
              type: vec4Array(plan, next.block.weight),
              write: true,
            },
          ] // [FOLD, FAN_OUT4 * 4, NEXT_OUT4], bias
        : []),
      ...normBinding(plan, level),
      ...(trains ? momentsBinding(plan, optimizer) : []),
      ...(first?.bindings ?? []),
    ],
    /* wgsl */ `
${sizes({
  LANES: shape.lanes,
  ROWS: rows,
  FAN_OUT4: fanOut4,
  NORMALIZED: normalized,
  Y: y,
  DHPREACT: gradient,
  ...NormRow,
  ...from?.sizes,
  ...first?.sizes,
})}
${rowSizes(lanes)}
${board(Math.max(sumsBoard(shape), 4 * shape.lanes, from?.board ?? 0, first?.board ?? 0))}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let c = group.x;
  ${TAKER}
  ${readForward(level, normalizedRows, yRows)}
  ${h.declare}
  ${from ? from.multiply(h) + from.train : eachRow(h.load)}
  ${backwardNorm(level, h, normalizedRows, yRows)}
  ${first?.train ?? ""}
}
${learnNorm(level, optimizer)}
${trains ? learn(optimizer) : ""}
${first?.functions ?? ""}
${SUMS}
${MULTIPLY_ADD}
`,
  );
}

/**
 * Loops with at most this many iterations are not unrolled: fetching the longer code for each kernel costs more than
 * unrolling gains. On an NVIDIA H200 it cost 2.4 µs per step at batch 32, and 2.3 µs at batch 64.
 */
const FEW_STEPS = 16;

/** Everything that a level's kernel needs of the level above. */
function gradientFrom(next: BlockPlan, shape: Shape) {
  const { block, rows, fanOut4, gradient, weight } = next;
  const { fold, bias, norm } = block;
  // A joined row (a row of the next level's input) is FOLD rows of this level. A tile has up to four of those.
  const GROUPS = Math.ceil(fold / 4);
  const PLACES = Math.ceil(fold / GROUPS);
  const JOINED_TILE = Math.floor(4 / PLACES);
  const divided = dividedProduct(
    shape,
    { tiles: Math.ceil(rows / JOINED_TILE), tile: JOINED_TILE * PLACES, terms: fanOut4, columns: 4 * PLACES },
    GROUPS === 1 ? undefined : ROW_OF_GROUPS,
  );
  const PASSES = divided.PASSES * GROUPS;
  const product = { ...divided, PASSES, HELD: Math.ceil(PASSES / divided.SLOTS) };
  const N = Math.min(fanOut4, shape.lanes);
  const evenTerms = fanOut4 % product.CHUNK === 0;
  const evenPlaces = fold % PLACES === 0;
  const terms = product.CHUNK / product.PARTS;
  const productSteps = PASSES * Math.ceil(fanOut4 / product.PARTS);
  const UNROLL = productSteps > FEW_STEPS ? unroll(terms, shape.unroll.backward) : 1;
  const ROW_PARTS = Math.floor(shape.lanes / N);
  const trainSteps = rows / ROW_PARTS;
  const TRAIN_UNROLL =
    rows % ROW_PARTS === 0 && trainSteps > FEW_STEPS ? unroll(trainSteps, shape.unroll.train) : 1;
  return {
    product,
    board: 4 * PLACES * product.CHUNK,
    sizes: {
      FOLD: fold,
      GROUPS,
      PLACES,
      JOINED: rows,
      JOINED_TILE,
      NEXT_OUT4: fanOut4,
      DHPREACT_NEXT: gradient,
      N,
      ROW_PARTS,
      UNROLL,
      TRAIN_UNROLL,
      M: weight.m,
      V: weight.v,
    },
    multiply: (h: Held) => multiply(h, PLACES, JOINED_TILE, evenTerms, evenPlaces, UNROLL),
    train: train(
      PLACES,
      evenPlaces,
      bias === undefined ? "none" : norm ? "constant" : "trained",
      TRAIN_UNROLL,
    ),
  };
}

/** With more than four places, a pass handles PLACES of them. */
const ROW_OF_GROUPS = /* wgsl */ `
  let joined = pass_ / GROUPS * TILES * JOINED_TILE + taker / PLACES;
  let place = pass_ % GROUPS * PLACES + taker % PLACES;
  return select(ROWS, joined * FOLD + place, place < FOLD);`;

/**
 * `dh = dhpreact_next @ W_next.T`. A lane computes JOINED_TILE joined rows, for the workgroup's channels at PLACES
 * places of each row, and sums every PARTS-th vec4 of the terms.
 *
 * @param tile JOINED_TILE
 * @param evenTerms whether CHUNK divides the terms; if not, the last chunk is padded with weights of 0
 * @param evenPlaces whether PLACES divides FOLD; if not, missing places get weights of 0
 * @param unrolled UNROLL: number of terms whose gradients are read together
 */
function multiply(
  h: Held,
  places: number,
  tile: number,
  evenTerms: boolean,
  evenPlaces: boolean,
  unrolled: number,
): string {
  const term = (k: string) => (evenTerms ? k : `min(${k}, NEXT_OUT4 - 1u)`);
  const read = (k: string, u: number) =>
    repeat(tile, (r) => `d${r}_${u} = activations[at${r} + ${term(k)}];`);
  const inside = [evenTerms ? "" : "term < NEXT_OUT4", evenPlaces ? "" : "place < FOLD"]
    .filter(Boolean)
    .join(" && ");
  const at = `((${evenPlaces ? "place" : "min(place, FOLD - 1u)"} * FAN_OUT4 + c) * 4u + row % 4u) * NEXT_OUT4 + ${term("term")}`;
  return /* wgsl */ `
  let part = lane % PARTS;
  let tile = lane / PARTS;
  for (var pass_ = 0u; pass_ < PASSES; pass_++) {
    let joined = (pass_ / GROUPS * TILES + tile) * JOINED_TILE;
    ${repeat(tile, (r) => `let at${r} = DHPREACT_NEXT + min(joined + ${r}u, JOINED - 1u) * NEXT_OUT4;\n${repeat(unrolled, (u) => `var d${r}_${u}: vec4f;`)}`)}
    ${repeat(tile * places, (v) => `var dh${v} = vec4f();`)}
    for (var first = 0u; first < NEXT_OUT4; first += CHUNK) {
      // Start to read the first gradients while the weights are copied to the board.
      ${repeat(unrolled, (u) => read(`first + ${u}u * PARTS + part`, u))}
      for (var i = lane; i < PLACES * 4u * CHUNK; i += LANES) {
        let row = i / CHUNK;  // place, then channel
        let place = pass_ % GROUPS * PLACES + row / 4u;
        let term = first + i % CHUNK;
        board[i] = ${inside ? `select(vec4f(), weight[${at}], ${inside})` : `weight[${at}]`};
      }
      workgroupBarrier();
      var w: mat4x4f;
      for (var s = 0u; s < CHUNK / PARTS; s += UNROLL) {
        ${repeat(
          unrolled,
          (u) =>
            `${repeat(
              places,
              (
                place,
              ) => `w = mat4x4f(${[0, 1, 2, 3].map((ch) => `board[${place * 4 + ch}u * CHUNK + (s + ${u}u) * PARTS + part]`).join(", ")});
        ${repeat(tile, (r) => `dh${r * places + place} = multiplyAddT(d${r}_${u}, w, dh${r * places + place});`)}`,
            )}`,
        )}
        if s + UNROLL < CHUNK / PARTS {
          ${repeat(unrolled, (u) => read(`first + (s + UNROLL + ${u}u) * PARTS + part`, u))}
        }
      }
      workgroupBarrier();
    }
    ${repeat(tile * places, (v) => `board[(tile * TILE + ${v}u) * PARTS + part] = dh${v};`)}
    ${takeRows(h, "vec4f()")}
  }`;
}

/**
 * `W_next -= rate * h.T @ dhpreact_next` for the workgroup's channels. A lane handles one vec4 of outputs, PLACES
 * places and every ROW_PARTS-th row. The first workgroup also trains the bias.
 *
 * @param bias before a BatchNorm1d it does not affect the loss, so its gradient is exactly 0, not a rounding error
 * @param unrolled TRAIN_UNROLL: number of rows that are read together
 */
function train(
  places: number,
  evenPlaces: boolean,
  bias: "none" | "constant" | "trained",
  unrolled: number,
): string {
  const place = (p: number) => (evenPlaces ? `place0 + ${p}u` : `min(place0 + ${p}u, FOLD - 1u)`);
  return /* wgsl */ `
  for (var place0 = 0u; place0 < FOLD; place0 += PLACES) {
    for (var n0 = 0u; n0 < NEXT_OUT4; n0 += N) {
      let n = n0 + lane % N;
      let rowPart = lane / N;
      let works = rowPart < ROW_PARTS && n < NEXT_OUT4;
      ${repeat(places, (p) => `var dW${p} = mat4x4f();`)}
      ${bias === "none" ? "" : "var db = vec4f();"}
      if works {
        for (var joined = rowPart; joined < JOINED; joined += TRAIN_UNROLL * ROW_PARTS) {
          ${repeat(
            unrolled,
            (u) => `let joined${u} = joined + ${u}u * ROW_PARTS;
          let d${u} = activations[DHPREACT_NEXT + joined${u} * NEXT_OUT4 + n];
          ${repeat(places, (p) => `let y${p}_${u} = activations[Y + (joined${u} * FOLD + ${place(p)}) * FAN_OUT4 + c];`)}`,
          )}
          ${repeat(
            unrolled,
            (u) => `${repeat(places, (p) => `dW${p} = outerAdd(y${p}_${u}, d${u}, dW${p});`)}
          ${bias === "trained" ? `db += d${u};` : ""}`,
          )}
        }
      }
      ${repeat(
        places,
        (p) => /* wgsl */ `
      workgroupBarrier();
      if works { ${[0, 1, 2, 3].map((ch) => `board[(${ch}u * ROW_PARTS + rowPart) * N + lane % N] = dW${p}[${ch}];`).join(" ")} }
      workgroupBarrier();
      for (var i = lane; i < 4u * N; i += LANES) {
        let ch = i / N;
        if n0 + i % N < NEXT_OUT4 ${evenPlaces ? "" : `&& place0 + ${p}u < FOLD`} {
          let at = (((place0 + ${p}u) * FAN_OUT4 + c) * 4u + ch) * NEXT_OUT4 + n0 + i % N;
          var gradient = vec4f();
          for (var part = 0u; part < ROW_PARTS; part++) { gradient += board[(ch * ROW_PARTS + part) * N + i % N]; }
          weight[at] = learn(weight[at], gradient, M + at, V + at);
        }
      }`,
      )}
      ${
        bias === "none"
          ? ""
          : /* wgsl */ `
      workgroupBarrier();
      if works { board[lane] = db; }
      workgroupBarrier();
      if c == 0u && place0 == 0u && lane < N && n < NEXT_OUT4 {
        let at = FOLD * FAN_OUT4 * 4u * NEXT_OUT4 + n;
        var gradient = vec4f();
        for (var part = 0u; part < ROW_PARTS; part++) { gradient += board[part * N + lane]; }
        weight[at] = learn(weight[at], gradient, M + at, V + at);
      }`
      }
    }
  }
  workgroupBarrier();`;
}
