"""The package's architectures, as lists of layers, and the network that a list of layers describes."""

import torch
from torch import nn

from draws import random_normal
from layers import KINDS, ONCE, WINDOWS_ONLY, Place, base_name, reads_words

# Maximum number of characters that a model can read.
MAX_CONTEXT_LENGTH = 256


def wavenet(longest, contextLength=8, embedding=24, hidden=128, folds=None):
    layers = [{"type": "Embedding", "dimensions": embedding}]
    for n in folds or prime_factors(contextLength):
        layers += [
            {"type": "FlattenConsecutive", "n": n},
            {"type": "Linear", "fanOut": hidden, "bias": False},
            {"type": "BatchNorm1d"},
            {"type": "Tanh"},
        ]
    return layers + [{"type": "Linear"}]


def mlp(longest, contextLength=3, embedding=10, hidden=200):
    return wavenet(longest, contextLength, embedding, hidden, [contextLength])


def bigram(longest):
    return [{"type": "Embedding", "dimensions": "vocabulary", "std": 0, "reads": "word"}]


def bow(longest, contextLength=None, embedding=64, hidden=64):
    mlp = [{"type": "Linear", "fanOut": hidden}, {"type": "Tanh"}, {"type": "Linear", "fanOut": embedding}]
    return [
        {"type": "Embedding", "dimensions": embedding},
        {"type": "PositionEmbedding", "positions": contextLength or longest},
        {"type": "Residual", "layers": [{"type": "CausalMean"}]},
        {"type": "Residual", "layers": mlp},
        {"type": "Linear", "std": embedding**-0.5},
    ]


def recurrent(kind):
    def layers(longest, embedding=64, hidden=64):
        return [
            {"type": "Embedding", "dimensions": embedding},
            {"type": kind, "hidden": hidden},
            {"type": "Linear", "std": hidden**-0.5},
        ]

    return layers


def transformer(longest, layers=4, heads=4, embedding=64, hidden=None, contextLength=None):
    std = {"std": 0.02}
    attention = [{"type": "LayerNorm"}, {"type": "CausalSelfAttention", "heads": heads, **std}]
    mlp = [
        {"type": "LayerNorm"},
        {"type": "Linear", "fanOut": hidden or 4 * embedding, **std},
        {"type": "GELU"},
        {"type": "Linear", "fanOut": embedding, **std},
    ]
    return [
        {"type": "Embedding", "dimensions": embedding, **std},
        {"type": "PositionEmbedding", "positions": contextLength or longest, **std},
        *[{"type": "Residual", "layers": inner} for _ in range(layers) for inner in (attention, mlp)],
        {"type": "LayerNorm"},
        {"type": "Linear", "bias": False, **std},
    ]


def microgpt(longest, layers=1, heads=4, embedding=16, hidden=None, contextLength=None):
    std = {"std": 0.02}
    attention = [{"type": "RMSNorm"}, {"type": "CausalSelfAttention", "heads": heads, "bias": False, **std}]
    mlp = [
        {"type": "RMSNorm"},
        {"type": "Linear", "fanOut": hidden or 4 * embedding, "bias": False, **std},
        {"type": "ReLU"},
        {"type": "Linear", "fanOut": embedding, "bias": False, **std},
    ]
    return [
        {"type": "Embedding", "dimensions": embedding, **std},
        {"type": "PositionEmbedding", "positions": contextLength or longest, **std},
        {"type": "RMSNorm"},
        *[{"type": "Residual", "layers": inner} for _ in range(layers) for inner in (attention, mlp)],
        {"type": "Linear", "bias": False, **std},
    ]


ARCHITECTURES = {
    "wavenet": wavenet,
    "mlp": mlp,
    "bigram": bigram,
    "bow": bow,
    "rnn": recurrent("RNN"),
    "gru": recurrent("GRU"),
    "lstm": recurrent("LSTM"),
    "transformer": transformer,
    "microgpt": microgpt,
}


def prime_factors(n):
    """Smallest first: 8 is [2, 2, 2], 12 is [2, 2, 3], 1 is [1]."""
    factors, factor = [], 2
    while n > 1:
        while n % factor == 0:
            factors.append(factor)
            n //= factor
        factor += 1
    return factors or [1]


