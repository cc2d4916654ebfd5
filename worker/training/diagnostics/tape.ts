/**
 * A small automatic differentiation for `diagnostics`: micrograd, with tensors instead of numbers. `operations` and
 * `Tensor` have those names of tfjs that the layers of worker/model/layers use, with the same meaning, so that one
 * `forward` serves both. It replaces tfjs here because a diagnosis should not load tfjs, which takes longer than a
 * short training may spend on diagnostics.
 *
 * Each operation appends its backward pass to the tape. Only tensors that depend on a watched one get a gradient, so
 * the gradients of the parameters, which nobody asks for, cost nothing.
 */
import type { Parameters } from "../../model/layer";

type Numbers = Float32Array<ArrayBuffer>;
type Shape = readonly number[];

/** Records operations, and runs their backward passes in reverse. */
export class Tape {
  readonly #backward: (() => void)[] = [];
  readonly #tanhs: Numbers[] = [];

  /** Makes a constant. */
  constant(data: Numbers, shape: Shape): Tensor {
    return new Tensor(this, data, shape);
  }

  /**
   * Makes the output of an operation.
   *
   * @param backward takes the gradient of the output, and adds to the inputs' gradients
   */
  output(data: Numbers, shape: Shape, inputs: readonly Tensor[], backward: (dy: Numbers) => void): Tensor {
    const y = new Tensor(this, data, shape);
    if (inputs.some((input) => input.gradient)) {
      const dy = y.watch();
      this.#backward.push(() => backward(dy));
    }
    return y;
  }

  /** Notes the output of a tanh. */
  addTanh(output: Numbers): void {
    this.#tanhs.push(output);
  }

  /** Returns the outputs of the tanhs since the last call. */
  takeTanhs(): Numbers[] {
    return this.#tanhs.splice(0);
  }

  /** Computes all gradients. Set the gradient of the last tensor first. */
  backward(): void {
    for (const step of this.#backward.splice(0).reverse()) step();
  }
}

/** A function of one number, and its derivative. */
interface Pointwise {
  readonly f: (x: number) => number;
  /** @param y f(x) */
  readonly slope: (x: number, y: number) => number;
}

/** A function of two numbers, and its derivatives. */
interface Pairwise {
  readonly f: (a: number, b: number) => number;
  readonly slopeA: (a: number, b: number) => number;
  readonly slopeB: (a: number, b: number) => number;
}

const add: Pairwise = { f: (a, b) => a + b, slopeA: () => 1, slopeB: () => 1 };
const sub: Pairwise = { f: (a, b) => a - b, slopeA: () => 1, slopeB: () => -1 };
const mul: Pairwise = { f: (a, b) => a * b, slopeA: (_, b) => b, slopeB: (a) => a };
const div: Pairwise = { f: (a, b) => a / b, slopeA: (_, b) => 1 / b, slopeB: (a, b) => -a / (b * b) };
const square: Pointwise = { f: (x) => x * x, slope: (x) => 2 * x };
const sqrt: Pointwise = { f: Math.sqrt, slope: (_, y) => 0.5 / y };
const tanh: Pointwise = { f: Math.tanh, slope: (_, y) => 1 - y * y };
const sigmoid: Pointwise = { f: (x) => 1 / (1 + Math.exp(-x)), slope: (_, y) => y * (1 - y) };
const relu: Pointwise = { f: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0) };

/** An immutable tensor, row-major. */
export class Tensor {
  /** Gradient of the loss; undefined if no watched tensor leads here. */
  gradient: Numbers | undefined;

  constructor(
    readonly tape: Tape,
    readonly data: Numbers,
    readonly shape: Shape,
  ) {}

  /** Asks for the gradient of this tensor, and returns it: zeros, until the tape's `backward`. */
  watch(): Numbers {
    this.gradient ??= new Float32Array(this.data.length);
    return this.gradient;
  }

  add(b: Tensor | number): Tensor {
    return this.#pair(add, b);
  }
  sub(b: Tensor | number): Tensor {
    return this.#pair(sub, b);
  }
  mul(b: Tensor | number): Tensor {
    return this.#pair(mul, b);
  }
  div(b: Tensor | number): Tensor {
    return this.#pair(div, b);
  }
  square(): Tensor {
    return this.#map(square);
  }
  sqrt(): Tensor {
    return this.#map(sqrt);
  }
  sigmoid(): Tensor {
    return this.#map(sigmoid);
  }
  relu(): Tensor {
    return this.#map(relu);
  }
  tanh(): Tensor {
    const y = this.#map(tanh);
    this.tape.addTanh(y.data);
    return y;
  }

