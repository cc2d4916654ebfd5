/**
 * Compiles a network that reads words into the static plan of kernels/words: a list of kernels with their
 * addresses. This allocates all memory once; a step allocates nothing.
 */
import { MakemoreError } from "../../../src/errors";
import type { Layer } from "../../model/layer";
import type { LayerSpec } from "../../model/layers";
import type { Network } from "../../model/network";
import type { Kernels } from "./exports";
import { padTo8, type StoredParameter } from "./memoryLayout";

/** Codes of the kernels, as in kernels/words/index.ts. */
const Code = {
  embedding: 0,
  expand: 1,
  positionEmbedding: 2,
  linear: 3,
  norm: 4,
  tanh: 5,
  relu: 6,
  gelu: 7,
  residualStart: 8,
  residualEnd: 9,
  causalMean: 10,
  attention: 11,
  rnn: 12,
  gru: 13,
  lstm: 14,
} as const;

/** 4-byte numbers per kernel in the plan: `RECORD` of kernels/words/index.ts, divided by 4. */
const RECORD = 24;

/** What a value has a row for: each distinct token of the batch, or each node of its trie. */
const Space = { tokens: 0, nodes: 1 } as const;
type Space = (typeof Space)[keyof typeof Space];

/** Layers whose output at a place depends on more than the place's character. */
const readsPlaces = new Set<string>([
  "PositionEmbedding",
  "CausalSelfAttention",
  "CausalMean",
  "RNN",
  "GRU",
  "LSTM",
]);
const recurrent = new Set<string>(["RNN", "GRU", "LSTM"]);
/** The other layers that have kernels. */
const others = new Set<string>([
  "Embedding",
  "Linear",
  "LayerNorm",
  "RMSNorm",
  "Tanh",
  "ReLU",
  "GELU",
  "Residual",
]);

/** The part of a `Layer` that the plan depends on. */
export type PlanLayer = Pick<Layer<LayerSpec>, "name" | "spec" | "inputShape" | "outputShape" | "layers">;

/** Lists all layers, including nested ones. */
function everyLayer(layers: readonly PlanLayer[]): PlanLayer[] {
  return layers.flatMap((layer) => [layer, ...everyLayer(layer.layers ?? [])]);
}

/** Returns the first layer without a kernel, or undefined. */
export function unknownLayer(layers: readonly PlanLayer[]): PlanLayer | undefined {
  return everyLayer(layers).find(
    ({ spec: { type } }, i) =>
      !(readsPlaces.has(type) || others.has(type)) || (type === "Embedding") !== (i === 0),
  );
}

/** The words to train on. */
export interface PlanInput {
  /** Addresses of the tokens, u16, and of the words' start positions, u32. */
  readonly stream: number;
  readonly starts: number;
  readonly words: number;
  readonly even: boolean;
  readonly batchSize: number;
  /** Characters of the longest word. */
  readonly longest: number;
}

/** Placeholder for the gradient of the logits until it has an address. */
const LOGITS = -1;

/** An activation between two layers. */
interface Value {
  /** Addresses of its numbers and of its gradient. */
  readonly at: number;
  readonly gradient: number;
  readonly channels: number;
  readonly space: Space;
}

/**
 * Allocates the memory and passes the plan to the kernels. Choose the optimiser before. Call the returned `write`
 * when nothing more is allocated; the plan takes effect then.
 */
export function compilePlan(
  kernels: Kernels,
  network: Pick<Network, "vocabularySize"> & { readonly layers: readonly PlanLayer[] },
  input: PlanInput,
): { layout: StoredParameter[]; write: () => void } {
  const compiler = new Compiler(kernels, network, input);
  return { layout: compiler.layout, write: () => compiler.write() };
}

class Compiler {
  readonly layout: StoredParameter[] = [];
  readonly #records: number[][] = [];
  readonly #recordsAt: number;
  readonly #kernels: Kernels;
  readonly #vocabularySize: number;
  readonly #batchSize: number;
  readonly #longest: number;
  /** Maximum number of rows of a value. */
  readonly #capacity: Record<Space, number>;
  /** Channels of the widest value. */
  readonly #widest: number;
  readonly #zeros: number;
  /** Gradient buffers that layers share. */
  readonly #gradients = new Map<string, number>();

