"""makemore's models that read words, in PyTorch on one thread, as peers for the benchmarks.

Answers the commands of peer.py. The sampler is "batched"; {"evaluate": words} gives the loss over the first words of
the stream. Every formula is that of PyTorch's modules, with weights as [fan_in, fan_out]. A minibatch is words padded
to the longest of them; padding has no part in the loss.
"""

import math

import torch
import torch.nn.functional as F

from peer import Peer


class Bench(Peer):
    def set_up(self, given):
        self.p = {
            name: torch.tensor(p["values"], dtype=torch.float32).reshape(p["shape"]).requires_grad_()
            for name, p in given["parameters"].items()
        }
        self.family = given["model"]
        o = given["optimizer"]
        self.adamw = torch.optim.AdamW(
            self.p.values(),
            lr=given["learningRate"],
            betas=(o["beta1"], o["beta2"]),
            eps=o["epsilon"],
            weight_decay=o["weightDecay"],
        )
        self.batch_size = given["batchSize"]
        words, word, starts = [], [], {}
        for position, token in enumerate(given["stream"][1:], 1):
            if not word:
                starts[position] = len(words)
            word.append(token)
            if token == 0:
                words.append(word)
                word = []
        longest = max(len(word) for word in words)
        self.targets = torch.full((len(words), longest), -1)
        self.tokens = torch.zeros((len(words), longest), dtype=torch.long)
        for i, word in enumerate(words):
            self.targets[i, : len(word)] = torch.tensor(word)
            self.tokens[i, 1 : len(word)] = torch.tensor(word[:-1])
        self.examples = len(words)
        self.lengths = torch.tensor([len(word) for word in words])
        self.batches = [torch.tensor([starts[start] for start in batch]) for batch in given["batches"]]
        return {"parameters": sum(p.numel() for p in self.p.values()), "version": torch.__version__}

    def linear(self, name, x):
        y = x @ self.p[f"{name}.weight"]
        bias = self.p.get(f"{name}.bias")
        return y if bias is None else y + bias

    def norm(self, name, x):
        if self.family == "microgpt":
            return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5)
        return F.layer_norm(x, x.shape[-1:], self.p[f"{name}.weight"], self.p[f"{name}.bias"], 1e-5)

    def attention(self, name, x, past):
        b, t, c = x.shape
        qkv = self.linear(f"{name}.qkv", x).split(c, 2)
        q, k, v = (part.reshape(b, t, 4, c // 4).transpose(1, 2) for part in qkv)
        if past is not None:
            if name in past:
                k, v = (torch.cat(parts, 2) for parts in zip(past[name], (k, v)))
            past[name] = (k, v)
        scores = q @ k.transpose(2, 3) / math.sqrt(c // 4)
        # A token sees those up to itself. Sampling passes one token at a time, which sees all.
        if t > 1:
            scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), float("-inf"))
        return self.linear(f"{name}.proj", (scores.softmax(3) @ v).transpose(1, 2).reshape(b, t, c))

    def recurrent(self, x, past):
        name = f"{self.family}1"
        if past:
            h, c = past[name]
        else:
            h = self.p[f"{name}.start"].expand(len(x), -1)
            c = torch.zeros_like(h)
        out = []
        for i in range(x.shape[1]):
            xh = torch.cat([x[:, i], h], 1)
            if self.family == "rnn":
                h = torch.tanh(self.linear(name, xh))
            elif self.family == "gru":
                z = torch.sigmoid(self.linear(f"{name}.update", xh))
                r = torch.sigmoid(self.linear(f"{name}.reset", xh))
                h = (1 - z) * h + z * torch.tanh(self.linear(f"{name}.candidate", torch.cat([x[:, i], r * h], 1)))
            else:
                i_, f, g, o = self.linear(name, xh).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i_) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        if past is not None:
            past[name] = (h, c)
        return self.linear("linear1", torch.stack(out, 1))

    def logits(self, tokens, past=None, first=0):
        """Logits of all places of words; with `past`, of the tokens from place `first` on, using the cached state."""
        t = tokens.shape[1]
        x = self.p["embedding.weight"][tokens]
        if self.family == "bigram":
            return x
        if self.family in ("rnn", "gru", "lstm"):
            return self.recurrent(x, past)
        x = x + self.p["positionEmbedding.weight"][first : first + t]
        if self.family == "bow":
            x = x + x.cumsum(1) / torch.arange(1, t + 1)[:, None]
            x = x + self.linear("linear2", torch.tanh(self.linear("linear1", x)))
            return self.linear("linear3", x)
        gpt = self.family == "microgpt"
        if gpt:
            x = self.norm("", x)
        blocks = 1 if gpt else 4
        for i in range(blocks):
            x = x + self.attention(f"causalSelfAttention{i + 1}", self.norm(f"layerNorm{2 * i + 1}", x), past)
            hidden = self.linear(f"linear{2 * i + 1}", self.norm(f"layerNorm{2 * i + 2}", x))
            if gpt:
                hidden = torch.relu(hidden)
            else:
                hidden = 0.5 * hidden * (1 + torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
            x = x + self.linear(f"linear{2 * i + 2}", hidden)
        if not gpt:
            x = self.norm(f"layerNorm{2 * blocks + 1}", x)
        return self.linear(f"linear{2 * blocks + 1}", x)

    def step(self, words):
        time_ = int(self.lengths[words].max())
        logits = self.logits(self.tokens[words, :time_])
        loss = F.cross_entropy(logits.flatten(0, 1), self.targets[words, :time_].flatten(), ignore_index=-1)
        self.adamw.zero_grad(set_to_none=True)
        loss.backward()
        self.adamw.step()
        return loss.item()

    @torch.no_grad()
    def evaluate(self, words):
        losses, places = 0.0, 0
        for piece in torch.arange(words).split(100):
            time_ = int(self.lengths[piece].max())
            logits, targets = self.logits(self.tokens[piece, :time_]), self.targets[piece, :time_]
            losses += F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum").item()
            places += int(self.lengths[piece].sum())
        return {"loss": losses / places}

    @torch.no_grad()
    def batched(self, count):
        """Samples all names in lock-step, with cached states or keys and values; drops finished names from the batch."""
        names = [[] for _ in range(count)]
        alive = torch.arange(count)
        tokens = torch.zeros((count, 1), dtype=torch.long)
        past = {}
        # Maximum length of a name: the number of positions, or `sample`'s default maxLength.
        positions = self.p.get("positionEmbedding.weight")
        for place in range(100 if positions is None else len(positions) - 1):
            probs = F.softmax(self.logits(tokens, past, place)[:, 0], dim=1)
            ix = torch.multinomial(probs, num_samples=1)
            for name, token in zip(alive.tolist(), ix.squeeze(1).tolist()):
                names[name].append(token)
            going = ix.squeeze(1) != 0
            if not going.any():
                break
            alive, tokens = alive[going], ix[going]
            past = {layer: tuple(part[going] for part in parts) for layer, parts in past.items()}
        return names


Bench().answer()
