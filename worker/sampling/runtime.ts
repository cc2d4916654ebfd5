/** A small interface to ONNX Runtime: turns a graph into a function of arrays. */
import { settled } from "../../src/slices";
import { encodeModel } from "../onnx/encode";
import type { GraphBuilder } from "../onnx/graph";

type Ort = typeof import("onnxruntime-web/wasm");
type OrtSession = import("onnxruntime-web/wasm").InferenceSession;

/** ONNX Runtime's namespace, for the web or for Node. The caller loads it when needed. */
export type Runtime = Pick<Ort, "InferenceSession" | "Tensor">;

/** An input tensor. */
export interface Feed {
  readonly data: Float32Array | Int32Array;
  readonly dimensions: readonly number[];
}

/**
 * Runs work one at a time, in the order of the calls, because ONNX Runtime has one stack for all sessions of a thread and
 * uses it across awaits.
 */
function alone<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work);
  last = settled(mine);
  return mine;
}
let last: Promise<void> = Promise.resolve();

/** A loaded graph. It occupies ONNX Runtime's memory until `release`. */
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

  /** Runs the graph; returns its outputs by name. ONNX Runtime copies inputs and outputs, so no tensor needs disposal. */
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
