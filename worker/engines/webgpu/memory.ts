/**
 * Converts the trained numbers between the CPU's layout (row-major, by name) and the GPU's (plan.ts: rows
 * padded to whole vec4s, several tensors in a buffer).
 */
import { MakemoreError } from "../../../src/errors";
import { nextTask } from "../../../src/slices";
import type { Parameters } from "../../model/layer";
import type { EngineState } from "../engine";
import { Buffers, NormRow, type Plan, vec4s } from "./plan";

/** The one buffer that the CPU can read; WebGPU does not allow this for storage buffers. */
const STAGING = "staging";

/** Layout of a tensor: `groups` times `rows` rows of `columns` numbers, with padding after rows and groups. */
export interface Place {
  readonly buffer: string;
  /** Index of the first number in the buffer. */
  readonly at: number;
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  /** With padding. */
  readonly paddedRows: number;
  readonly paddedColumns: number;
}

/** A parameter and its optimiser states by name; running statistics, and all parameters with SGD, have none. */
interface Places {
  readonly value: Place;
  readonly states: ReadonlyMap<string, Place>;
}

/** The engine's buffers. They are on the device that tfjs uses, so tfjs can read them in place. */
export class Memory {
  readonly #device: GPUDevice;
  /** Where each parameter is, by name. */
  readonly places: ReadonlyMap<string, Places>;
  /** Bytes of each buffer. */
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #buffers = new Map<string, GPUBuffer>();
  /** Offset in the staging buffer of each buffer that holds parameters or moments. */
  readonly #stagedAt = new Map<string, number>();
  readonly #stagingSize: number;