  constructor(
    kernels: Kernels,
    { layers, vocabularySize }: Pick<Network, "vocabularySize"> & { readonly layers: readonly PlanLayer[] },
    input: PlanInput,
  ) {
    this.#kernels = kernels;
    this.#vocabularySize = vocabularySize;
    const { stream, starts, words, even, batchSize, longest } = input;
    this.#batchSize = batchSize;
    this.#longest = longest;
    const every = everyLayer(layers);
    const byLevel = every.some(({ spec }) => recurrent.has(spec.type));
    const hasPaths = every.some(({ spec }) => spec.type === "CausalSelfAttention");
    kernels.beginWords(stream, starts, words, even, batchSize, longest, vocabularySize, byLevel, hasPaths);
    const nodes = kernels.nodeCapacity(batchSize, longest, byLevel);
    this.#capacity = { [Space.tokens]: Math.min(nodes, vocabularySize + 3), [Space.nodes]: nodes };
    this.#widest = Math.max(...every.map(widestOf));
    this.#zeros = kernels.allocateNumbers(this.#widest);
    const last = this.#compile(layers, undefined, 0);
    this.#recordsAt = kernels.allocateNumbers(this.#records.length * RECORD);
    const logits = kernels.setLogits(last.at, last.space, this.#capacity[last.space], padTo8(last.channels));
    // Replace the placeholder by the address of the gradient of the logits.
    for (const record of this.#records)
      for (const [i, n] of record.entries()) if (n === LOGITS) record[i] = logits;
  }

  write(): void {
    const view = new Uint32Array(this.#kernels.memory.buffer, this.#recordsAt, this.#records.length * RECORD);
    for (const [i, record] of this.#records.entries()) view.set(record, i * RECORD);
    this.#kernels.setPlan(this.#recordsAt, this.#records.length);
  }

  #emit(code: number, ...fields: number[]): void {
    this.#records.push([code, ...fields]);
  }

  /** Allocates a value, or a buffer of the same shape. */
  #room(space: Space, width: number): number {
    return this.#kernels.allocateNumbers(this.#capacity[space] * width);
  }

  /** Returns a gradient buffer that is needed only during one layer's backward pass, so layers share it. */
  #shared(key: string): number {
    const at = this.#gradients.get(key) ?? this.#room(Space.nodes, this.#widest);
    this.#gradients.set(key, at);
    return at;
  }

  /**
   * Compiles a sequence of layers.
   *
   * @param x input; undefined for the whole network, which begins with an Embedding
   * @param depth number of Residuals around the layers
   * @param outputGradient address of the gradient of the last layer's output; default: that of the logits
   */
  #compile(
    layers: readonly PlanLayer[],
    x: Value | undefined,
    depth: number,
    outputGradient = LOGITS,
  ): Value {
    let value = x;
    for (const [i, layer] of layers.entries()) {
      const before = i === 0 ? undefined : layers[i - 1];
      // Layers alternate between two gradient buffers, one for the input and one for the output.
      const gradient = i === layers.length - 1 ? outputGradient : this.#shared(`${depth} ${i % 2}`);
      value = this.#layer(layer, value, gradient, depth, before?.spec.type === "Linear");
    }
    if (!value)
      throw new MakemoreError("INVALID_MODEL", "The list of layers is empty; begin with an Embedding.");
    return value;
  }

