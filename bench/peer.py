"""What pytorch.py and families.py share: the commands of bench/pytorch.ts, and their answers.

Each command is one line of JSON, and so is its answer:

    {"set_up": {...}}         {"parameters": count, "version": PyTorch's}
    {"check": true}           {"loss": ...} of the last given minibatch, after a step on each one before it
    {"train": steps}          {"ms": ..., "loss": ...}
    {"sample": count, "how": sampler, "calls": calls}    {"ms": ...}
    {"evaluate": ...}         {"loss": ..., ...}

`set_up` gets what bench/web/worker.ts's `describe` gives, and the optimiser.
"""

import json
import sys
import time

import torch

torch.set_num_threads(1)


class Peer:
    """A subclass adds `set_up`, `step`, `evaluate` and samplers.

    `set_up` must set `batches`, `batch_size` and `examples`, the number of examples to draw from.
    """

    def check(self, _):
        return {"loss": [self.step(batch) for batch in self.batches][-1]}

    def train(self, steps):
        start = time.perf_counter()
        total = 0.0
        for _ in range(steps):
            total += self.step(torch.randint(0, self.examples, (self.batch_size,)))
        return {"ms": 1000 * (time.perf_counter() - start), "loss": total / steps}

    def sample(self, count, how, calls):
        start = time.perf_counter()
        for _ in range(calls):
            names = getattr(self, how)(count)
            assert len(names) == count
        return {"ms": 1000 * (time.perf_counter() - start)}

    def answer(self):
        """Answers commands until the input ends."""
        for line in sys.stdin:
            command = json.loads(line)
            if "sample" in command:
                answer = self.sample(command["sample"], command["how"], command["calls"])
            else:
                ((name, argument),) = command.items()
                answer = getattr(self, name)(argument)
            print(json.dumps(answer), flush=True)
