/**
 * The tfjs engine: the lecture's training loop (forward, backward, update) by automatic
 * differentiation. It trains any network, because it needs only `forward` of a layer. The fast
 * engines are tested against it, and it trains the networks that they do not support.
 *
 * tfjs's tensors are immutable. A step makes a new tensor for each parameter and disposes of the old
 * one, so between steps there is exactly one tensor per parameter and per optimiser state.
 */
import type * as TF from "@tensorflow/tfjs";
import { MakemoreError } from "../../../src/errors";
import { readContext } from "../../data/dataset";
import { drawMinibatch, type Minibatch } from "../../data/examples";
import { drawWords, type PaddedWords, padWords, wordStarts } from "../../data/wordExamples";
import type { Parameters } from "../../model/layer";
import { optimizerKind, stateOf } from "../../optimizers";
import { type Engine, EngineLost, type EngineSetup, type EngineState } from "../engine";
import { FACTORS, stepFactors } from "../optimizer";
import { type OpenedBackend, openBackend, type TfBackend, tf } from "./backend";

/** What the engine runs on; see `openBackend`. */
export interface TfjsOptions {
  readonly backend?: TfBackend;
  readonly wasmURL?: string | URL;
  /** The engine that it replaces, on that engine's backend. Default: none. */
  readonly standsFor?: "webgpu";
}

type Tensors = Map<string, TF.Tensor>;

/** A minibatch; its functions make tensors, so call them inside the step's tidy. */
interface Minibatched {
  /** Tokens, [examples, positions]. */
  readonly input: () => TF.Tensor;
  /** Mean cross entropy of the network's logits. */
  readonly loss: (logits: TF.Tensor) => TF.Scalar;
}

/** Makes an engine for any network, on the requested backend or the best available one. */
export async function createTfjsEngine(setup: EngineSetup, options: TfjsOptions = {}): Promise<Engine> {
  const { standsFor, backend = standsFor, wasmURL } = options;
  const opened = await openBackend(backend, wasmURL);
  return standsFor
    ? new TfjsEngine(setup, { ...opened, device: `${opened.device} (tfjs)` }, standsFor)
    : new TfjsEngine(setup, opened, "tfjs");
}

class TfjsEngine implements Engine {
  readonly backend: Engine["backend"];
  readonly device: string;
  readonly #setup: EngineSetup;
  readonly #opened: OpenedBackend;
  /** Position of each word's start; empty if the network reads windows. */
  readonly #starts: Uint32Array;
  /** Parameters and running statistics. */
  readonly #values: Tensors = new Map();
  /** The optimiser's states by name, each with a tensor per trainable parameter; empty for SGD. */
  readonly #state: ReadonlyMap<string, Tensors>;

  constructor(setup: EngineSetup, opened: OpenedBackend, backend: Engine["backend"]) {
    this.backend = backend;
    this.#setup = { ...setup, stream: setup.stream.slice() };
    this.#opened = opened;
    this.#starts = setup.network.example === "word" ? wordStarts(setup) : new Uint32Array(0);
    this.device = opened.device;
    this.#state = new Map(stateOf(setup.optimizer).map(([state]) => [state, new Map()]));
    this.#fill(setup);
  }

  /** Makes all tensors. */
  #fill({ parameters, optimizerState }: EngineState): void {
    // Copied, because tfjs may keep a reference to the array.
    const tensor = (values: Float32Array | undefined, shape: readonly number[]) =>
      values ? tf.tensor(values.slice(), [...shape], "float32") : tf.zeros([...shape]);
    for (const { name, shape, trainable } of this.#setup.network.parameters) {
      this.#values.set(name, tensor(parameters.get(name), shape));
      if (trainable)
        for (const [state, tensors] of this.#state)
          tensors.set(name, tensor(optimizerState?.get(state)?.get(name), shape));
    }
  }