def layers_of(model, longest):
    """The layers of a model: of a name, of sizes such as {"type": "gru", "hidden": 128}, or of a list of layers.

    `longest` is the positions of the longest word: its characters and one.
    """
    if isinstance(model, list):
        return model
    sizes = {"type": model} if isinstance(model, str) else dict(model)
    name = sizes.pop("type", "wavenet")
    if name not in ARCHITECTURES:
        raise ValueError(f"There is no model {name!r}; there are {', '.join(ARCHITECTURES)}.")
    try:
        return ARCHITECTURES[name](min(longest, MAX_CONTEXT_LENGTH), **sizes)
    except TypeError as error:
        raise ValueError(f"The sizes of {name!r} are wrong: {error}") from None


class Network(nn.Module):
    """A sequence of layers. Parameters have the same names as in the .onnx file."""

    def __init__(self, specs, vocabulary_size):
        super().__init__()
        self.specs, self.vocabulary_size = specs, vocabulary_size
        self.reads_words = any(map(reads_words, specs))
        self.context_length = most_positions(specs) if self.reads_words else joined_positions(specs)
        counts = {}

        def place(spec, positions, channels, last=False):
            options = dict(spec)
            kind = KINDS.get(options.pop("type", None))
            if kind is None:
                raise ValueError(f"There is no layer {spec.get('type')!r}; there are {', '.join(KINDS)}.")
            count = counts[kind] = counts.get(kind, 0) + 1
            name = base_name(kind.__name__) + ("" if kind in ONCE and count == 1 else str(count))
            if self.reads_words and kind in WINDOWS_ONLY:
                raise ValueError(f"Layer {name} cannot be in a model that reads words.")
            where = Place(name, positions, channels, vocabulary_size, last, place)
            try:
                layer = kind(where, **options)
            except TypeError as error:
                raise ValueError(f"The options of layer {name} are wrong: {error}") from None
            self.add_module(name, layer)
            return layer

        layers, positions, channels = [], self.context_length, None
        for i, spec in enumerate(specs):
            layers.append(place(spec, positions, channels, i == len(specs) - 1))
            positions, channels = layers[-1].positions, layers[-1].channels
        # A tuple, because each layer is a module by its name already.
        self.layers = tuple(layers)
        logits = (self.context_length if self.reads_words else 1, vocabulary_size)
        if (positions, channels) != logits:
            raise ValueError(f"The last layer gives {(positions, channels)}, but the logits are {logits}; end with a Linear.")

    def forward(self, x):
        """Ids to logits: windows [batch, contextLength] to [batch, vocabulary], words [batch, time] to
        [batch, time, vocabulary]."""
        for layer in self.layers:
            x = layer(x)
        return x if self.reads_words else x[:, 0]

    def tensors(self):
        """All numbers of the model by name, running statistics included, in the package's order."""
        return {
            f"{name}.{key}": tensor
            for name, layer in self.named_children()
            for key, tensor in (*layer.named_parameters(), *layer.named_buffers())
        }

    @torch.no_grad()
    def initialize(self, seed):
        """Sets the initial values, which depend only on the seed and on each tensor's place."""
        for place, tensor in enumerate(self.tensors().values()):
            if hasattr(tensor, "initial_std"):
                values = random_normal(seed, place, tensor.numel()) * float(tensor.initial_std)
                tensor.copy_(torch.from_numpy(values).reshape(tensor.shape))

    @torch.no_grad()
    def load(self, parameters):
        """Loads numpy arrays by name."""
        for name, tensor in self.tensors().items():
            given = parameters.get(name)
            if given is None or list(given.shape) != list(tensor.shape):
                raise ValueError(f"The file must have a tensor {name} of shape {list(tensor.shape)}.")
            tensor.copy_(torch.from_numpy(given.copy()))


def joined_positions(specs):
    """Positions that a model of windows joins into one."""
    joined = 1
    for spec in specs:
        joined *= spec.get("n", 1) if spec.get("type") == "FlattenConsecutive" else 1
    if joined > MAX_CONTEXT_LENGTH:
        raise ValueError(f"The layers join a context of {joined} characters; at most {MAX_CONTEXT_LENGTH} are possible.")
    return joined


def most_positions(specs):
    """Positions of a word that a model can read."""
    limits = [most_positions(spec.get("layers", [])) for spec in specs if spec.get("type") == "Residual"]
    limits += [spec.get("positions", MAX_CONTEXT_LENGTH) for spec in specs if spec.get("type") == "PositionEmbedding"]
    return min([MAX_CONTEXT_LENGTH, *limits])
