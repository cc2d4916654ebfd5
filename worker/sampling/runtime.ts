/** The little that is asked of ONNX Runtime: a graph in, a function of arrays out. */
import { encodeModel } from "../onnx/encode";
import type { GraphBuilder } from "../onnx/graph";

type Ort = typeof import("onnxruntime-web/wasm");
type OrtSession = import("onnxruntime-web/wasm").InferenceSession;

/** ONNX Runtime's namespace, for the web or for Node; the caller loads it when it is needed. */
export type Runtime = Pick<Ort, "InferenceSession" | "Tensor">;

/** A tensor to feed. */
export interface Feed {
  readonly data: Float32Array | Int32Array;
  readonly dimensions: readonly number[];
}

/**
 * Does work alone: ONNX Runtime keeps one stack for all sessions of a thread, and holds it across awaits.
 * Whoever asks first comes first, so calls side by side take turns.
 */
function alone<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
}
let last: Promise<unknown> = Promise.resolve();

/** A graph that is ready to run; it holds ONNX Runtime's memory until it is released. */
export class GraphSession {
  readonly #ort: Runtime;
  readonly #session: OrtSession;

  private constructor(ort: Runtime, session: OrtSession) {
    this.#ort = ort;
    this.#session = session;
  }

  static async open(ort: Runtime, graph: GraphBuilder): Promise<GraphSession> {
    const file = encodeModel({ graph, description: "" });
    return new GraphSession(ort, await alone(() => ort.InferenceSession.create(file)));
  }

  /** Outputs by name. ONNX Runtime copies what goes in and out, so no tensor is left to release. */
  async run(feeds: Readonly<Record<string, Feed>>): Promise<Record<string, Float32Array>> {
    const tensors = Object.entries(feeds).map(([name, { data, dimensions }]) => [
      name,
      data instanceof Int32Array
        ? new this.#ort.Tensor("int32", data, dimensions)
        : new this.#ort.Tensor("float32", data, dimensions),
    ]);
    const outputs = await alone(() => this.#session.run(Object.fromEntries(tensors)));
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data }]) => {
        if (!(data instanceof Float32Array)) throw new Error(`The output ${name} is not float32.`);
        return [name, data];
      }),
    );
  }

  release(): Promise<void> {
    return alone(() => this.#session.release());
  }
}
