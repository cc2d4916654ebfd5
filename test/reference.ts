/**
 * A simple and slow reference for training: float64 arrays, three nested loops, each layer's backward pass next
 * to its forward pass. The fast engines are tested against it in cases that PyTorch's fixtures do not have (odd sizes,
 * AdamW). The reference itself is tested against those fixtures.
 *
 * A value is [rows, channels], row-major. Each position is a row, and the rows of an example are adjacent.
 */
import type { LayerSpec } from "../src/types";
import { readContext } from "../worker/data/dataset";
import { drawMinibatch } from "../worker/data/examples";
import type { EngineSetup } from "../worker/engines/engine";

type Values = Float64Array<ArrayBuffer>;

/** Takes the gradient of a layer's output, stores the parameters' gradients, and returns the input's gradient. */
type Backward = (dy: Values) => Values;

/** The float64 engine. */
export class Reference {
  /** Values of every parameter by name, running statistics included. */
  readonly parameters: Map<string, Values>;
  readonly #gradients = new Map<string, Values>();
  /** AdamW's moments by parameter; empty for SGD, and before the first step. */
  readonly moments = { m: new Map<string, Values>(), v: new Map<string, Values>() };

  constructor(readonly setup: EngineSetup) {
    this.parameters = new Map(
      [...setup.parameters].map(([name, values]) => [name, Float64Array.from(values)]),
    );
    for (const [name, values] of setup.optimizerState?.get("m") ?? [])
      this.moments.m.set(name, Float64Array.from(values));
    for (const [name, values] of setup.optimizerState?.get("v") ?? [])
      this.moments.v.set(name, Float64Array.from(values));
  }

  /** Trains like `Engine.run`. */
  run(firstStep: number, learningRates: Float32Array, positions?: Uint32Array): number[] {
    const { stream, batchSize, network } = this.setup;
    return Array.from(learningRates, (rate, i) => {
      const step = firstStep + i;
      const drawn = drawMinibatch(this.setup, step);
      const batch = positions?.subarray(i * batchSize, (i + 1) * batchSize) ?? drawn.positions;
      const tokens = new Float64Array(batchSize * network.contextLength);
      const width = network.vocabularySize;
      const targets = new Float64Array(batchSize * width);
      for (const [row, position] of batch.entries()) {
        readContext(stream, position, network.contextLength, tokens, row * network.contextLength);
        targets[row * width + (stream[position] ?? 0)] = 1;
      }
      if (drawn.targets && !positions) targets.set(drawn.targets);
      const { output, backward } = this.#forward(tokens, true);
      const { loss, gradient } = crossEntropy(output, targets, batchSize);
      this.#gradients.clear();
      backward.reduceRight((dy, layer) => layer(dy), gradient);
      this.#update(step + 1, rate);
      return loss;
    });
  }

  /** Computes the logits of contexts in evaluation mode, [contexts, vocabulary]. */
  logits(contexts: readonly (readonly number[])[]): Values {
    return this.#forward(Float64Array.from(contexts.flat()), false).output;
  }

