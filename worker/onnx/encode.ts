/** Encodes a graph as an ONNX file, with one function per message of the schema. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { version } from "../../package.json";
import type { Attribute } from "../model/layer";
import type { GraphBuilder, Node, Tensor, Value } from "./graph";
import {
  AttributeProto,
  AttributeType,
  DataType,
  DimensionProto,
  GraphProto,
  IR_VERSION,
  ModelProto,
  NodeProto,
  OPSET,
  OperatorSetIdProto,
  StringStringEntryProto,
  TensorProto,
  TensorShapeProto,
  TensorTypeProto,
  TrainingInfoProto,
  TypeProto,
  ValueInfoProto,
} from "./schema";

/** The `producer_name` of our files. */
export const PRODUCER = "makemore-web";

/** The contents of a file. */
export interface ModelContents {
  readonly graph: GraphBuilder;
  /** Describes the graph for people. */
  readonly description: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Tensors that only training needs; they go to ONNX's `training_info`. */
  readonly training?: readonly Tensor[];
}

/** Encodes the whole file. */
export function encodeModel({
  graph,
  description,
  metadata = {},
  training = [],
}: ModelContents): Uint8Array<ArrayBuffer> {
  const model = new BinaryWriter();
  integer(model, ModelProto.irVersion, IR_VERSION);
  text(model, ModelProto.producerName, PRODUCER);
  text(model, ModelProto.producerVersion, version);
  text(model, ModelProto.docString, description);
  message(model, ModelProto.graph, () => encodeGraph(model, graph));
  message(model, ModelProto.opsetImport, () => {
    text(model, OperatorSetIdProto.domain, "");
    integer(model, OperatorSetIdProto.version, OPSET);
  });
  for (const [key, value] of Object.entries(metadata))
    message(model, ModelProto.metadataProps, () => encodeEntry(model, key, value));
  if (training.length > 0)
    message(model, ModelProto.trainingInfo, () =>
      message(model, TrainingInfoProto.algorithm, () => {
        text(model, GraphProto.name, "optimizer");
        for (const tensor of training)
          message(model, GraphProto.initializer, () => encodeTensor(model, tensor));
      }),
    );
  return model.finish();
}

/** Writes one entry of the metadata. */
export function encodeEntry(writer: BinaryWriter, key: string, value: string): void {
  text(writer, StringStringEntryProto.key, key);
  text(writer, StringStringEntryProto.value, value);
}

/** Writes a message field. `fork` and `join` fill in its length after the content is written. */
export function message(writer: BinaryWriter, field: number, content: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  content();
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function integer(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value);
}

function encodeGraph(writer: BinaryWriter, graph: GraphBuilder): void {
  for (const node of graph.nodes) message(writer, GraphProto.node, () => encodeNode(writer, node));
  text(writer, GraphProto.name, "makemore");
  for (const tensor of graph.constants)
    message(writer, GraphProto.initializer, () => encodeTensor(writer, tensor));
  for (const value of graph.inputs) message(writer, GraphProto.input, () => encodeValue(writer, value));
  for (const value of graph.outputs) message(writer, GraphProto.output, () => encodeValue(writer, value));
}

function encodeNode(writer: BinaryWriter, node: Node): void {
  for (const input of node.inputs) text(writer, NodeProto.input, input);
  text(writer, NodeProto.output, node.output);
  text(writer, NodeProto.name, node.name);
  text(writer, NodeProto.opType, node.operator);
  for (const [name, attribute] of Object.entries(node.attributes))
    message(writer, NodeProto.attribute, () => encodeAttribute(writer, name, attribute));
}

function encodeAttribute(writer: BinaryWriter, name: string, attribute: Attribute): void {
  text(writer, AttributeProto.name, name);
  if ("float" in attribute) {
    writer.tag(AttributeProto.f, WireType.Bit32).float(attribute.float);
    integer(writer, AttributeProto.type, AttributeType.float);
  } else if ("int" in attribute) {
    integer(writer, AttributeProto.i, attribute.int);
    integer(writer, AttributeProto.type, AttributeType.int);
  } else {
    for (const value of attribute.ints) integer(writer, AttributeProto.ints, value);
    integer(writer, AttributeProto.type, AttributeType.ints);
  }
}

function encodeTensor(writer: BinaryWriter, tensor: Tensor): void {
  for (const dimension of tensor.dimensions) integer(writer, TensorProto.dims, dimension);
  integer(writer, TensorProto.dataType, DataType[tensor.type]);
  text(writer, TensorProto.name, tensor.name);
  writer.tag(TensorProto.rawData, WireType.LengthDelimited).bytes(tensor.bytes);
}

function encodeValue(writer: BinaryWriter, value: Value): void {
  text(writer, ValueInfoProto.name, value.name);
  message(writer, ValueInfoProto.type, () =>
    message(writer, TypeProto.tensorType, () => {
      integer(writer, TensorTypeProto.elemType, DataType[value.type]);
      message(writer, TensorTypeProto.shape, () => {
        for (const dimension of value.dimensions)
          message(writer, TensorShapeProto.dim, () => {
            if (typeof dimension === "number") integer(writer, DimensionProto.dimValue, dimension);
            else text(writer, DimensionProto.dimParam, dimension);
          });
      });
    }),
  );
  text(writer, ValueInfoProto.docString, value.description);
}
