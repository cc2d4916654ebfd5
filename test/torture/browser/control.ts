/**
 * What the page and its workers share, so that one counter numbers the operations of both threads: which fault is
 * armed, how often each operation ran, and whether the fault came. All of it lies in shared memory, because a message
 * would itself be one of the operations that fail.
 */

/** Operations that can fail, and the ways in which each does. */
export const faults = {
  /** fetch: the network refuses, the file is missing, half of it arrives. */
  fetch: ["refused", "missing", "cut"],
  /** Response.arrayBuffer. */
  body: ["refused"],
  /** import() of a chunk. */
  import: ["refused"],
  /** WebAssembly.compile, instantiate, Module and Instance. */
  compile: ["refused"],
  /** A call of the wasm engine's kernels that allocates: it traps, as it does when its memory cannot grow. */
  kernels: ["trapped"],
  /** WebAssembly.Memory, created or grown from JavaScript: ONNX Runtime and tfjs. */
  memory: ["refused"],
  /** An ArrayBuffer or a typed array of at least 512 bytes. */
  allocate: ["refused"],
  /** DecompressionStream. */
  decompress: ["refused"],
  /** Worker: the browser throws, or the script does not start. */
  worker: ["refused", "broken"],
  /** postMessage with a value, of a worker and of ports, on both threads. */
  post: ["refused"],
  /** A message that arrives and cannot be read. */
  receive: ["unreadable"],
  /** navigator.locks.request. */
  lock: ["refused"],
  /** indexedDB.open: throws, or fires an error. */
  database: ["refused", "failed"],
  /** IDBDatabase.transaction. */
  transaction: ["refused"],
  /** A get, put or delete: throws, or its transaction is aborted. */
  record: ["refused", "aborted"],
  /** navigator.gpu.requestAdapter. */
  adapter: ["refused", "missing"],
  /** GPUAdapter.requestDevice. */
  device: ["refused"],
  /** GPUDevice.createBuffer: throws, gives an invalid buffer, or the GPU is lost. */
  buffer: ["refused", "invalid", "lost"],
  /** GPUDevice.createBindGroup, createShaderModule. */
  binding: ["refused", "lost"],
  /** GPUDevice.createComputePipelineAsync. */
  pipeline: ["refused", "lost"],
  /** GPUQueue.submit, writeBuffer. */
  queue: ["refused", "lost"],
  /** GPUBuffer.mapAsync, getMappedRange. */
  map: ["refused", "lost"],
  /** GPUDevice.popErrorScope. */
  scope: ["refused"],
  /** InferenceSession.create of ONNX Runtime. */
  session: ["refused"],
  /** InferenceSession.run. */
  run: ["refused"],
  /** InferenceSession.release. */
  release: ["refused"],
} as const;

export type Operation = keyof typeof faults;
export type Manner<O extends Operation = Operation> = (typeof faults)[O][number];

export const operations = Object.keys(faults) as Operation[];

/** `Int32Array` slots; the counts of the operations follow. */
const slots = { counting: 0, operation: 1, manner: 2, remaining: 3, forever: 4, fired: 5, counts: 8 };

/** A fault to come: the `n`th time that the operation runs, or from then on. */
export interface Fault {
  readonly operation: Operation;
  readonly manner: string;
  readonly n: number;
  readonly forever: boolean;
}

/** `fetch.missing:2`, and `fetch.missing+:2` for the second time and every later one. */
export function formatFault({ operation, manner, n, forever }: Fault): string {
  return `${operation}.${manner}${forever ? "+" : ""}:${n}`;
}

/** @throws Error for what is no fault */
export function parseFault(text: string): Fault {
  const [, name = "", manner = "", plus, n] = /^(\w+)\.(\w+)(\+?):(\d+)$/.exec(text) ?? [];
  const operation = operations.find((each) => each === name);
  if (!operation || !(faults[operation] as readonly string[]).includes(manner))
    throw new Error(`"${text}" is no fault; one is, for example, fetch.missing:1.`);
  return { operation, manner, n: Number(n), forever: plus === "+" };
}

export class Control {
  readonly #state: Int32Array;

  constructor(readonly memory = new SharedArrayBuffer(4 * (slots.counts + operations.length))) {
    this.#state = new Int32Array(memory);
  }

  /** Begins to count, and arms a fault if one is given. */
  arm(fault?: Fault): void {
    this.disarm();
    this.#state.fill(0);
    if (fault) {
      const ways: readonly string[] = faults[fault.operation];
      this.#state[slots.operation] = operations.indexOf(fault.operation) + 1;
      this.#state[slots.manner] = ways.indexOf(fault.manner);
      this.#state[slots.remaining] = fault.n;
      this.#state[slots.forever] = Number(fault.forever);
    }
    Atomics.store(this.#state, slots.counting, 1);
  }

  disarm(): void {
    Atomics.store(this.#state, slots.counting, 0);
  }

  /** How often the fault came. */
  get fired(): number {
    return Atomics.load(this.#state, slots.fired);
  }

  /** How often each operation ran while this counted. */
  counts(): Partial<Record<Operation, number>> {
    return Object.fromEntries(
      operations
        .map((name, i) => [name, this.#state[slots.counts + i] ?? 0])
        .filter(([, count]) => count !== 0),
    );
  }

  /** Counts an operation that is about to run, and says how it is to fail if it is to. */
  hit<O extends Operation>(operation: O): Manner<O> | undefined {
    const state = this.#state;
    if (Atomics.load(state, slots.counting) === 0) return undefined;
    const index = operations.indexOf(operation);
    Atomics.add(state, slots.counts + index, 1);
    if (state[slots.operation] !== index + 1) return undefined;
    const remaining = Atomics.sub(state, slots.remaining, 1);
    if (state[slots.forever] ? remaining > 1 : remaining !== 1) return undefined;
    Atomics.add(state, slots.fired, 1);
    const ways: readonly Manner<O>[] = faults[operation];
    return ways[state[slots.manner] ?? 0];
  }
}
