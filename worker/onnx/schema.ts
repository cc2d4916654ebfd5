/**
 * The part of ONNX's schema that this library writes and reads: the field numbers of onnx.proto3, with its names.
 *
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 */

export const ModelProto = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  docString: 6,
  graph: 7,
  opsetImport: 8,
  metadataProps: 14,
  trainingInfo: 20,
} as const;

export const GraphProto = { node: 1, name: 2, initializer: 5, docString: 10, input: 11, output: 12 } as const;

export const NodeProto = { input: 1, output: 2, name: 3, opType: 4, attribute: 5 } as const;

export const AttributeProto = { name: 1, f: 2, i: 3, ints: 8, type: 20 } as const;

export const AttributeType = { float: 1, int: 2, ints: 7 } as const;

export const TensorProto = { dims: 1, dataType: 2, name: 8, rawData: 9 } as const;

export const DataType = { float: 1, int32: 6, int64: 7 } as const;

export const ValueInfoProto = { name: 1, type: 2, docString: 3 } as const;

export const TypeProto = { tensorType: 1 } as const;

export const TensorTypeProto = { elemType: 1, shape: 2 } as const;

export const TensorShapeProto = { dim: 1 } as const;

export const DimensionProto = { dimValue: 1, dimParam: 2 } as const;

export const OperatorSetIdProto = { domain: 1, version: 2 } as const;

export const StringStringEntryProto = { key: 1, value: 2 } as const;

export const TrainingInfoProto = { algorithm: 2 } as const;

/** The format version that belongs to opset 17; every ONNX tool since 2022 reads it. */
export const IR_VERSION = 8;
export const OPSET = 17;