  /** @param overwrites whether the layer may work in place, because the layer before does not need its output again */
  #layer(
    layer: PlanLayer,
    x: Value | undefined,
    gradient: number,
    depth: number,
    overwrites: boolean,
  ): Value {
    const { name, spec } = layer;
    if (spec.type === "Embedding") return this.#embedding(layer, gradient);
    if (!x)
      throw new MakemoreError(
        "INVALID_MODEL",
        `The list of layers begins with ${name}; begin with an Embedding.`,
      );
    const width = padTo8(x.channels);
    switch (spec.type) {
      case "PositionEmbedding": {
        const { at, gradient: dx, channels } = this.#expanded(x);
        const { positions } = spec;
        const weight = this.#table(`${name}.weight`, positions, channels);
        const y = this.#room(Space.nodes, width);
        this.#emit(
          Code.positionEmbedding,
          weight,
          this.#kernels.allocateNumbers(positions * width),
          4 * positions * width,
          at,
          dx,
          y,
          gradient,
          width,
        );
        return { at: y, gradient, channels, space: Space.nodes };
      }
      case "Linear":
        return this.#linear(name, x, gradient, channelsOf(layer.outputShape), spec.bias !== false);
      case "LayerNorm":
      case "RMSNorm": {
        const centers = spec.type === "LayerNorm";
        const weight = centers ? this.#vector(`${name}.weight`, x.channels) : 0;
        const bias = centers ? this.#vector(`${name}.bias`, x.channels) : 0;
        const y = this.#room(x.space, width);
        this.#emit(
          Code.norm,
          x.space,
          x.at,
          x.gradient,
          y,
          gradient,
          x.channels,
          width,
          bits(spec.epsilon ?? 1e-5),
          Number(centers),
          weight,
          bias,
          this.#room(x.space, 2),
        );
        return { ...x, at: y, gradient };
      }
      case "Tanh":
      case "ReLU":
      case "GELU": {
        const gelu = spec.type === "GELU";
        const y = overwrites && !gelu ? x.at : this.#room(x.space, width);
        const slope = gelu ? (overwrites ? x.at : this.#room(x.space, width)) : 0;
        const code = gelu ? Code.gelu : spec.type === "Tanh" ? Code.tanh : Code.relu;
        this.#emit(code, x.space, x.at, x.gradient, y, gradient, width, slope);
        return { ...x, at: y, gradient };
      }
      case "Residual":
        return this.#residual(layer, x, gradient, depth);
      case "CausalMean": {
        const { at, gradient: dx } = this.#expanded(x);
        const y = this.#room(Space.nodes, width);
        this.#emit(Code.causalMean, at, dx, y, gradient, width, this.#room(Space.nodes, width));
        return { at: y, gradient, channels: x.channels, space: Space.nodes };
      }
      case "CausalSelfAttention":
        return this.#attention(name, spec, x, gradient);
      case "RNN":
      case "GRU":
      case "LSTM":
        return this.#cell(name, spec, x, gradient);
      default:
        throw new MakemoreError("UNSUPPORTED", `The wasm kernels do not know the layer "${spec.type}".`);
    }
  }

  /** @param name of the table's parameter, [rows, channels] */
  #table(name: string, rows: number, channels: number): number {
    const width = padTo8(channels);
    const address = this.#kernels.allocateTensor(rows * width);
    this.#store(
      name,
      address,
      rows * width,
      rows * channels,
      (i) => Math.floor(i / channels) * width + (i % channels),
    );
    return address;
  }

  #vector(name: string, channels: number): number {
    return this.#table(name, 1, channels);
  }

  #store(name: string, address: number, padded: number, length: number, place: (i: number) => number): void {
    this.layout.push({ name, trainable: true, address, length, padded, place });
  }

  #embedding({ name, outputShape }: PlanLayer, gradient: number): Value {
    const channels = channelsOf(outputShape);
    const width = padTo8(channels);
    const size = this.#vocabularySize * width;
    const weight = this.#table(`${name}.weight`, this.#vocabularySize, channels);
    const y = this.#room(Space.tokens, width);
    this.#emit(Code.embedding, weight, this.#kernels.allocateNumbers(size), 4 * size, y, gradient, width);
    return { at: y, gradient, channels, space: Space.tokens };
  }

  /** Expands a value to one row per node. */
  #expanded(x: Value): Value {
    if (x.space === Space.nodes) return x;
    const width = padTo8(x.channels);
    const [y, dy] = [this.#room(Space.nodes, width), this.#room(Space.nodes, width)];
    this.#emit(Code.expand, x.at, x.gradient, y, dy, width);
    return { ...x, at: y, gradient: dy, space: Space.nodes };
  }

  #linear(name: string, x: Value, gradient: number, fanOut: number, biased: boolean): Value {
    const [rows, columns] = [padTo8(x.channels), padTo8(fanOut)];
    const weight = this.#kernels.allocateTensor(rows * columns);
    const place = (i: number) => panelPlace(Math.floor(i / fanOut), i % fanOut, rows);
    this.#store(`${name}.weight`, weight, rows * columns, x.channels * fanOut, place);
    const bias = biased ? this.#vector(`${name}.bias`, fanOut) : undefined;
    const y = this.#room(x.space, columns);
    this.#product(x, { at: y, gradient }, rows, columns, weight, 4 * rows * columns, bias);
    return { at: y, gradient, channels: fanOut, space: x.space };
  }

  /** y = x @ W + b, with padded sizes. @param bytes size of the tensor that W is part of */
  #product(
    x: Value,
    y: Pick<Value, "at" | "gradient">,
    fanIn: number,
    fanOut: number,
    weight: number,
    bytes: number,
    bias: number | undefined,
  ): void {
    this.#emit(
      Code.linear,
      ...[x.space, x.at, x.gradient, y.at, y.gradient, fanIn, fanOut, weight, bytes],
      ...[
        this.#kernels.allocateNumbers(fanIn * fanOut),
        bias ?? this.#zeros,
        Number(bias !== undefined),
        this.#zeros,
      ],
    );
  }

  #residual(layer: PlanLayer, input: Value, gradient: number, depth: number): Value {
    const layers = layer.layers ?? [];
    const x = everyLayer(layers).some(({ spec }) => readsPlaces.has(spec.type))
      ? this.#expanded(input)
      : input;
    const width = padTo8(x.channels);
    const inner = { ...x, gradient: this.#shared(`${depth + 1} input`) };
    this.#emit(Code.residualStart, x.space, x.gradient, gradient, inner.gradient, width);
    const { at } = this.#compile(layers, inner, depth + 1, gradient);
    const y = this.#room(x.space, width);
    this.#emit(Code.residualEnd, x.space, x.at, at, y, width);
    return { ...x, at: y, gradient };
  }

  #attention(
    name: string,
    { heads, bias }: { readonly heads: number; readonly bias?: boolean | undefined },
    input: Value,
    gradient: number,
  ): Value {
    const x = this.#expanded(input);
    const { channels } = x;
    const rows = padTo8(channels);
    const size = channels / heads;
    // Pad each head to whole groups of four channels.
    const headWidth = padTo4(size);
    const width = padTo8(heads * headWidth);
    const headPlace = (c: number) => Math.floor(c / size) * headWidth + (c % size);
    const column = (c: number) => Math.floor(c / channels) * width + headPlace(c % channels);
    const made = 3 * channels;
    const qkv = this.#kernels.allocateTensor(rows * 3 * width);
    this.#store(`${name}.qkv.weight`, qkv, rows * 3 * width, channels * made, (i) =>
      panelPlace(Math.floor(i / made), column(i % made), rows),
    );
    const biased = bias !== false;
    const qkvBias = biased ? this.#kernels.allocateTensor(3 * width) : undefined;
    if (qkvBias !== undefined) this.#store(`${name}.qkv.bias`, qkvBias, 3 * width, made, column);
    const parts = { at: this.#room(Space.nodes, 3 * width), gradient: this.#shared("qkv") };
    this.#product(x, parts, rows, 3 * width, qkv, 12 * rows * width, qkvBias);

    const found = {
      at: this.#room(Space.nodes, width),
      gradient: this.#shared("found"),
      channels: width,
      space: x.space,
    };
    const shares = heads * this.#kernels.pathCapacity(this.#batchSize, this.#longest);
    this.#emit(
      Code.attention,
      ...[parts.at, parts.gradient, found.at, found.gradient, width / 4, heads, headWidth / 4],
      ...[bits(1 / Math.sqrt(size)), this.#kernels.allocateNumbers(shares)],
      this.#kernels.allocateNumbers(this.#longest + 4),
    );

    const proj = this.#kernels.allocateTensor(width * rows);
    this.#store(`${name}.proj.weight`, proj, width * rows, channels * channels, (i) =>
      panelPlace(headPlace(Math.floor(i / channels)), i % channels, width),
    );
    const projBias = biased ? this.#vector(`${name}.proj.bias`, channels) : undefined;
    const y = this.#room(Space.nodes, rows);
    this.#product(found, { at: y, gradient }, width, rows, proj, 4 * width * rows, projBias);
    return { at: y, gradient, channels, space: x.space };
  }

  #cell(
    name: string,
    { type, hidden }: { readonly type: "RNN" | "GRU" | "LSTM"; readonly hidden: number },
    x: Value,
    gradient: number,
  ): Value {
    const [rows, width] = [padTo8(x.channels), padTo8(hidden)];
    const gates = gatesOf[type];
    const gateWidth = gates * width;
    const start = this.#vector(`${name}.start`, hidden);
    // W holds its rows for x first, [rows, gates], then those for h; a GRU has separate ones for z and r, and for n.
    const ofX = rows * gateWidth;
    const size = ofX + width * gateWidth;
    const weight = this.#kernels.allocateTensor(size);
    const bias = this.#kernels.allocateTensor(gateWidth);
    const store = (part: string, firstGate: number, count: number) => {
      const made = count * hidden;
      const column = (c: number) => (firstGate + Math.floor(c / hidden)) * width + (c % hidden);
      this.#store(`${name}.${part}weight`, weight, size, (x.channels + hidden) * made, (i) => {
        const row = Math.floor(i / made);
        return row < x.channels
          ? panelPlace(row, column(i % made), rows)
          : ofX + panelPlace(row - x.channels, column(i % made), width);
      });
      this.#store(`${name}.${part}bias`, bias, gateWidth, made, column);
    };
    if (type === "GRU")
      for (const [i, part] of ["update.", "reset.", "candidate."].entries()) store(part, i, 1);
    else store("", 0, gates);

    const sums = this.#room(Space.nodes, gateWidth);
    const input =
      x.space === Space.tokens
        ? { at: this.#room(Space.tokens, gateWidth), gradient: this.#shared("input") }
        : { at: sums, gradient: sums };
    this.#product(x, input, rows, gateWidth, weight, 4 * size, bias);
    const h = this.#room(Space.nodes, width);
    const ofH = weight + 4 * ofX;
    const isApart = x.space === Space.tokens;
    const { allocateNumbers } = this.#kernels;
    const perCell = {
      RNN: [],
      GRU: [
        ofH + 8 * width * width,
        allocateNumbers(width * width),
        this.#room(Space.nodes, width),
        this.#shared("rh"),
      ],
      LSTM: [this.#room(Space.nodes, width), this.#room(Space.nodes, width), this.#shared("c")],
    };
    this.#emit(
      Code[codeOf[type]],
      ...[isApart ? input.at : 0, isApart ? input.gradient : 0, sums, h, this.#shared("h"), gradient],
      ...[width, gateWidth, start, this.#room(Space.nodes, width), this.#shared("before")],
      ...[ofH, 4 * size, allocateNumbers(width * gateWidth), ...perCell[type]],
    );
    return { at: h, gradient, channels: hidden, space: Space.nodes };
  }
}

const gatesOf = { RNN: 1, GRU: 3, LSTM: 4 } as const;
const codeOf = { RNN: "rnn", GRU: "gru", LSTM: "lstm" } as const;

/** Channels of the widest value that a layer's kernels read or write. */
function widestOf({ spec, inputShape, outputShape }: PlanLayer): number {
  const [from = 1, to] = [inputShape[1], channelsOf(outputShape)];
  const width = padTo8(Math.max(from, to));
  if (spec.type === "CausalSelfAttention") return 3 * padTo8(spec.heads * padTo4(from / spec.heads));
  if (spec.type === "RNN" || spec.type === "GRU" || spec.type === "LSTM")
    return Math.max(width, gatesOf[spec.type] * padTo8(to));
  return width;
}

function channelsOf([, channels = 1]: readonly number[]): number {
  return channels;
}

function padTo4(n: number): number {
  return Math.ceil(n / 4) * 4;
}

/** Index of W[row, column] in [columns / 8][rows][8]. */
function panelPlace(row: number, column: number, rows: number): number {
  return (Math.floor(column / 8) * rows + row) * 8 + (column % 8);
}

/** Returns the bits of a float32 as an integer. */
function bits(x: number): number {
  return new Uint32Array(Float32Array.of(x).buffer)[0] ?? 0;
}
