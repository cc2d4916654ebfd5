/**
 * Builds an ONNX graph: nodes, attributes and initialisers. Layers add their nodes to it; `encode.ts` turns it into
 * bytes.
 *
 * Values are referred to by name. A node's name is the layer, a slash and the operator, so that a viewer shows which
 * layer it belongs to. Parameters keep their own names.
 */
import type { Attribute, NodeWriter, Parameter, Parameters } from "../model/layer";
import type { DataType } from "./schema";

export interface Node {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant: a trained parameter, or a tensor that an operator needs, such as a shape. */
export interface Tensor {
  readonly name: string;
  readonly type: keyof typeof DataType;
  readonly dimensions: readonly number[];
  /** Row-major, little-endian. */
  readonly bytes: Uint8Array;
}

/** An input or output; a dimension with a name may have any size. */
export interface Value {
  readonly name: string;
  readonly type: keyof typeof DataType;
  readonly dimensions: readonly (number | string)[];
  /** One sentence, shown by viewers. */
  readonly description: string;
}

export class GraphBuilder implements NodeWriter {
  readonly nodes: Node[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #names = new Set<string>();
  readonly #parameters: ReadonlyMap<string, Parameter>;

  /**
   * @param parameters the parameters that the graph may use
   * @param values their trained values
   */
  constructor(
    parameters: readonly Parameter[],
    readonly values: Parameters,
  ) {
    this.#parameters = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  }

  /** All constants, in the order in which they were added. */
  get constants(): readonly Tensor[] {
    return [...this.#constants.values()];
  }

  /** Declares an input and returns its name. */
  input(value: Value): string {
    this.inputs.push(value);
    return value.name;
  }

  /** Declares an output. Its name must be that of a node's output. */
  output(value: Value): void {
    this.outputs.push(value);
  }

  /**
   * Adds a node and returns the name of its output.
   *
   * @param group name of the layer; the node's name begins with it
   * @param output name of the node's output, for outputs of the graph. Default: the node's own name
   */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    group: string,
    output?: string,
  ): string {
    const name = this.#unique(`${group}/${operator}`);
    this.nodes.push({ name, operator, inputs, attributes, output: output ?? name });
    return output ?? name;
  }

  /** Adds a parameter with its trained values, and returns its name. */
  initializer(name: string): string {
    const parameter = this.#parameters.get(name);
    const values = this.values.get(name);
    if (!parameter || !values) throw new Error(`There is no parameter ${name}.`);
    if (!this.#constants.has(name)) this.#constants.set(name, floatTensor(name, parameter.shape, values));
    return name;
  }

  /** Adds an int64 constant [n]: operators take shapes and positions in this form. */
  integers(values: readonly number[], group: string): string {
    return this.constant("int64", values, [values.length], group);
  }

  /** Adds a constant of a few numbers. */
  constant(
    type: Tensor["type"],
    values: readonly number[],
    dimensions: readonly number[],
    group: string,
  ): string {
    const name = this.#unique(`${group}/${values.join(",")}`);
    const { buffer } =
      type === "int64"
        ? BigInt64Array.from(values, BigInt)
        : type === "int32"
          ? Int32Array.from(values)
          : Float32Array.from(values);
    this.#constants.set(name, { name, type, dimensions, bytes: new Uint8Array(buffer) });
    return name;
  }

  #unique(base: string): string {
    let name = base;
    for (let i = 2; this.#names.has(name); i++) name = `${base}_${i}`;
    this.#names.add(name);
    return name;
  }
}

/** Makes a float32 constant. */
export function floatTensor(
  name: string,
  dimensions: readonly number[],
  values: Float32Array<ArrayBuffer>,
): Tensor {
  return {
    name,
    type: "float",
    dimensions,
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}
