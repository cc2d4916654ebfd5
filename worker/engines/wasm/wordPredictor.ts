/** Predictions of a network that reads words, with the forward kernels of its plan. */
import { MakemoreError } from "../../../src/errors";
import type { Parameters } from "../../model/layer";
import type { Network } from "../../model/network";
import type { Predictor } from "../predictor";
import { type Build, withKernels } from "./builds";
import type { Kernels } from "./exports";
import { ParameterMemory } from "./parameterMemory";
import { compilePlan, unknownLayer } from "./plan";

/** Maximum number of rows per pass. */
const BATCH_SIZE = 128;
/** Positions to allocate memory for at first; longer words are rare. */
const FIRST_TIME = 32;

/** Makes a predictor for a network that reads words; see `PredictorFactory`. */
export async function createWordPredictor(network: Network, most: number, build?: Build): Promise<Predictor> {
  const unknown = unknownLayer(network.layers);
  if (unknown)
    throw new MakemoreError("UNSUPPORTED", `The wasm engine has no kernel for the layer ${unknown.name}.`);
  const batchSize = Math.min(BATCH_SIZE, most);
  const open = (time: number) => withKernels(build, (kernels) => new Room(kernels, network, batchSize, time));
  return new WordPredictor(batchSize, await open(Math.min(FIRST_TIME, network.contextLength)), open);
}

/** The kernels, with memory for rows of at most `time` positions. */
class Room {
  readonly #kernels: Kernels;
  readonly #network: Network;
  readonly #batchSize: number;
  readonly #stream: number;
  readonly #logits: number;
  readonly #parameters: ParameterMemory;

  constructor(
    kernels: Kernels,
    network: Network,
    batchSize: number,
    readonly time: number,
  ) {
    this.#kernels = kernels;
    this.#network = network;
    this.#batchSize = batchSize;
    kernels.useSGD();
    this.#stream = kernels.allocateStream(batchSize * (time + 1));
    const { layout, write } = compilePlan(kernels, network, {
      stream: this.#stream,
      // Words are passed in, so none are drawn.
      starts: 0,
      words: 0,
      even: false,
      batchSize,
      longest: time,
    });
    this.#logits = kernels.allocateNumbers(batchSize * time * network.vocabularySize);
    this.#parameters = new ParameterMemory(kernels, layout, { type: "sgd" });
    // From here on the memory does not grow.
    write();
  }

  load(parameters: Parameters): void {
    this.#parameters.write({ parameters });
    this.#kernels.refreshPlan();
  }

  /** See `Predictor.predict`. */
  predict(tokens: Uint32Array, time: number): Float32Array {
    const kernels = this.#kernels;
    const { buffer } = kernels.memory;
    const rows = tokens.length / time;
    // Each row starts with a boundary, and another one follows the row.
    const stream = new Uint16Array(buffer, this.#stream, this.#batchSize * (time + 1)).fill(0);
    for (let row = 0; row < rows; row++)
      stream.set(tokens.subarray(row * time, (row + 1) * time), row * (time + 1));
    const words = new Uint32Array(buffer, kernels.wordsAddress(), this.#batchSize);
    // Fill the batch with repeats of the first row, which share its nodes and cost little.
    for (let row = 0; row < this.#batchSize; row++) words[row] = (row < rows ? row : 0) * (time + 1) + 1;
    kernels.predictWords(this.#logits, time);
    return new Float32Array(buffer, this.#logits, tokens.length * this.#network.vocabularySize);
  }
}

class WordPredictor implements Predictor {
  /** Undefined once disposed. */
  #room: Room | undefined;
  readonly #open: (time: number) => Promise<Room>;
  #parameters: Parameters = new Map();

  constructor(
    readonly batchSize: number,
    room: Room,
    open: (time: number) => Promise<Room>,
  ) {
    this.#room = room;
    this.#open = open;
  }

  load(parameters: Parameters): void {
    this.#parameters = parameters;
    this.#running().load(parameters);
  }

  async predict(tokens: Uint32Array, time: number): Promise<Float32Array> {
    let room = this.#running();
    if (time > room.time) {
      room = await this.#open(Math.max(time, 2 * room.time));
      room.load(this.#parameters);
      // Keep it undefined if it was disposed meanwhile.
      this.#room &&= room;
    }
    return room.predict(tokens, time);
  }

  dispose(): void {
    this.#room = undefined;
    this.#parameters = new Map();
  }

  #running(): Room {
    if (!this.#room) throw new MakemoreError("DISPOSED", "This predictor was disposed; make a new one.");
    return this.#room;
  }
}
