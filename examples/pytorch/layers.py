"""The package's layers (worker/model/layers): the same names, shapes, initial values and formulas.

A layer takes and gives [batch, positions, channels]; the Embedding takes ids [batch, positions]. Weights are
[fan in, fan out], as in x @ W. `forward` is the layer in PyTorch, `nodes` the same in ONNX.
"""

import math
import re
from dataclasses import dataclass
from typing import Callable, Optional

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn


@dataclass
class Place:
    """The place of a layer in a model."""

    name: str
    positions: int
    # None before the Embedding.
    channels: Optional[int]
    vocabulary_size: int
    # Whether it is the model's last layer, whose Linear makes the logits.
    last: bool
    # Makes a nested layer, from its description and its input shape.
    inner: Callable


def normal(*shape, std):
    """Makes a parameter whose initial values are normal numbers times std; models.py draws them."""
    parameter = nn.Parameter(torch.empty(shape))
    parameter.initial_std = std
    return parameter


class Layer(nn.Module):
    def __init__(self, place):
        super().__init__()
        self.name, self.positions, self.channels = place.name, place.positions, place.channels
        if self.channels is None and not isinstance(self, Embedding):
            raise ValueError(f"Layer {self.name} takes [positions, channels]; put an Embedding first.")

    def write(self, graph, x):
        """Adds this layer's nodes to a graph. Takes and returns names of values."""
        outer, graph.group = graph.group, self.name
        y = self.nodes(graph, x)
        graph.group = outer
        return y


class Embedding(Layer):
    """A vector for each character."""

    def __init__(self, place, dimensions, std=1, reads=None):
        super().__init__(place)
        self.channels = place.vocabulary_size if dimensions == "vocabulary" else dimensions
        self.weight = normal(place.vocabulary_size, self.channels, std=std)

    def forward(self, x):
        return F.embedding(x, self.weight)

    def nodes(self, graph, x):
        return graph.node("Gather", graph.parameter(f"{self.name}.weight"), x, axis=0)


class PositionEmbedding(Layer):
    """Adds a vector for each position of a word."""

    def __init__(self, place, positions, std=1):
        super().__init__(place)
        self.weight = normal(positions, self.channels, std=std)

    def forward(self, x):
        return x + self.weight[: x.shape[1]]

    def nodes(self, graph, x):
        zero = graph.integers(0)
        rows = graph.node("Slice", graph.parameter(f"{self.name}.weight"), zero, graph.time(x), zero)
        return graph.node("Add", x, rows)


class FlattenConsecutive(Layer):
    """Joins every n neighbouring positions into one."""

    def __init__(self, place, n):
        super().__init__(place)
        if self.positions % n != 0:
            raise ValueError(f"Layer {self.name} joins {n} positions, but its input has {self.positions}.")
        self.positions, self.channels = self.positions // n, self.channels * n

    def forward(self, x):
        return x.reshape(len(x), self.positions, self.channels)

    def nodes(self, graph, x):
        return graph.node("Reshape", x, graph.integers(0, self.positions, self.channels))


class Linear(Layer):
    """x @ W + b. The last one makes the logits, and its initial weights are a tenth as large."""

    def __init__(self, place, fanIn=None, fanOut=None, bias=True, std=None):
        super().__init__(place)
        if fanIn not in (None, self.channels):
            raise ValueError(f"Layer {self.name} has fanIn {fanIn}; it must be {self.channels}.")
        if fanOut is None and not place.last:
            raise ValueError(f"Layer {self.name} needs a fanOut; only the last layer's is the vocabulary by itself.")
        fan_in, self.channels = self.channels, fanOut or place.vocabulary_size
        if std is None:
            std = (0.1 if place.last else 1) / math.sqrt(fan_in)
        self.weight = normal(fan_in, self.channels, std=std)
        self.bias = nn.Parameter(torch.zeros(self.channels)) if bias else None

    def forward(self, x):
        y = x @ self.weight
        return y if self.bias is None else y + self.bias

    def nodes(self, graph, x):
        y = graph.node("MatMul", x, graph.parameter(f"{self.name}.weight"))
        return y if self.bias is None else graph.node("Add", y, graph.parameter(f"{self.name}.bias"))