  /** Tokens are whole numbers anyway. */
  toInt(): Tensor {
    return this;
  }
  toFloat(): Tensor {
    return this;
  }
  flatten(): Tensor {
    return this.reshape([-1]);
  }

  /** Shares its numbers and gradient with this tensor. */
  reshape(shape: Shape): Tensor {
    const known = shape.reduce((n, size) => (size < 0 ? n : n * size), 1);
    const y = new Tensor(
      this.tape,
      this.data,
      shape.map((size) => (size < 0 ? this.data.length / known : size)),
    );
    y.gradient = this.gradient;
    return y;
  }

  transpose(order: Shape): Tensor {
    const strides = stridesOf(this.shape);
    return this.#gather(
      order.map((axis) => this.shape[axis] ?? 0),
      order.map((axis) => strides[axis] ?? 0),
      0,
    );
  }

  slice(begin: Shape, size: Shape): Tensor {
    const strides = stridesOf(this.shape);
    return this.#gather(
      size,
      strides,
      begin.reduce((from, index, axis) => from + index * (strides[axis] ?? 0), 0),
    );
  }

  /** Repeats axes of length 1. */
  tile(counts: Shape): Tensor {
    const strides = stridesOf(this.shape);
    if (counts.some((count, axis) => count > 1 && this.shape[axis] !== 1))
      throw new Error(`diagnostics: cannot tile [${this.shape}] by [${counts}].`);
    return this.#gather(
      this.shape.map((size, axis) => size * (counts[axis] ?? 1)),
      strides.map((stride, axis) => ((counts[axis] ?? 1) > 1 ? 0 : stride)),
      0,
    );
  }

  /** The parts along an axis, without that axis. */
  unstack(axis: number): Tensor[] {
    const strides = stridesOf(this.shape);
    const without = (list: Shape) => list.filter((_, i) => i !== axis);
    return Array.from({ length: this.shape[axis] ?? 0 }, (_, i) =>
      this.#gather(without(this.shape), without(strides), i * (strides[axis] ?? 0)),
    );
  }

  sum(axis: number, keepDims = false): Tensor {
    const { shape } = this;
    const at = axis < 0 ? axis + shape.length : axis;
    const length = shape[at] ?? 1;
    const inner = product(shape.slice(at + 1));
    const outer = this.data.length / (length * inner);
    const data = new Float32Array(outer * inner);
    const { data: x } = this;
    /** Pairs each input with its output. */
    const each = (visit: (from: number, to: number) => void) => {
      for (let o = 0; o < outer; o++)
        for (let l = 0; l < length; l++)
          for (let i = 0; i < inner; i++) visit((o * length + l) * inner + i, o * inner + i);
    };
    const sums = new Float64Array(data.length);
    each((from, to) => {
      sums[to] = (sums[to] ?? 0) + (x[from] ?? 0);
    });
    data.set(sums);
    const rest = keepDims ? [1] : [];
    return this.tape.output(data, [...shape.slice(0, at), ...rest, ...shape.slice(at + 1)], [this], (dy) => {
      const dx = this.watch();
      each((from, to) => {
        dx[from] = (dx[from] ?? 0) + (dy[to] ?? 0);
      });
    });
  }

  mean(axis: number, keepDims = false): Tensor {
    return this.sum(axis, keepDims).div(this.shape.at(axis) ?? 1);
  }

  /** Softmax over the last axis. */
  softmax(): Tensor {
    const width = this.shape.at(-1) ?? 1;
    const data = softmaxRows(this.data, width);
    return this.tape.output(data, this.shape, [this], (dy) => {
      const dx = this.watch();
      for (let row = 0; row < data.length; row += width) {
        let dot = 0;
        for (let i = row; i < row + width; i++) dot += (data[i] ?? 0) * (dy[i] ?? 0);
        for (let i = row; i < row + width; i++) dx[i] = (dx[i] ?? 0) + (data[i] ?? 0) * ((dy[i] ?? 0) - dot);
      }
    });
  }

  #map({ f, slope }: Pointwise): Tensor {
    const x = this.data;
    const y = new Float32Array(x.length);
    for (let i = 0; i < y.length; i++) y[i] = f(x[i] ?? 0);
    return this.tape.output(y, this.shape, [this], (dy) => {
      const dx = this.watch();
      for (let i = 0; i < dx.length; i++) dx[i] = (dx[i] ?? 0) + (dy[i] ?? 0) * slope(x[i] ?? 0, y[i] ?? 0);
    });
  }

  /** Combines the numbers of this tensor with those of another one, which is repeated where it is smaller. */
  #pair({ f, slopeA, slopeB }: Pairwise, other: Tensor | number): Tensor {
    const b = typeof other === "number" ? this.tape.constant(Float32Array.of(other), []) : other;
    const { data: x } = this;
    const { data: z } = b;
    const inner = repeats(this.shape, b.shape);
    const y = new Float32Array(x.length);
    /** Pairs each index of this tensor with the other's. */
    const each = (visit: (i: number, j: number) => void) => {
      for (let i = 0; i < x.length; )
        for (let j = 0; j < z.length; j++) for (let k = 0; k < inner; k++) visit(i++, j);
    };
    each((i, j) => {
      y[i] = f(x[i] ?? 0, z[j] ?? 0);
    });
    return this.tape.output(y, this.shape, [this, b], (dy) => {
      const { gradient: dx } = this;
      const { gradient: dz } = b;
      each((i, j) => {
        if (dx) dx[i] = (dx[i] ?? 0) + (dy[i] ?? 0) * slopeA(x[i] ?? 0, z[j] ?? 0);
        if (dz) dz[j] = (dz[j] ?? 0) + (dy[i] ?? 0) * slopeB(x[i] ?? 0, z[j] ?? 0);
      });
    });
  }

  /** Takes the numbers at `from` plus the sum of index times stride over the axes. */
  #gather(shape: Shape, strides: Shape, from: number): Tensor {
    const indices = new Int32Array(product(shape));
    indices[0] = from;
    // Each axis, from the last, repeats what the axes after it make.
    let count = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] ?? 0;
      for (let i = count; i < count * size; i++)
        indices[i] = (indices[i % count] ?? 0) + Math.floor(i / count) * (strides[axis] ?? 0);
      count *= size;
    }
    const { data: x } = this;
    const y = new Float32Array(indices.length);
    for (let i = 0; i < y.length; i++) y[i] = x[indices[i] ?? 0] ?? 0;
    return this.tape.output(y, shape, [this], (dy) => {
      const dx = this.watch();
      for (let i = 0; i < indices.length; i++) {
        const to = indices[i] ?? 0;
        dx[to] = (dx[to] ?? 0) + (dy[i] ?? 0);
      }
    });
  }
}

