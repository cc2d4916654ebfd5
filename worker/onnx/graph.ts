/**
 * A graph in the making. Layers add their nodes to it; `encode.ts` turns it into bytes. It knows
 * ONNX's ideas (nodes, attributes, initialisers) and nothing of its wire format.
 *
 * Values are known by name. A name is the layer, a slash and the operator, so that a viewer shows
 * which layer a node belongs to; parameters keep their own names.
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

/** A constant: a parameter as trained, or what an operator takes as a tensor, such as a shape. */
export interface Tensor {
  readonly name: string;
  readonly type: keyof typeof DataType;
  readonly dimensions: readonly number[];
  /** Row-major, in the byte order of the file, which is little-endian. */
  readonly bytes: Uint8Array;
}

/** An input or output; a dimension with a name may have any size. */
export interface Value {
  readonly name: string;
  readonly type: keyof typeof DataType;
  readonly dimensions: readonly (number | string)[];
  /** One sentence for who meets it in a viewer. */
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
   * @param parameters those that the graph may use
   * @param values theirs, as trained
   */
  constructor(
    parameters: readonly Parameter[],
    readonly values: Parameters,
  ) {
    this.#parameters = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  }

  /** Every constant that was asked for, in that order. */
  get constants(): readonly Tensor[] {
    return [...this.#constants.values()];
  }

  /** Declares an input and returns its name. */
  input(value: Value): string {
    this.inputs.push(value);
    return value.name;
  }

  /** Declares that a value, made by the node that was given its name, is an output. */
  output(value: Value): void {
    this.outputs.push(value);
  }

  /**
   * Adds a node and returns the name of its output.
   *
   * @param group the layer that it belongs to: the node's name begins with it
   * @param output a name for an output of the graph; by default the node's own
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

  /** The value of a parameter, by its own name, as trained. */
  initializer(name: string): string {
    const parameter = this.#parameters.get(name);
    const values = this.values.get(name);
    if (!parameter || !values) throw new Error(`There is no parameter ${name}.`);
    if (!this.#constants.has(name)) this.#constants.set(name, floatTensor(name, parameter.shape, values));
    return name;
  }

  /** An int64 constant [n], which is how operators take shapes and positions. */
  integers(values: readonly number[], group: string): string {
    return this.constant("int64", values, [values.length], group);
  }

  /** A constant of a few numbers. */
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

/** Numbers as a constant. */
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