  async run(firstStep: number, learningRates: Float32Array, positions?: Uint32Array): Promise<Float32Array> {
    await this.#enter();
    const { batchSize, optimizer } = this.#setup;
    const factors = stepFactors(optimizer, firstStep, learningRates);
    // The losses stay on the device until the end, because reading one would wait for its step.
    const losses: TF.Scalar[] = [];
    try {
      for (let i = 0; i < learningRates.length; i++)
        losses.push(
          this.#step(
            this.#minibatch(firstStep + i, positions?.slice(i * batchSize, (i + 1) * batchSize)),
            factors.subarray(i * FACTORS, (i + 1) * FACTORS),
          ),
        );
      return await read(losses.length > 0 ? tf.stack(losses) : tf.tensor1d([]));
    } catch (cause) {
      throw this.#failure("Training", cause);
    } finally {
      tf.dispose(losses);
    }
  }

  async read(): Promise<EngineState> {
    await this.#enter();
    try {
      const parameters = await readAll(this.#values);
      if (this.#state.size === 0) return { parameters };
      const optimizerState = new Map<string, Parameters>();
      for (const [state, tensors] of this.#state) optimizerState.set(state, await readAll(tensors));
      return { parameters, optimizerState };
    } catch (cause) {
      throw this.#failure("Reading the model", cause);
    }
  }

  async write(state: EngineState): Promise<void> {
    await this.#enter();
    this.dispose();
    this.#fill(state);
  }

  dispose(): void {
    for (const tensors of [this.#values, ...this.#state.values()]) {
      tf.dispose([...tensors.values()]);
      tensors.clear();
    }
  }

  /** Makes this engine's backend current again, because another engine may have run meanwhile. */
  async #enter(): Promise<void> {
    const { gpu } = await openBackend(this.#opened.backend).catch((cause) => {
      throw this.#failure("Going on", cause);
    });
    if (gpu !== this.#opened.gpu) throw new EngineLost(`The GPU (${this.device}) was lost.`);
  }

  /**
   * Wraps an error of tfjs with the name of the operation. Any failure on a GPU is an `EngineLost`, because
   * another engine can go on from the last numbers.
   */
  #failure(what: string, cause: unknown): Error {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${what} with tfjs on ${this.device} failed: ${reason}`;
    return this.#opened.gpu
      ? new EngineLost(message, { cause })
      : new MakemoreError("WORKER_FAILED", message, { cause });
  }

  /** Draws the minibatch of a step, or reads the one at `positions`. */
  #minibatch(step: number, positions: Uint32Array | undefined): Minibatched {
    const { network, stream } = this.#setup;
    if (network.example === "word")
      return positions
        ? this.#words(padWords({ network, stream }, positions))
        : this.#words(padWords(this.#setup, drawWords(this.#starts, this.#setup, step), step));
    return this.#windows(positions ? { positions: positions.slice() } : drawMinibatch(this.#setup, step));
  }

  #words({ time, places, tokens, targets }: PaddedWords): Minibatched {
    const words = tokens.length / time;
    return {
      input: () => tf.tensor2d(tokens, [words, time], "int32"),
      loss: (logits) => {
        const expected = tf.tensor3d(targets, [words, time, this.#setup.network.vocabularySize]);
        return logits.logSoftmax().mul(expected).sum().div(-places).asScalar();
      },
    };
  }

  #windows({ positions, targets: soft }: Minibatch): Minibatched {
    const { stream, network } = this.#setup;
    const { contextLength, vocabularySize } = network;
    const contexts = new Int32Array(positions.length * contextLength);
    const targets = new Int32Array(positions.length);
    for (const [row, position] of positions.entries()) {
      readContext(stream, position, contextLength, contexts, row * contextLength);
      targets[row] = stream[position] ?? 0;
    }
    return {
      input: () => tf.tensor2d(contexts, [positions.length, contextLength], "int32"),
      loss: (logits) => {
        const expected = soft
          ? tf.tensor2d(soft, [positions.length, vocabularySize])
          : tf.oneHot(tf.tensor1d(targets, "int32"), vocabularySize);
        const rows = logits.reshape([positions.length, vocabularySize]);
        return tf.losses.softmaxCrossEntropy(expected, rows).asScalar();
      },
    };
  }

  /** Runs one step on a minibatch and returns its loss, which the caller disposes of. */
  #step({ input, loss: lossOf }: Minibatched, factors: Float32Array): TF.Scalar {
    const { network } = this.#setup;
    return tf.tidy(() => {
      const running: Tensors = new Map();
      const forward = () => {
        let x: TF.Tensor = input();
        for (const layer of network.layers)
          x = layer.forward(x, {
            tf,
            training: true,
            value: (name) => find(this.#values, name),
            // Kept, because the gradient tape disposes of intermediate tensors.
            update: (name, value) => running.set(name, tf.keep(value)),
          });
        return lossOf(x);
      };
      const trainable = network.parameters.filter((p) => p.trainable).map((p) => p.name);
      const { value: loss, grads } = tf.valueAndGrads(forward)(
        trainable.map((name) => find(this.#values, name)),
      );
      for (const [name, value] of running) replace(this.#values, name, value);
      this.#update(new Map(trainable.map((name, i) => [name, grads[i] ?? tf.zeros([0])])), factors);
      return loss;
    });
  }

  #update(gradients: Tensors, factors: Float32Array): void {
    const { optimizer } = this.#setup;
    const scalars = Array.from(factors, (factor) => tf.scalar(factor));
    const step = optimizerKind(optimizer).tfjs(optimizer, tf, scalars);
    for (const [name, g] of gradients) {
      const state = Object.fromEntries(
        [...this.#state].map(([key, tensors]) => [key, find(tensors, name)] as const),
      );
      const next = new Map(Object.entries(step(find(this.#values, name), g, state)));
      replace(this.#values, name, find(next, "p"));
      for (const [key, tensors] of this.#state) replace(tensors, name, find(next, key));
    }
  }
}

function find(tensors: Tensors, name: string): TF.Tensor {
  const tensor = tensors.get(name);
  if (!tensor)
    throw new Error(
      `There is no tensor ${name}: the engine was disposed, or a layer reads a parameter that it did not declare.`,
    );
  return tensor;
}

/** Replaces a tensor and disposes of the old one; the new one outlives the surrounding tidy. */
function replace(tensors: Tensors, name: string, tensor: TF.Tensor): TF.Tensor {
  tensors.get(name)?.dispose();
  tensors.set(name, tf.keep(tensor));
  return tensor;
}

/** Reads a tensor and disposes of it. Copies the numbers, because tfjs may return its own array. */
async function read(tensor: TF.Tensor): Promise<Float32Array<ArrayBuffer>> {
  try {
    return Float32Array.from(await tensor.data());
  } finally {
    tensor.dispose();
  }
}

async function readAll(tensors: Tensors): Promise<Parameters> {
  const parameters: Parameters = new Map();
  for (const [name, tensor] of tensors) parameters.set(name, Float32Array.from(await tensor.data()));
  return parameters;
}
