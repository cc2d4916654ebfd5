/**
 * A graph in the making. Layers add their nodes to it; `write.ts` turns it into bytes. It knows
 * ONNX's ideas (nodes, attributes, initialisers) and nothing of its wire format.
 */

/** Attribute values: a whole number is written as INT, unless the name is known to be FLOAT. */
export type Attribute = number | readonly number[];

/** What a layer may ask of the graph it is added to. */
export interface GraphBuilder {
  /**
   * Adds a node and returns the name of its output, which is unique.
   *
   * @param group the layer that it belongs to: the node's name begins with it
   */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    group: string,
  ): string;
  /** The value of a parameter, by its own name, as trained. */
  initializer(parameter: string): string;
  /** An int64 constant for Reshape; 0 keeps a dimension, -1 infers it. */
  shape(dimensions: readonly number[], name: string): string;
}