/** tfjs's functions that are not methods, for one tape. */
export function operations(tape: Tape) {
  return {
    add: (a: Tensor, b: Tensor) => a.add(b),
    matMul,
    oneHot: ({ data, shape }: Tensor, depth: number) => {
      const y = new Float32Array(data.length * depth);
      for (const [row, index] of data.entries()) y[row * depth + index] = 1;
      return tape.constant(y, [...shape, depth]);
    },
    split: (x: Tensor, count: number, axis: number) => {
      const size = x.shape.map((length, i) => (i === axis ? length / count : length));
      return Array.from({ length: count }, (_, part) =>
        x.slice(
          size.map((length, i) => (i === axis ? part * length : 0)),
          size,
        ),
      );
    },
    stack: (parts: readonly Tensor[], axis: number) => stack(tape, parts, axis),
    tensor2d: (data: Numbers, shape: Shape) => tape.constant(data, shape),
    zeros: (shape: Shape) => tape.constant(new Float32Array(product(shape)), shape),
  };
}

/** Constant tensors of all parameters, by name. */
export function constants(
  tape: Tape,
  shapes: readonly { readonly name: string; readonly shape: Shape }[],
  values: Parameters,
): Map<string, Tensor> {
  return new Map(
    shapes.map(({ name, shape }) => [name, tape.constant(values.get(name) ?? new Float32Array(0), shape)]),
  );
}

/** Softmax of each row. */
export function softmaxRows(x: Numbers, width: number): Numbers {
  const y = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    const values = x.subarray(row, row + width);
    const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    for (let i = 0; i < width; i++) y[row + i] = Math.exp((values[i] ?? 0) - largest) / total;
  }
  return y;
}

/** Joins tensors of one shape along a new axis. */
function stack(tape: Tape, parts: readonly Tensor[], axis: number): Tensor {
  const [shape = []] = parts.map((part) => part.shape);
  const inner = product(shape.slice(axis));
  const y = new Float32Array(parts.length * product(shape));
  /** Pairs runs of `inner` numbers: where one begins in its part, and where in the output. */
  const each = (part: number, visit: (from: number, to: number) => void) => {
    for (let from = 0, to = part * inner; to < y.length; from += inner, to += parts.length * inner)
      visit(from, to);
  };
  for (const [i, { data }] of parts.entries())
    each(i, (from, to) => y.set(data.subarray(from, from + inner), to));
  return tape.output(y, [...shape.slice(0, axis), parts.length, ...shape.slice(axis)], parts, (dy) => {
    for (const [part, { gradient: dx }] of parts.entries())
      if (dx)
        each(part, (from, to) => {
          for (let k = 0; k < inner; k++) dx[from + k] = (dx[from + k] ?? 0) + (dy[to + k] ?? 0);
        });
  });
}

