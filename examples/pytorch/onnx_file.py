"""The package's .onnx file, which docs/onnx.md specifies: a graph, the parameters, the optimiser's state, metadata."""

import json
import os
import zlib
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from graph import graph_of

PRODUCER = "makemore-web"
OPSET, IR_VERSION = 17, 8
# What files of version 0.1.0 leave out, because there was nothing else.
OF_0_1_0 = {"keepBest": False, "patience": 0, "order": "random", "targets": "hard", "teacher": "none"}


@dataclass
class Checkpoint:
    """A training at a moment. Arrays are float32, by parameter name."""

    # The characters in the order of their ids, from 1.
    vocabulary: list
    # Descriptions of the layers.
    layers: list
    parameters: dict
    # Steps done.
    step: int
    recipe: dict
    # Fingerprint of the words; None in a file of 0.1.0.
    words: dict
    # The optimiser's state by its name ("m", "v"), then by parameter; empty without any.
    moments: dict


def checksum_entry(content):
    """The end of a file: one more entry of the metadata, with the CRC-32 of all that is before it."""
    entry = onnx.StringStringEntryProto(key="checksum", value=f"{zlib.crc32(content):08x}").SerializeToString()
    # The field's number and wire type (metadata_props is 14, length-delimited is 2), and the length.
    return bytes([14 << 3 | 2, len(entry)]) + entry


def write(path, checkpoint, network):
    """Writes a checkpoint of this network. The file is replaced whole, or not at all."""
    for name, array in checkpoint.parameters.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite; try a lower learning rate.")
    form, graph = graph_of(network, checkpoint.parameters)
    model = helper.make_model(
        graph,
        producer_name=PRODUCER,
        producer_version=f"pytorch {torch.__version__}",
        doc_string="A character-level language model of makemore-web, trained in PyTorch.",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    training = {"step": checkpoint.step, "recipe": checkpoint.recipe, "words": checkpoint.words}
    metadata = {"form": form, "vocabulary": checkpoint.vocabulary, "layers": checkpoint.layers, "training": training}
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        model.metadata_props.add(key=key, value=text)
    if checkpoint.moments:
        state = model.training_info.add().algorithm.initializer
        for name, arrays in checkpoint.moments.items():
            state.extend(numpy_helper.from_array(array, f"{parameter}.{name}") for parameter, array in arrays.items())
    content = model.SerializeToString()
    with open(f"{path}.part", "wb") as file:
        file.write(content + checksum_entry(content))
    os.replace(f"{path}.part", path)


def read(path):
    """Reads a file of the package, in any of its forms."""
    with open(path, "rb") as file:
        data = file.read()
    content = data[: -len(checksum_entry(b""))]
    if data != content + checksum_entry(content):
        raise ValueError(f"{path} is no export of {PRODUCER}, or it was altered: its checksum is wrong.")
    model = onnx.load_model_from_string(data)
    if model.producer_name != PRODUCER:
        raise ValueError(f"{path} was made by {model.producer_name!r}; it must be an export of {PRODUCER}.")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    vocabulary, layers, training = (json.loads(metadata[key]) for key in ("vocabulary", "layers", "training"))
    if "groups" in metadata:
        raise ValueError(f"{path} has groups of words, which this script does not train.")
    moments = {}
    for info in model.training_info:
        for name, array in arrays_of(info.algorithm.initializer).items():
            parameter, _, state = name.rpartition(".")
            moments.setdefault(state, {})[parameter] = array
    return Checkpoint(
        vocabulary=vocabulary,
        layers=layers,
        parameters=arrays_of(model.graph.initializer),
        step=training["step"],
        recipe={**OF_0_1_0, **training["recipe"]},
        words=training.get("words"),
        moments=moments,
    )


def arrays_of(tensors):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}
