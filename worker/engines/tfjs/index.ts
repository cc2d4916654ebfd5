/**
 * The tfjs engine: the lecture's training loop as it stands there, forward, backward, update, by
 * automatic differentiation. It trains any network, because all it asks of a layer is `forward`;
 * the fast engines are held against it, and it takes what they do not cover.
 *
 * tfjs's tensors never change. A step makes a new tensor for each parameter and drops the old one,
 * so between two steps there are exactly as many tensors as parameters and states of the optimiser.
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
  /** The engine that it trains for, on that one's backend. Default: none. */
  readonly standsFor?: "webgpu";
}

type Tensors = Map<string, TF.Tensor>;

/** A minibatch in tensors, made inside the step that disposes of them. */
interface Minibatched {
  /** Tokens, [examples, positions]. */
  readonly input: () => TF.Tensor;
  /** Mean cross entropy of the network's logits. */
  readonly loss: (logits: TF.Tensor) => TF.Scalar;
}

/** An engine for any network, on the backend asked for or the best there is. */
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
  /** Where words begin; empty if the network reads windows. */
  readonly #starts: Uint32Array;
  /** Parameters and running statistics. */
  readonly #values: Tensors;
  /** The optimiser's state by name, of trainable parameters; empty for SGD. */
  readonly #state: ReadonlyMap<string, Tensors>;

  constructor(setup: EngineSetup, opened: OpenedBackend, backend: Engine["backend"]) {
    this.backend = backend;
    this.#setup = { ...setup, stream: setup.stream.slice() };
    this.#opened = opened;
    this.#starts = setup.network.example === "word" ? wordStarts(setup) : new Uint32Array(0);
    this.device = opened.device;
    const { network, parameters, optimizer, optimizerState } = setup;
    const trainable = network.parameters.filter((p) => p.trainable);
    // tfjs may keep the array that it is given: hence the copies.
    const tensor = (values: Float32Array | undefined, shape: readonly number[]) =>
      values ? tf.tensor(values.slice(), [...shape], "float32") : tf.zeros([...shape]);
    this.#values = new Map(network.parameters.map((p) => [p.name, tensor(parameters.get(p.name), p.shape)]));
    this.#state = new Map(
      stateOf(optimizer).map(([state]) => [
        state,
        new Map(trainable.map((p) => [p.name, tensor(optimizerState?.get(state)?.get(p.name), p.shape)])),
      ]),
    );
  }

  async run(firstStep: number, learningRates: Float32Array, positions?: Uint32Array): Promise<Float32Array> {
    await this.#enter();
    const { batchSize, optimizer } = this.#setup;
    const factors = stepFactors(optimizer, firstStep, learningRates);
    // They stay on the device until the end: reading one would wait for its step.
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

  dispose(): void {
    for (const tensors of [this.#values, ...this.#state.values()]) {
      tf.dispose([...tensors.values()]);
      tensors.clear();
    }
  }

  /** Makes this engine's backend the current one: another engine may have run in between. */
  async #enter(): Promise<void> {
    const { gpu } = await openBackend(this.#opened.backend).catch((cause) => {
      throw this.#failure("Going on", cause);
    });
    if (gpu !== this.#opened.gpu) throw new EngineLost(`The GPU (${this.device}) was lost.`);
  }

  /**
   * What tfjs throws, with what was under way. Whatever fails on a GPU, its memory or the GPU itself,
   * another engine can go on from the last numbers.
   */
  #failure(what: string, cause: unknown): Error {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${what} with tfjs on ${this.device} failed: ${reason}`;
    return this.#opened.gpu
      ? new EngineLost(message, { cause })
      : new MakemoreError("WORKER_FAILED", message, { cause });
  }

  /** The minibatch of a step, or the one at `positions`. */
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

  /** One step on a minibatch; gives its loss, which the caller disposes of. */
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
            // Kept, because the tape cleans up behind itself.
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
      `There is no tensor ${name}: the engine is disposed of, or a layer asks for what it did not declare.`,
    );
  return tensor;
}

/** Puts a tensor in another's place, which is disposed of; it outlives the tidy that it is made in. */
function replace(tensors: Tensors, name: string, tensor: TF.Tensor): TF.Tensor {
  tensors.get(name)?.dispose();
  tensors.set(name, tf.keep(tensor));
  return tensor;
}

/** The numbers of a tensor as a copy (tfjs may hand out its own), and disposes of it. */
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