class SumOfProcesses(torch.autograd.Function):
    """Sums a tensor over all processes of a training; the backward pass sums the gradient in the same way."""

    @staticmethod
    def forward(_, x):
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_, gradient):
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class BatchNorm1d(Layer):
    """Normalises each channel over the whole minibatch, across all processes, with the unbiased variance."""

    def __init__(self, place, features=None, momentum=0.1, epsilon=1e-5):
        super().__init__(place)
        if features not in (None, self.channels):
            raise ValueError(f"Layer {self.name} has features {features}; it must be {self.channels}.")
        self.momentum, self.epsilon = momentum, epsilon
        self.gamma = nn.Parameter(torch.ones(self.channels))
        self.beta = nn.Parameter(torch.zeros(self.channels))
        self.register_buffer("runningMean", torch.zeros(self.channels))
        self.register_buffer("runningVariance", torch.ones(self.channels))

    def forward(self, x):
        mean, variance = self.runningMean, self.runningVariance
        if self.training:
            total = SumOfProcesses.apply if dist.is_initialized() else lambda x: x
            rows = x.reshape(-1, self.channels)
            count = total(torch.full([1], float(len(rows)), device=x.device))
            mean = total(rows.sum(0)) / count
            variance = total((rows - mean).square().sum(0)) / (count - 1)
            with torch.no_grad():
                self.runningMean.lerp_(mean, self.momentum)
                self.runningVariance.lerp_(variance, self.momentum)
        return (x - mean) * (self.gamma / torch.sqrt(variance + self.epsilon)) + self.beta

    def nodes(self, graph, x):
        # The operator takes channels second: [batch, positions, channels] is laid out as rows.
        rows = graph.node("Reshape", x, graph.integers(-1, self.channels))
        parameters = [graph.parameter(f"{self.name}.{part}") for part in ("gamma", "beta", "runningMean", "runningVariance")]
        y = graph.node("BatchNormalization", rows, *parameters, epsilon=self.epsilon)
        return graph.node("Reshape", y, graph.integers(-1, self.positions, self.channels))


class LayerNorm(Layer):
    """Normalises the channels of each position, then scales and shifts them."""

    def __init__(self, place, epsilon=1e-5):
        super().__init__(place)
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(self.channels))
        self.bias = nn.Parameter(torch.zeros(self.channels))

    def forward(self, x):
        return F.layer_norm(x, (self.channels,), self.weight, self.bias, self.epsilon)

    def nodes(self, graph, x):
        weight, bias = graph.parameter(f"{self.name}.weight"), graph.parameter(f"{self.name}.bias")
        return graph.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=self.epsilon)


class RMSNorm(Layer):
    """Divides the channels of each position by the root of their mean square."""

    def __init__(self, place, epsilon=1e-5):
        super().__init__(place)
        self.epsilon = epsilon

    def forward(self, x):
        return x / torch.sqrt(x.square().mean(-1, keepdim=True) + self.epsilon)

    def nodes(self, graph, x):
        mean = graph.node("ReduceMean", graph.node("Mul", x, x), axes=[-1])
        return graph.node("Div", x, graph.node("Sqrt", graph.node("Add", mean, graph.number(self.epsilon))))


class Tanh(Layer):
    def forward(self, x):
        return torch.tanh(x)

    def nodes(self, graph, x):
        return graph.node("Tanh", x)


class ReLU(Layer):
    def forward(self, x):
        return F.relu(x)

    def nodes(self, graph, x):
        return graph.node("Relu", x)


class GELU(Layer):
    """GPT-2's GELU, with the tanh approximation."""

    SCALE, CUBIC = math.sqrt(2 / math.pi), 0.044715

    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(self.SCALE * x * (1 + self.CUBIC * x * x)))

    def nodes(self, graph, x):
        node, number = graph.node, graph.number
        inner = node("Add", node("Mul", node("Mul", x, x), number(self.CUBIC)), number(1))
        tanh = node("Tanh", node("Mul", node("Mul", inner, x), number(self.SCALE)))
        return node("Mul", node("Mul", x, number(0.5)), node("Add", tanh, number(1)))


class CausalMean(Layer):
    """The mean over this and all earlier positions of a word."""

    def forward(self, x):
        return x.cumsum(1) / torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]

    def nodes(self, graph, x):
        node, one = graph.node, graph.integer(1)
        counts = node("Range", one, node("Add", node("Squeeze", graph.time(x)), one), one)
        column = node("Unsqueeze", counts, graph.integers(1))
        return node("Div", node("CumSum", x, one), node("CastLike", column, x))


