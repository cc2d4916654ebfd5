/**
 * jax-js as a peer: the same training step in the style of its examples. `jit` compiles forward, backward and update
 * as one function. Every use of an array consumes a reference, so `.ref` makes a new one.
 */
import { defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { drawBatch, readContext } from "../../worker/data/dataset";
import type { EngineSetup } from "../../worker/engines/engine";
import type { Block, BlockChain } from "../../worker/model/blocks";
import type { Trainer } from "./trainers";

/** Arrays by parameter name. */
type Arrays = Record<string, np.Array>;

/** Plain SGD on any chain of blocks whose levels are FlattenConsecutive, Linear, BatchNorm1d, Tanh. */
export async function createJaxTrainer(setup: EngineSetup, device: "wasm" | "webgpu"): Promise<Trainer> {
  const available = await init(device);
  if (!available.includes(device)) throw new Error(`jax-js has no ${device} here`);
  defaultDevice(device);
  const { chain } = setup.network;
  if (!chain) throw new Error("The network is not a chain of blocks.");
  const { stream, seed, batchSize } = setup;
  const step = trainingStep(chain, batchSize);

  const take = (trainable: boolean): Arrays =>
    Object.fromEntries(
      setup.network.parameters
        .filter((p) => p.trainable === trainable)
        .map((p) => [p.name, np.array(setup.parameters.get(p.name)?.slice() ?? []).reshape([...p.shape])]),
    );
  let weights = take(true);
  let running = take(false);

  return {
    device: `jax-js ${device}`,
    async run(firstStep, learningRates) {
      const losses = new Float32Array(learningRates.length);
      let reading = Promise.resolve();
      for (const [i, rate] of learningRates.entries()) {
        const contexts = new Int32Array(batchSize * chain.contextLength);
        const targets = new Int32Array(batchSize);
        for (const [row, position] of drawBatch(stream, seed, firstStep + i, batchSize).entries()) {
          readContext(stream, position, chain.contextLength, contexts, row * chain.contextLength);
          targets[row] = stream[position] ?? 0;
        }
        const result = step(
          weights,
          running,
          np.array(contexts, { dtype: np.int32 }),
          np.array(targets, { dtype: np.int32 }),
          np.array(Float32Array.of(rate)).reshape([]),
        );
        weights = result.weights;
        running = result.running;
        // jax-js queues work until a read, and every array carries the queue. Without a read per step, steps get
        // slower and slower. Read the loss of the previous step, so that no step waits for itself.
        const read = result.loss.data().then((loss) => losses.set(loss, i));
        await reading;
        reading = read;
      }
      await reading;
      return losses;
    },
    dispose() {
      tree.dispose(weights);
      tree.dispose(running);
    },
  };
}

function trainingStep(chain: BlockChain, batchSize: number) {
  const { vocabularySize, embedding, contextLength } = chain;
  const levels = chain.blocks.slice(0, -1);
  const head = chain.blocks.at(-1);

  /** Computes the mean cross entropy, and the running statistics after the batch. */
  const loss = (
    weights: Arrays,
    running: Arrays,
    contexts: np.Array,
    targets: np.Array,
  ): [np.Array, Arrays] => {
    // Not `take`, because jit cannot compile its gradient (a scatter).
    const oneHot = lax.stopGradient(nn.oneHot(contexts.reshape([batchSize * contextLength]), vocabularySize));
    let x = np.matmul(oneHot, get(weights, embedding.weight));
    const moved: Arrays = {};
    for (const block of levels) x = level(x, block, weights, running, moved);
    x = np.matmul(x.reshape([batchSize, head?.fanIn ?? 0]), get(weights, head?.weight));
    const logits = x.add(get(weights, head?.bias));
    const expected = lax.stopGradient(nn.oneHot(targets, vocabularySize));
    const total = nn.logSoftmax(logits).mul(expected).sum();
    tree.dispose(weights);
    tree.dispose(running);
    return [total.mul(-1 / batchSize), moved];
  };

  const level = (x: np.Array, block: Block, weights: Arrays, running: Arrays, moved: Arrays) => {
    const { norm } = block;
    const rows = batchSize * block.positions;
    x = np.matmul(x.reshape([rows, block.fanIn]), get(weights, block.weight));
    if (norm) {
      const mean = x.ref.mean(0);
      const centred = x.sub(mean.ref);
      const variance = np
        .square(centred.ref)
        .sum(0)
        .mul(1 / (rows - 1));
      for (const [name, batch] of [
        [norm.runningMean, mean],
        [norm.runningVariance, variance.ref],
      ] as const)
        moved[name] = lax.stopGradient(
          get(running, name)
            .mul(1 - norm.momentum)
            .add(batch.mul(norm.momentum)),
        );
      const scale = get(weights, norm.gamma).div(np.sqrt(variance.add(norm.epsilon)));
      x = centred.mul(scale).add(get(weights, norm.beta));
    }
    return block.tanh ? np.tanh(x) : x;
  };

  return jit((weights: Arrays, running: Arrays, contexts: np.Array, targets: np.Array, rate: np.Array) => {
    const [[value, moved], gradients] = valueAndGrad(loss, { hasAux: true })(
      tree.ref(weights),
      running,
      contexts,
      targets,
    );
    const updated: Arrays = {};
    for (const name of Object.keys(weights))
      updated[name] = get(weights, name).sub(get(gradients, name).mul(rate.ref));
    for (const rest of [weights, gradients]) tree.dispose(rest);
    rate.dispose();
    return { weights: updated, running: moved, loss: value };
  });
}

/** Returns a new reference to an array by name. */
function get(arrays: Arrays, name: string | undefined): np.Array {
  const array = arrays[name ?? ""];
  if (!array) throw new Error(`There is no parameter ${name}.`);
  return array.ref;
}