  #forward(tokens: Values, training: boolean): { output: Values; backward: Backward[] } {
    const backward: Backward[] = [];
    let output = tokens;
    for (const { name, spec, inputShape } of this.setup.network.layers) {
      const layer = this.#layer(name, spec, inputShape.at(-1) ?? 0, output, training);
      backward.push(layer.backward);
      output = layer.y;
    }
    return { output, backward };
  }

  #layer(
    name: string,
    spec: LayerSpec,
    channels: number,
    x: Values,
    training: boolean,
  ): { y: Values; backward: Backward } {
    switch (spec.type) {
      case "Embedding":
        return this.#embedding(
          x,
          name,
          spec.dimensions === "vocabulary" ? this.setup.network.vocabularySize : spec.dimensions,
        );
      case "FlattenConsecutive":
        // The rows to join are adjacent already.
        return { y: x, backward: (dy) => dy };
      case "Linear":
        return this.#linear(x, name, channels, spec.fanOut ?? 0, spec.bias ?? true);
      case "BatchNorm1d":
        return this.#batchNorm(x, name, channels, spec.momentum ?? 0.1, spec.epsilon ?? 1e-5, training);
      case "Tanh": {
        const y = x.map(Math.tanh);
        return { y, backward: (dy) => dy.map((d, i) => d * (1 - at(y, i) ** 2)) };
      }
      default:
        throw new Error(`The reference does not know ${spec.type}.`);
    }
  }

  #embedding(tokens: Values, name: string, dimensions: number): { y: Values; backward: Backward } {
    const weight = this.#value(name, "weight");
    const y = new Float64Array(tokens.length * dimensions);
    for (const [i, token] of tokens.entries())
      y.set(weight.subarray(token * dimensions, (token + 1) * dimensions), i * dimensions);
    return {
      y,
      backward: (dy) => {
        const dWeight = this.#gradient(name, "weight");
        for (const [i, token] of tokens.entries())
          for (let c = 0; c < dimensions; c++)
            add(dWeight, token * dimensions + c, at(dy, i * dimensions + c));
        return new Float64Array(0);
      },
    };
  }

  #linear(
    x: Values,
    name: string,
    fanIn: number,
    fanOut: number,
    biased: boolean,
  ): { y: Values; backward: Backward } {
    const weight = this.#value(name, "weight");
    const bias = biased ? this.#value(name, "bias") : undefined;
    const rows = x.length / fanIn;
    const y = new Float64Array(rows * fanOut);
    for (let r = 0; r < rows; r++)
      for (let o = 0; o < fanOut; o++) {
        let sum = bias ? at(bias, o) : 0;
        for (let c = 0; c < fanIn; c++) sum += at(x, r * fanIn + c) * at(weight, c * fanOut + o);
        y[r * fanOut + o] = sum;
      }
    return {
      y,
      backward: (dy) => {
        const dWeight = this.#gradient(name, "weight");
        const dBias = bias ? this.#gradient(name, "bias") : undefined;
        const dx = new Float64Array(x.length);
        for (let r = 0; r < rows; r++)
          for (let o = 0; o < fanOut; o++) {
            const d = at(dy, r * fanOut + o);
            if (dBias) add(dBias, o, d);
            for (let c = 0; c < fanIn; c++) {
              add(dWeight, c * fanOut + o, at(x, r * fanIn + c) * d);
              add(dx, r * fanIn + c, at(weight, c * fanOut + o) * d);
            }
          }
        return dx;
      },
    };
  }

  #batchNorm(
    x: Values,
    name: string,
    channels: number,
    momentum: number,
    epsilon: number,
    training: boolean,
  ): { y: Values; backward: Backward } {
    const gamma = this.#value(name, "gamma");
    const beta = this.#value(name, "beta");
    const runningMean = this.#value(name, "runningMean");
    const runningVariance = this.#value(name, "runningVariance");
    const rows = x.length / channels;
    const xHat = new Float64Array(x.length);
    const scale = new Float64Array(channels);
    const y = new Float64Array(x.length);
    for (let c = 0; c < channels; c++) {
      let mean = at(runningMean, c);
      let variance = at(runningVariance, c);
      if (training) {
        mean = 0;
        for (let r = 0; r < rows; r++) mean += at(x, r * channels + c) / rows;
        variance = 0;
        for (let r = 0; r < rows; r++) variance += (at(x, r * channels + c) - mean) ** 2 / (rows - 1);
        runningMean[c] = (1 - momentum) * at(runningMean, c) + momentum * mean;
        runningVariance[c] = (1 - momentum) * at(runningVariance, c) + momentum * variance;
      }
      scale[c] = 1 / Math.sqrt(variance + epsilon);
      for (let i = c; i < x.length; i += channels) {
        xHat[i] = (at(x, i) - mean) * at(scale, c);
        y[i] = at(gamma, c) * at(xHat, i) + at(beta, c);
      }
    }
    return {
      y,
      backward: (dy) => {
        const dGamma = this.#gradient(name, "gamma");
        const dBeta = this.#gradient(name, "beta");
        const dx = new Float64Array(x.length);
        for (let c = 0; c < channels; c++) {
          for (let i = c; i < x.length; i += channels) {
            add(dGamma, c, at(dy, i) * at(xHat, i));
            add(dBeta, c, at(dy, i));
          }
          // Gradient through the mean (1 / N) and through the unbiased variance (1 / (N - 1)).
          for (let i = c; i < x.length; i += channels)
            dx[i] =
              at(gamma, c) *
              at(scale, c) *
              (at(dy, i) - at(dBeta, c) / rows - (at(xHat, i) * at(dGamma, c)) / (rows - 1));
        }
        return dx;
      },
    };
  }

  /** Updates the parameters with the formulas of PyTorch's documentation; t counts from 1. */
  #update(t: number, rate: number): void {
    const { optimizer } = this.setup;
    for (const [key, g] of this.#gradients) {
      const p = this.parameters.get(key) ?? g;
      if (optimizer.type === "sgd") {
        for (const [i, gradient] of g.entries()) add(p, i, -rate * gradient);
        continue;
      }
      if (optimizer.type !== "adamw") throw new Error("The reference knows sgd and adamw.");
      const { beta1, beta2, epsilon, weightDecay } = optimizer;
      const m = zerosIn(this.moments.m, key, p.length);
      const v = zerosIn(this.moments.v, key, p.length);
      for (const [i, gradient] of g.entries()) {
        m[i] = beta1 * at(m, i) + (1 - beta1) * gradient;
        v[i] = beta2 * at(v, i) + (1 - beta2) * gradient ** 2;
        const mHat = at(m, i) / (1 - beta1 ** t);
        const vHat = at(v, i) / (1 - beta2 ** t);
        p[i] = at(p, i) * (1 - rate * weightDecay) - (rate * mHat) / (Math.sqrt(vHat) + epsilon);
      }
    }
  }

  #value(layer: string, suffix: string): Values {
    const values = this.parameters.get(`${layer}.${suffix}`);
    if (!values) throw new Error(`No parameter ${layer}.${suffix}.`);
    return values;
  }

  #gradient(layer: string, suffix: string): Values {
    return zerosIn(this.#gradients, `${layer}.${suffix}`, this.#value(layer, suffix).length);
  }
}

/** Mean over rows of -sum(target * log softmax(logits)), and its gradient. Each row of targets adds up to 1. */
function crossEntropy(logits: Values, targets: Values, rows: number): { loss: number; gradient: Values } {
  const width = logits.length / rows;
  const gradient = new Float64Array(logits.length);
  let loss = 0;
  for (let r = 0; r < rows; r++) {
    const row = logits.subarray(r * width, (r + 1) * width);
    const max = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const sum = row.reduce((total, logit) => total + Math.exp(logit - max), 0);
    for (const [c, logit] of row.entries()) {
      const target = at(targets, r * width + c);
      loss += (target * (Math.log(sum) + max - logit)) / rows;
      gradient[r * width + c] = (Math.exp(logit - max) / sum - target) / rows;
    }
  }
  return { loss, gradient };
}

function zerosIn(map: Map<string, Values>, key: string, length: number): Values {
  const values = map.get(key) ?? new Float64Array(length);
  map.set(key, values);
  return values;
}

function at(values: Values, i: number): number {
  return values[i] ?? 0;
}

function add(values: Values, i: number, amount: number): void {
  values[i] = at(values, i) + amount;
}