  /**
   * @param bytes sizes of the buffers that are not in the plan, by name
   * @throws MakemoreError `UNSUPPORTED` if a buffer is larger than this GPU allows
   */
  constructor(device: GPUDevice, plan: Plan, states: readonly string[], bytes: Record<string, number>) {
    this.#device = device;
    this.places = placesOf(plan, states);
    this.#sizes = new Map([
      ...[...plan.sizes].map(([name, size]): [string, number] => [name, size * 16]),
      ...Object.entries(bytes).map(([name, size]): [string, number] => [name, Math.ceil(size / 4) * 4]),
    ]);
    let staged = 0;
    for (const { value, states } of this.places.values())
      for (const place of [value, ...states.values()])
        if (!this.#stagedAt.has(place.buffer)) {
          this.#stagedAt.set(place.buffer, staged);
          staged += this.#sizes.get(place.buffer) ?? 0;
        }
    this.#stagingSize = Math.max(staged, this.#sizes.get(Buffers.losses) ?? 0);
    const limit = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
    for (const [name, size] of this.#sizes)
      if (size > limit)
        throw new MakemoreError(
          "UNSUPPORTED",
          `Training this model takes ${size} bytes of GPU memory in one piece (${name}), and this GPU allows ${limit}; make the model or the batch smaller, or use the wasm backend.`,
        );
  }

  /** Creates the buffers, all zero. If memory runs out, the error scope around the call reports it. */
  allocate(): void {
    const make = (label: string, size: number, usage: GPUBufferUsageFlags) =>
      this.#buffers.set(label, this.#device.createBuffer({ label, size, usage }));
    const { STORAGE, UNIFORM, MAP_READ, COPY_SRC, COPY_DST } = GPUBufferUsage;
    for (const [name, size] of this.#sizes)
      make(name, size, (name === Buffers.steps ? UNIFORM : STORAGE) | COPY_SRC | COPY_DST);
    make(STAGING, this.#stagingSize, MAP_READ | COPY_DST);
  }

  /** A buffer by its name. */
  buffer(name: string): GPUBuffer {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new Error(`There is no buffer ${name}.`);
    return buffer;
  }

  /** Writes values to their buffers, and zeros for an absent optimiser state. */
  write({ parameters, optimizerState }: EngineState): void {
    for (const [name, { value, states }] of this.places) {
      this.#upload(value, parameters.get(name));
      for (const [state, place] of states) this.#upload(place, optimizerState?.get(state)?.get(name));
    }
  }

  #upload(place: Place, values: Float32Array<ArrayBuffer> | undefined): void {
    this.#device.queue.writeBuffer(this.buffer(place.buffer), place.at * 4, pad(place, values));
  }

  /** Fills a buffer from its beginning. */
  writeWhole(
    name: string,
    values:
      | Uint8Array<ArrayBuffer>
      | Uint16Array<ArrayBuffer>
      | Uint32Array<ArrayBuffer>
      | Float32Array<ArrayBuffer>,
  ): void {
    // WebGPU writes whole 4-byte words; a stream of tokens may end in the middle of one.
    const bytes = new Uint8Array(Math.ceil(values.byteLength / 4) * 4);
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.#device.queue.writeBuffer(this.buffer(name), 0, bytes);
  }

  /** Records the copy of the first `count` losses to the staging buffer. */
  stageLosses(encoder: GPUCommandEncoder, count: number): void {
    encoder.copyBufferToBuffer(this.buffer(Buffers.losses), 0, this.buffer(STAGING), 0, count * 4);
  }

  /**
   * Reads the losses; call it after the copy was submitted.
   *
   * @param brief whether the GPU may finish within a few milliseconds
   */
  async stagedLosses(count: number, brief: boolean): Promise<Float32Array<ArrayBuffer>> {
    return this.#staged(count * 4, brief, (numbers) => numbers.slice());
  }

  /** Records the copy of all parameters and moments to the staging buffer. */
  stageState(encoder: GPUCommandEncoder): void {
    for (const [name, at] of this.#stagedAt) {
      const buffer = this.buffer(name);
      encoder.copyBufferToBuffer(buffer, 0, this.buffer(STAGING), at, buffer.size);
    }
  }

  /** Reads the parameters and moments; call it after the copy was submitted. */
  async stagedState(): Promise<EngineState> {
    return this.#staged(this.#stagingSize, true, (numbers) => {
      const parameters: Parameters = new Map();
      const optimizerState = new Map<string, Parameters>();
      const copy = (place: Place) => unpad(place, numbers, (this.#stagedAt.get(place.buffer) ?? 0) / 4);
      for (const [name, places] of this.places) {
        parameters.set(name, copy(places.value));
        for (const [state, place] of places.states) {
          const values = optimizerState.get(state) ?? new Map();
          optimizerState.set(state, values.set(name, copy(place)));
        }
      }
      return optimizerState.size > 0 ? { parameters, optimizerState } : { parameters };
    });
  }

  async #staged<T>(
    bytes: number,
    brief: boolean,
    take: (numbers: Float32Array<ArrayBuffer>) => T,
  ): Promise<T> {
    const staging = this.buffer(STAGING);
    const mapped = staging.mapAsync(GPUMapMode.READ, 0, bytes);
    if (brief) await hastened(this.#device.queue, mapped);
    await mapped;
    const taken = take(new Float32Array(staging.getMappedRange(0, bytes)));
    staging.unmap();
    return taken;
  }

  /** Frees all memory. Safe to call twice. */
  dispose(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
  }
}

/** Interval of polling for finished work, and its maximum duration, ms. */
const ASK_MS = 0.2;
const ASKING_MS = 4;

/**
 * Polls the GPU for finished work until `answered` settles, for a few milliseconds at most. Without this, Chromium
 * checks only about every 2 ms, which is several times as long as a step.
 */
async function hastened(queue: GPUQueue, answered: Promise<unknown>): Promise<void> {
  let waiting = true;
  const settled = () => {
    waiting = false;
  };
  answered.then(settled, settled);
  const started = performance.now();
  for (let asked = started; waiting && asked - started < ASKING_MS; ) {
    await nextTask();
    if (performance.now() - asked < ASK_MS) continue;
    asked = performance.now();
    // Do not await it; `onLoss` handles a lost device.
    queue.onSubmittedWorkDone().catch(() => {});
  }
}

