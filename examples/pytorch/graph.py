"""A network as an ONNX graph: the window form of a model of windows, the sequence form of a model of words."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Builds a graph. Values are referred to by name; nodes are named after their layer, `linear1/MatMul`."""

    def __init__(self, parameters):
        self.parameters, self.group = parameters, ""
        self.node_list, self.constants, self.names = [], {}, {}

    def node(self, operator, *inputs, output=None, **attributes):
        """Adds a node and returns the name of its output."""
        name = self.unique(operator)
        self.node_list.append(helper.make_node(operator, inputs, [output or name], name, **attributes))
        return output or name

    def parameter(self, name):
        """Adds a parameter with its trained values."""
        self.constants[name] = numpy_helper.from_array(self.parameters[name], name)
        return name

    def constant(self, array):
        name = self.unique(",".join(map(str, array.reshape(-1)[:4])))
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def integer(self, value):
        return self.constant(np.array(value, np.int64))

    def number(self, value):
        return self.constant(np.array(value, np.float32))

    def zeros(self, count):
        return self.constant(np.zeros(count, np.float32))

    def time(self, x):
        """Returns the number of positions of a value [batch, time, ...], as an int64 tensor [1]."""
        return self.node("Shape", x, start=1, end=2)

    def unique(self, name):
        """Returns a name under the layer's name, with a number if it is taken."""
        name = f"{self.group}/{name}"
        count = self.names[name] = self.names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"


def graph_of(network, parameters):
    """The graph of a network with these parameters, and the name of its form."""
    graph, words = Graph(parameters), network.reads_words
    name, shape = ("tokens", ["batch", "time"]) if words else ("context", ["batch", network.context_length])
    value = name
    for layer in network.layers:
        value = layer.write(graph, value)
    graph.group = "logits"
    if words:
        graph.node("Identity", value, output="logits")
    else:
        # One position is left: [batch, 1, vocabulary].
        graph.node("Reshape", value, graph.integers(0, network.vocabulary_size), output="logits")
    logits = [*(shape if words else shape[:1]), network.vocabulary_size]
    return "sequence" if words else "window", helper.make_graph(
        graph.node_list,
        "makemore",
        [helper.make_tensor_value_info(name, TensorProto.INT32, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, logits)],
        list(graph.constants.values()),
    )
