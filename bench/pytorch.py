"""The lecture's WaveNet in PyTorch on one thread, as a peer for the benchmarks.

Answers the commands of peer.py. The samplers are "notebook" and "batched"; {"evaluate": true} answers
{"ms": ..., "loss": ..., "examples": ...} over the training split.
"""

import time

import torch
import torch.nn.functional as F

from peer import Peer


class Linear:
    def __init__(self, weight, bias=None):
        self.weight, self.bias = weight, bias

    def __call__(self, x):
        x = x @ self.weight
        return x if self.bias is None else x + self.bias

    def parameters(self):
        return [self.weight] + ([] if self.bias is None else [self.bias])


class BatchNorm1d:
    def __init__(self, gamma, beta, mean, variance):
        self.gamma, self.beta = gamma, beta
        self.running_mean, self.running_var = mean, variance
        self.eps, self.momentum, self.training = 1e-5, 0.1, True

    def __call__(self, x):
        if self.training:
            dim = 0 if x.ndim == 2 else (0, 1)
            mean = x.mean(dim, keepdim=True)
            variance = x.var(dim, keepdim=True)
            with torch.no_grad():
                self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
                self.running_var = (1 - self.momentum) * self.running_var + self.momentum * variance
        else:
            mean, variance = self.running_mean, self.running_var
        xhat = (x - mean) / torch.sqrt(variance + self.eps)
        return self.gamma * xhat + self.beta

    def parameters(self):
        return [self.gamma, self.beta]


class Tanh:
    def __call__(self, x):
        return torch.tanh(x)

    def parameters(self):
        return []


class Embedding:
    def __init__(self, weight):
        self.weight = weight

    def __call__(self, ids):
        return self.weight[ids]

    def parameters(self):
        return [self.weight]


class FlattenConsecutive:
    def __init__(self, n):
        self.n = n

    def __call__(self, x):
        b, t, c = x.shape
        x = x.view(b, t // self.n, c * self.n)
        return x.squeeze(1) if x.shape[1] == 1 else x

    def parameters(self):
        return []


class Bench(Peer):
    def set_up(self, given):
        values = {
            name: torch.tensor(p["values"], dtype=torch.float32).reshape(p["shape"]) for name, p in given["parameters"].items()
        }
        self.layers = [Embedding(values["embedding.weight"])]
        self.context = 1
        level = 1
        while f"batchNorm1d{level}.gamma" in values:
            self.layers += [
                FlattenConsecutive(2),
                Linear(values[f"linear{level}.weight"]),
                BatchNorm1d(*(values[f"batchNorm1d{level}.{p}"] for p in ("gamma", "beta", "runningMean", "runningVariance"))),
                Tanh(),
            ]
            self.context *= 2
            level += 1
        self.layers.append(Linear(values[f"linear{level}.weight"], values[f"linear{level}.bias"]))
        self.parameters = [p for layer in self.layers for p in layer.parameters()]
        for p in self.parameters:
            p.requires_grad = True
        self.batch_size = given["batchSize"]
        self.learning_rate = given["learningRate"]
        self.adamw = None
        if given["optimizer"]["type"] == "adamw":
            o = given["optimizer"]
            self.adamw = torch.optim.AdamW(
                self.parameters,
                lr=self.learning_rate,
                betas=(o["beta1"], o["beta2"]),
                eps=o["epsilon"],
                weight_decay=o["weightDecay"],
            )
        self.x, self.y = self.table(given["stream"])
        self.examples = len(self.x)
        # Positions count from the first token, which is the only one that is not an example.
        self.batches = torch.tensor(given["batches"]) - 1
        return {"parameters": sum(p.numel() for p in self.parameters), "version": torch.__version__}

    def table(self, stream):
        """The lecture's X and Y from the token stream."""
        x, y, context = [], [], [0] * self.context
        for token in stream[1:]:
            x.append(context)
            y.append(token)
            context = [0] * self.context if token == 0 else context[1:] + [token]
        return torch.tensor(x), torch.tensor(y)

    def logits(self, ids):
        x = ids
        for layer in self.layers:
            x = layer(x)
        return x

    def step(self, ix):
        loss = F.cross_entropy(self.logits(self.x[ix]), self.y[ix])
        for p in self.parameters:
            p.grad = None
        loss.backward()
        if self.adamw:
            self.adamw.step()
        else:
            for p in self.parameters:
                p.data += -self.learning_rate * p.grad
        return loss.item()

    def evaluation_mode(self):
        for layer in self.layers:
            layer.training = False

    @torch.no_grad()
    def evaluate(self, _):
        """The lecture's split_loss, in pieces that fit in the cache."""
        self.evaluation_mode()
        start = time.perf_counter()
        total = sum(
            F.cross_entropy(self.logits(x), y, reduction="sum").item()
            for x, y in zip(self.x.split(1024), self.y.split(1024))
        )
        ms = 1000 * (time.perf_counter() - start)
        return {"ms": ms, "loss": total / len(self.y), "examples": len(self.y)}

    def sample(self, count, how, calls):
        self.evaluation_mode()
        return super().sample(count, how, calls)

    def notebook(self, count):
        """The sampling loop of the lecture's notebook: one name and one character at a time."""
        names = []
        for _ in range(count):
            out = []
            context = [0] * self.context
            while True:
                logits = self.logits(torch.tensor([context]))
                probs = F.softmax(logits, dim=1)
                ix = torch.multinomial(probs, num_samples=1).item()
                context = context[1:] + [ix]
                out.append(ix)
                if ix == 0:
                    break
            names.append(out)
        return names

    @torch.no_grad()
    def batched(self, count):
        """Samples all names in lock-step; drops finished names from the batch."""
        names = [[] for _ in range(count)]
        alive = torch.arange(count)
        context = torch.zeros((count, self.context), dtype=torch.long)
        while len(alive) > 0:
            probs = F.softmax(self.logits(context), dim=1)
            ix = torch.multinomial(probs, num_samples=1)
            for name, token in zip(alive.tolist(), ix.squeeze(1).tolist()):
                names[name].append(token)
            going = ix.squeeze(1) != 0
            alive = alive[going]
            context = torch.cat([context[going, 1:], ix[going]], dim=1)
        return names


Bench().answer()
