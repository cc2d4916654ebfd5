/** Predicts with the layers' own forward passes: for any network, and for machines without SIMD. */
import { MakemoreError } from "../../../src/errors";
import type { Parameters } from "../../model/layer";
import type { Network } from "../../model/network";
import type { Predictor } from "../predictor";
import { type OpenedBackend, openBackend, tf } from "./backend";
import type { TfjsOptions } from "./index";

/** Makes a predictor for any network; see `PredictorFactory`. */
export async function createTfjsPredictor(
  network: Network,
  most: number,
  options: TfjsOptions = {},
): Promise<Predictor> {
  return new TfjsPredictor(network, most, await openBackend(options.backend, options.wasmURL));
}

class TfjsPredictor implements Predictor {
  readonly #network: Network;
  readonly #opened: OpenedBackend;
  #parameters: Parameters = new Map();

  constructor(
    network: Network,
    readonly batchSize: number,
    opened: OpenedBackend,
  ) {
    this.#network = network;
    this.#opened = opened;
  }

  load(parameters: Parameters): void {
    this.#parameters = parameters;
  }

  async predict(tokens: Uint32Array, time: number): Promise<Float32Array> {
    // Another engine may have run meanwhile.
    await openBackend(this.#opened.backend);
    const { layers, parameters } = this.#network;
    const shapes = new Map(parameters.map(({ name, shape }) => [name, [...shape]]));
    const logits = tf.tidy(() => {
      let x: ReturnType<typeof tf.tensor> = tf.tensor2d(
        Int32Array.from(tokens),
        [tokens.length / time, time],
        "int32",
      );
      for (const layer of layers)
        x = layer.forward(x, {
          tf,
          training: false,
          value: (name) => {
            const values = this.#parameters.get(name);
            if (!values) throw new MakemoreError("WORKER_FAILED", `There is no parameter ${name}.`);
            // Copied, because tfjs may keep a reference to the array.
            return tf.tensor(values.slice(), shapes.get(name), "float32");
          },
          update: () => {},
        });
      return x;
    });
    try {
      return Float32Array.from(await logits.data());
    } finally {
      logits.dispose();
    }
  }

  dispose(): void {
    this.#parameters = new Map();
  }
}