/** Lists every parameter of the chain and its place. */
function placesOf(
  { chain, dimensions4, embedding, blocks }: Plan,
  states: readonly string[],
): Map<string, Places> {
  const places = new Map<string, Places>();
  const add = (
    name: string,
    shape: Pick<Place, "groups" | "rows" | "columns">,
    padded: Pick<Place, "paddedRows" | "paddedColumns">,
    value: { buffer: string; at: number },
    moments?: { buffer: string; m: number; v: number },
  ) => {
    const place = (buffer: string, at: number): Place => ({ buffer, at: at * 4, ...shape, ...padded });
    places.set(name, {
      value: place(value.buffer, value.at),
      states: new Map(
        moments
          ? states.map((state, i) => [state, place(moments.buffer, i === 0 ? moments.m : moments.v)])
          : [],
      ),
    });
  };

  const { weight, dimensions } = chain.embedding;
  add(
    weight,
    { groups: 1, rows: chain.vocabularySize, columns: dimensions },
    { paddedRows: chain.vocabularySize, paddedColumns: dimensions4 * 4 },
    { buffer: weight, at: 0 },
    { buffer: Buffers.moments, ...embedding },
  );
  for (const { block, fanIn4, fanOut4, weight: trained } of blocks) {
    const { fold, fanIn, fanOut, norm } = block;
    add(
      block.weight,
      { groups: fold, rows: fanIn / fold, columns: fanOut },
      { paddedRows: vec4s(fanIn / fold) * 4, paddedColumns: fanOut4 * 4 },
      { buffer: block.weight, at: 0 },
      { buffer: Buffers.moments, ...trained },
    );
    const vector = { groups: 1, rows: 1, columns: fanOut };
    const padded = { paddedRows: 1, paddedColumns: fanOut4 * 4 };
    if (block.bias) {
      const row = fanIn4 * 4 * fanOut4;
      add(
        block.bias,
        vector,
        padded,
        { buffer: block.weight, at: row },
        { buffer: Buffers.moments, m: trained.m + row, v: trained.v + row },
      );
    }
    if (norm) {
      const at = (row: keyof typeof NormRow) => NormRow[row] * fanOut4;
      const buffer = norm.gamma;
      for (const [name, row] of [
        [norm.gamma, "GAMMA"],
        [norm.beta, "BETA"],
      ] as const)
        add(name, vector, padded, { buffer, at: at(row) }, { buffer, m: at(`${row}_M`), v: at(`${row}_V`) });
      add(norm.runningMean, vector, padded, { buffer, at: at("RUNNING_MEAN") });
      add(norm.runningVariance, vector, padded, { buffer, at: at("RUNNING_VARIANCE") });
    }
  }
  return places;
}

/** Calls `visit` for each row, with its start in the plain values and in the padded ones. */
function eachRow(place: Place, visit: (from: number, to: number) => void): void {
  const { groups, rows, columns, paddedRows, paddedColumns } = place;
  for (let group = 0; group < groups; group++)
    for (let row = 0; row < rows; row++)
      visit((group * rows + row) * columns, (group * paddedRows + row) * paddedColumns);
}

function pad(place: Place, values: Float32Array<ArrayBuffer> | undefined): Float32Array<ArrayBuffer> {
  const padded = new Float32Array(place.groups * place.paddedRows * place.paddedColumns);
  if (values) eachRow(place, (from, to) => padded.set(values.subarray(from, from + place.columns), to));
  return padded;
}

/** @param base start of the place's buffer in `numbers` */
function unpad(place: Place, numbers: Float32Array, base: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(place.groups * place.rows * place.columns);
  eachRow(place, (to, from) => {
    const begin = base + place.at + from;
    values.set(numbers.subarray(begin, begin + place.columns), to);
  });
  return values;
}