/** a @ b over the last two axes, or a @ b^T. The axes before must be equal. */
function matMul(a: Tensor, b: Tensor, _transposeA = false, transposeB = false): Tensor {
  const [m = 1, k = 1] = a.shape.slice(-2);
  const n = b.shape.at(transposeB ? -2 : -1) ?? 1;
  const y = new Float32Array((a.data.length / k) * n);
  /** Visits the matrices of each batch: [m, k] of the first, [k, n] or [n, k] of the second, [m, n] of the third. */
  const each = (
    x: Numbers,
    z: Numbers,
    to: Numbers,
    visit: (x: Numbers, z: Numbers, to: Numbers) => void,
  ) => {
    const part = (of: Numbers, i: number, size: number) => of.subarray(i * size, (i + 1) * size);
    for (let i = 0; i < y.length / (m * n); i++)
      visit(part(x, i, m * k), part(z, i, k * n), part(to, i, m * n));
  };
  each(a.data, b.data, y, (x, z, to) => addProduct(x, transposeB ? transposed(z, n) : z, to, m, k, n));
  return a.tape.output(y, [...a.shape.slice(0, -1), n], [a, b], (dy) => {
    const { gradient: da } = a;
    const { gradient: db } = b;
    if (da) each(da, b.data, dy, (dx, z, d) => addProduct(d, transposeB ? z : transposed(z, k), dx, m, n, k));
    if (db)
      each(a.data, db, dy, (x, dz, d) =>
        transposeB
          ? addProduct(transposed(d, m), x, dz, n, m, k)
          : addProduct(transposed(x, m), d, dz, k, m, n),
      );
  });
}

/** Transposes a matrix of this many rows. */
function transposed(x: Numbers, rows: number): Numbers {
  const columns = x.length / rows;
  const y = new Float32Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) y[j * rows + i] = x[i * columns + j] ?? 0;
  return y;
}

/** y += a @ b, where a is [m, k] and b is [k, n]. Two rows of y and four of b at a time, to load each number less often. */
function addProduct(a: Numbers, b: Numbers, y: Numbers, m: number, k: number, n: number): void {
  for (let i = 0; i < m; i += 2) {
    const two = i + 1 < m;
    const [y0, y1] = [y.subarray(i * n, (i + 1) * n), y.subarray((i + 1) * n, (i + 2) * n)];
    /** The number of row i or i + 1 at column p; 0 outside of the matrix. */
    const at = (row: number, p: number) => (p < k && (row === 0 || two) ? (a[(i + row) * k + p] ?? 0) : 0);
    for (let p = 0; p < k; p += 4) {
      const [a0, a1, a2, a3] = [at(0, p), at(0, p + 1), at(0, p + 2), at(0, p + 3)];
      const [c0, c1, c2, c3] = [at(1, p), at(1, p + 1), at(1, p + 2), at(1, p + 3)];
      // One-hot rows are mostly 0.
      if (!a0 && !a1 && !a2 && !a3 && !c0 && !c1 && !c2 && !c3) continue;
      const [r0, r1, r2, r3] = [p * n, (p + 1) * n, (p + 2) * n, (p + 3) * n];
      for (let j = 0; j < n; j++) {
        const b0 = b[r0 + j] ?? 0;
        const b1 = b[r1 + j] ?? 0;
        const b2 = b[r2 + j] ?? 0;
        const b3 = b[r3 + j] ?? 0;
        y0[j] = (y0[j] ?? 0) + a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3;
        if (two) y1[j] = (y1[j] ?? 0) + c0 * b0 + c1 * b1 + c2 * b2 + c3 * b3;
      }
    }
  }
}

function product(sizes: Shape): number {
  return sizes.reduce((a, b) => a * b, 1);
}

/** Distance between neighbours along each axis. */
function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => product(shape.slice(axis + 1)));
}

/**
 * How often in a row each number of `small` is repeated to fill `large`: once for a suffix such as [3, 4] of [2, 3, 4],
 * four times for [2, 3, 1]. The layers need nothing else.
 */
function repeats(large: Shape, small: Shape): number {
  let [first, last, end] = [0, small.length, large.length];
  for (; small[last - 1] === 1; last--) end--;
  while (small[first] === 1 && first < last) first++;
  if (small.slice(first, last).join() !== large.slice(end - last + first, end).join())
    throw new Error(`diagnostics: cannot repeat [${small}] to fill [${large}].`);
  return product(large.slice(end));
}
