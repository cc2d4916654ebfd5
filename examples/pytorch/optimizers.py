"""The package's optimisers (worker/optimizers). Each knows the names of its state in a file, and in PyTorch."""

import torch


class AdamW(torch.optim.AdamW):
    # The package's peak learning rate if it is given none.
    learning_rate = 2e-3
    defaults_of_file = {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weightDecay": 0.01}
    state_names = {"m": "exp_avg", "v": "exp_avg_sq"}

    def __init__(self, parameters, beta1, beta2, epsilon, weightDecay):
        super().__init__(parameters, lr=self.learning_rate, betas=(beta1, beta2), eps=epsilon, weight_decay=weightDecay)


class Lion(torch.optim.Optimizer):
    """p = (1 - rate decay) p - rate sign(beta1 m + (1 - beta1) g), m = beta2 m + (1 - beta2) g (Chen et al., 2023)."""

    learning_rate = 2e-4
    defaults_of_file = {"beta1": 0.9, "beta2": 0.99, "weightDecay": 0.1}
    state_names = {"m": "m"}

    def __init__(self, parameters, beta1, beta2, weightDecay):
        super().__init__(parameters, {"lr": self.learning_rate})
        self.beta1, self.beta2, self.weight_decay = beta1, beta2, weightDecay

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p]["m"]
                direction = torch.sign(m * self.beta1 + p.grad * (1 - self.beta1))
                p.mul_(1 - group["lr"] * self.weight_decay).sub_(direction * group["lr"])
                m.mul_(self.beta2).add_(p.grad * (1 - self.beta2))


class SGD(torch.optim.SGD):
    learning_rate = 0.1
    defaults_of_file = {}
    state_names = {}

    def __init__(self, parameters):
        super().__init__(parameters, lr=self.learning_rate)


OPTIMIZERS = {"adamw": AdamW, "lion": Lion, "sgd": SGD}


def complete_optimizer(given):
    """A description, or the name, of an optimiser with nothing left out."""
    given = {"type": given} if isinstance(given, str) else given
    kind = OPTIMIZERS.get(given.get("type"))
    if kind is None:
        raise ValueError(f"There is no optimiser {given.get('type')!r} here; there are {', '.join(OPTIMIZERS)}.")
    unknown = set(given) - {"type", *kind.defaults_of_file}
    if unknown:
        raise ValueError(f"The optimiser {given['type']} has no {', '.join(sorted(unknown))}.")
    return {"type": given["type"], **kind.defaults_of_file, **given}


def make_optimizer(description, network, step, moments):
    """The optimiser of a network after so many steps, with its state from a file; zeros where there is none."""
    options = dict(complete_optimizer(description))
    kind = OPTIMIZERS[options.pop("type")]
    optimizer = kind(network.parameters(), **options)
    for name, p in network.named_parameters():
        state = {"step": torch.tensor(float(step))} if kind is AdamW else {}
        for key, theirs in kind.state_names.items():
            given = moments.get(key, {}).get(name)
            state[theirs] = torch.zeros_like(p) if given is None else torch.from_numpy(given.copy()).to(p.device)
        optimizer.state[p] = state
    return optimizer


def moments_of(optimizer, network):
    """The optimiser's state as arrays, by the names that it has in a file."""
    return {
        key: {name: optimizer.state[p][theirs].cpu().numpy() for name, p in network.named_parameters()}
        for key, theirs in optimizer.state_names.items()
    }