class CausalSelfAttention(Layer):
    """Scaled dot-product attention over this and all earlier positions; `qkv` makes queries, keys and values."""

    class Part(nn.Module):
        def __init__(self, fan_in, fan_out, bias, std):
            super().__init__()
            self.weight = normal(fan_in, fan_out, std=std)
            self.bias = nn.Parameter(torch.zeros(fan_out)) if bias else None

        def forward(self, x):
            return x @ self.weight if self.bias is None else x @ self.weight + self.bias

    def __init__(self, place, heads, bias=True, std=None):
        super().__init__(place)
        channels = self.channels
        if channels % heads != 0:
            raise ValueError(f"Layer {self.name} has {heads} heads for {channels} channels; heads must divide the channels.")
        std = 1 / math.sqrt(channels) if std is None else std
        self.heads, self.size, self.has_bias = heads, channels // heads, bias
        self.qkv = self.Part(channels, 3 * channels, bias, std)
        self.proj = self.Part(channels, channels, bias, std)

    def forward(self, x):
        batch, time, channels = x.shape
        # [batch, heads, time, size] each.
        q, k, v = self.qkv(x).reshape(batch, time, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) / math.sqrt(self.size)
        later = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
        found = scores.masked_fill(later, -math.inf).softmax(3) @ v
        return self.proj(found.transpose(1, 2).reshape(batch, time, channels))

    def nodes(self, graph, x):
        node = graph.node

        def linear(x, part):
            y = node("MatMul", x, graph.parameter(f"{self.name}.{part}.weight"))
            return node("Add", y, graph.parameter(f"{self.name}.{part}.bias")) if self.has_bias else y

        parts = node("Reshape", linear(x, "qkv"), graph.integers(0, 0, 3, self.heads, self.size))
        parts = node("Transpose", parts, perm=[2, 0, 3, 1, 4])
        q, k, v = (node("Gather", parts, graph.integer(i), axis=0) for i in range(3))
        # -inf above the diagonal, 0 elsewhere.
        square = node("Concat", graph.time(x), graph.time(x), axis=0)
        mask = node("Trilu", node("Expand", graph.number(-math.inf), square), graph.integer(1), upper=1)
        scores = node("MatMul", q, node("Transpose", k, perm=[0, 1, 3, 2]))
        scores = node("Add", node("Mul", scores, graph.number(1 / math.sqrt(self.size))), mask)
        found = node("Transpose", node("MatMul", node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return linear(node("Reshape", found, graph.integers(0, 0, self.channels)), "proj")


class Recurrent(Layer):
    """A cell that reads a word position by position. It begins with h from a learned `start`, and c = 0.

    Each of its weights is [channels + hidden, made channels], the rows of x first.
    """

    # Output channels of each weight, in units of `hidden`; if a cell has only one weight, its name is "".
    WEIGHTS = {}

    class Weight(nn.Module):
        def __init__(self, fan_in, fan_out):
            super().__init__()
            self.weight = normal(fan_in, fan_out, std=1 / math.sqrt(fan_in))
            self.bias = nn.Parameter(torch.zeros(fan_out))

    def __init__(self, place, hidden):
        super().__init__(place)
        self.fan_in, self.channels = self.channels, hidden
        self.start = nn.Parameter(torch.zeros(hidden))
        for key, units in self.WEIGHTS.items():
            made = self.Weight(self.fan_in + hidden, units * hidden)
            if key:
                self.add_module(key, made)
            else:
                self.weight, self.bias = made.weight, made.bias

    def forward(self, x):
        batch, time, channels = x.shape
        weights = {key: getattr(self, key) if key else self for key in self.WEIGHTS}
        # x takes one product for all positions; h needs one per position, because it depends on the position before.
        of_x = {key: (x @ made.weight[:channels] + made.bias).unbind(1) for key, made in weights.items()}
        h, c, outputs = self.start.expand(batch, -1), torch.zeros(batch, self.channels, device=x.device), []
        for t in range(time):
            h, c = self.step(h, c, lambda key, h: of_x[key][t] + h @ weights[key].weight[channels:])
            outputs.append(h)
        return torch.stack(outputs, 1)

    def nodes(self, graph, x):
        # ONNX's operator of the same name, which concatenates the gates in another order.
        node, first, hidden = graph.node, graph.integers(0), self.channels
        prefix = {key: f"{self.name}.{key}." if key else f"{self.name}." for key in self.WEIGHTS}
        weight = self.arrange(graph, {key: graph.parameter(f"{name}weight") for key, name in prefix.items()}, 1)
        bias = self.arrange(graph, {key: graph.parameter(f"{name}bias") for key, name in prefix.items()}, 0)

        def rows(start, end):
            part = node("Slice", weight, graph.integers(start), graph.integers(end), first)
            return node("Unsqueeze", node("Transpose", part), first)

        # It has biases for x and for h.
        biases = node("Concat", bias, graph.zeros(hidden * sum(self.WEIGHTS.values())), axis=0)
        batch = node("Concat", graph.integers(1), node("Shape", x, start=0, end=1), graph.integers(hidden), axis=0)
        y = node(
            type(self).__name__,
            node("Transpose", x, perm=[1, 0, 2]),
            rows(0, self.fan_in),
            rows(self.fan_in, self.fan_in + hidden),
            node("Unsqueeze", biases, first),
            "",
            node("Expand", graph.parameter(f"{self.name}.start"), batch),
            hidden_size=hidden,
        )
        # [time, directions, batch, hidden], with one direction.
        return node("Transpose", node("Squeeze", y, graph.integers(1)), perm=[1, 0, 2])


class RNN(Recurrent):
    WEIGHTS = {"": 1}

    def step(self, h, c, gate):
        return torch.tanh(gate("", h)), c

    def arrange(self, graph, parts, axis):
        return parts[""]


class GRU(Recurrent):
    WEIGHTS = {"update": 1, "reset": 1, "candidate": 1}

    def step(self, h, c, gate):
        z, r = torch.sigmoid(gate("update", h)), torch.sigmoid(gate("reset", h))
        return h + z * (torch.tanh(gate("candidate", r * h)) - h), c

    def arrange(self, graph, parts, axis):
        # ONNX's z is the share of h that stays, which is our 1 - z: the sigmoid of the negative.
        return graph.node("Concat", graph.node("Neg", parts["update"]), parts["reset"], parts["candidate"], axis=axis)


class LSTM(Recurrent):
    WEIGHTS = {"": 4}

    def step(self, h, c, gate):
        i, f, g, o = gate("", h).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def arrange(self, graph, parts, axis):
        # ONNX's order is i, o, f, g.
        def gate(i):
            bounds = (i * self.channels, (i + 1) * self.channels, axis)
            return graph.node("Slice", parts[""], *(graph.integers(bound) for bound in bounds))

        return graph.node("Concat", gate(0), gate(3), gate(1), gate(2), axis=axis)


class Residual(Layer):
    """x + layers(x)."""

    def __init__(self, place, layers):
        super().__init__(place)
        # A tuple, because the model itself owns the layers, so that their parameters have plain names.
        inside, positions, channels = [], self.positions, self.channels
        for spec in layers:
            inside.append(place.inner(spec, positions, channels))
            positions, channels = inside[-1].positions, inside[-1].channels
        if (positions, channels) != (self.positions, self.channels):
            raise ValueError(f"Layer {self.name} adds [{self.positions}, {self.channels}] to [{positions}, {channels}].")
        self.layers = tuple(inside)

    def forward(self, x):
        y = x
        for layer in self.layers:
            y = layer(y)
        return x + y

    def nodes(self, graph, x):
        y = x
        for layer in self.layers:
            y = layer.write(graph, y)
        return graph.node("Add", x, y)


KINDS = {
    kind.__name__: kind
    for kind in (
        BatchNorm1d,
        CausalMean,
        CausalSelfAttention,
        Embedding,
        FlattenConsecutive,
        GELU,
        GRU,
        LayerNorm,
        Linear,
        LSTM,
        PositionEmbedding,
        ReLU,
        Residual,
        RMSNorm,
        RNN,
        Tanh,
    )
}
# A model has only one of these, so their names have no number.
ONCE = (Embedding, PositionEmbedding)
# In a model of words, padding would count in the statistics, and joined positions would have no prediction each.
WINDOWS_ONLY = (BatchNorm1d, FlattenConsecutive)


def base_name(kind):
    """The type with its first word, or its abbreviation, in lower case: `rnn`, `rmsNorm`, `batchNorm1d`."""
    return re.sub("^(?:[A-Z]+(?![a-z])|[A-Z])", lambda start: start[0].lower(), kind)


def reads_words(spec):
    """Whether this layer makes a model read words instead of windows."""
    if spec["type"] in ("CausalMean", "CausalSelfAttention", "GRU", "LSTM", "RNN", "PositionEmbedding"):
        return True
    return spec.get("reads") == "word" or any(map(reads_words, spec.get("layers", ())))
