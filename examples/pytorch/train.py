"""Trains a model of makemore-web in PyTorch, and writes the .onnx file that `Makemore.load` takes.

    python3 train.py words.txt --model transformer --steps 2000 -o model.onnx
    python3 train.py words.txt --resume model.onnx --steps 4000 -o model.onnx
    torchrun --nproc_per_node 8 train.py words.txt --model transformer

Started by torchrun, every process trains on its part of each minibatch, and the result is what one process would
have reached, but for rounding.
"""

import argparse
import json
import os
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import onnx_file
from data import Windows, Words, build_dataset, read_words, vocabulary_of
from draws import seed_number
from models import Network, layers_of
from onnx_file import Checkpoint
from optimizers import make_optimizer, moments_of
from recipe import check_recipe, complete_schedule, learning_rate, new_recipe

# Examples that are evaluated at once.
EVALUATED = 1024


def name_or_json(text):
    """An option that is a name, or JSON."""
    return json.loads(text) if text[:1] in "[{" else text


def number_or_json(text):
    """An option that is a number, or JSON."""
    return json.loads(text)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", help="a text file, one word per line")
    parser.add_argument("-o", "--output", default="model.onnx", help="the file to write (default: model.onnx)")
    parser.add_argument("--resume", metavar="FILE", help="go on from this .onnx file, of the package or of this script")
    parser.add_argument("--steps", type=int, help="steps in all (default: 5000, or those of the resumed file)")
    parser.add_argument("--learning-rate", type=number_or_json, help='a number, or JSON such as {"peak": 0.003, "decay": "cosine"}')
    parser.add_argument("--log-every", type=int, default=100, help="steps between two lines of progress")
    parser.add_argument("--save-every", type=int, default=0, help="steps between two writes of the file; it is written at the end anyway")
    parser.add_argument("--device", help="cpu, cuda or mps (default: cuda if there is one, otherwise cpu)")
    new = parser.add_argument_group("for a new model; --resume takes them from its file")
    new.add_argument("--model", type=name_or_json, help='a name (default: wavenet), JSON of sizes such as {"type": "gru", "hidden": 128}, or a JSON list of layers')
    new.add_argument("--batch-size", type=int, help="examples per step, over all processes (default: 128 windows or 32 words)")
    new.add_argument("--optimizer", type=name_or_json, help='adamw (default), lion, sgd, or JSON such as {"type": "adamw", "weightDecay": 0.1}')
    new.add_argument("--order", choices=["even", "random"], help="how examples are drawn (default: even)")
    new.add_argument("--targets", choices=["soft", "hard"], help="what they predict (default: soft)")
    new.add_argument("--seed", type=lambda text: int(text) if text.isdigit() else text, help="a number or a text (default: 42)")
    new.add_argument("--split", type=number_or_json, help="shares of train, validation and test (default: [0.8, 0.1, 0.1])")
    new.add_argument("--no-shuffle", action="store_true", default=None, help="split the words in their order")
    options = parser.parse_args(arguments)
    if options.resume:
        for name in ("model", "batch_size", "optimizer", "order", "targets", "seed", "split", "no_shuffle"):
            if getattr(options, name) is not None:
                parser.error(f"--{name.replace('_', '-')} cannot change with --resume; the file says it.")
    return options


def start(options):
    """The checkpoint that training goes on from, its network, and its words."""
    words = read_words(options.words)
    if options.resume:
        checkpoint = onnx_file.read(options.resume)
        recipe = checkpoint.recipe
        if options.steps is not None:
            recipe.update(steps=options.steps, patience=0)
        recipe["learningRate"] = complete_schedule(options.learning_rate or recipe["learningRate"])
        if recipe["teacher"] != "none":
            print("The n-gram teacher of the file's recipe is left out: there is none here.", flush=True)
            recipe["teacher"] = "none"
        check_recipe(recipe)
        if checkpoint.step >= recipe["steps"]:
            raise ValueError(f"The training has done its {checkpoint.step} steps; give a larger total with --steps.")
        network = Network(checkpoint.layers, len(checkpoint.vocabulary) + 1)
        network.load(checkpoint.parameters)
        dataset = build_dataset(words, checkpoint.vocabulary, recipe)
        if checkpoint.words not in (None, dataset.fingerprint):
            raise ValueError(f"{options.words} has other words than the training, or in another order.")
        checkpoint.words = dataset.fingerprint
    else:
        vocabulary = vocabulary_of(words)
        layers = layers_of(options.model or "wavenet", max(map(len, words)) + 1)
        network = Network(layers, len(vocabulary) + 1)
        recipe = new_recipe(
            network.reads_words,
            steps=options.steps,
            batchSize=options.batch_size,
            learningRate=options.learning_rate,
            optimizer=options.optimizer,
            order=options.order,
            targets=options.targets,
            seed=None if options.seed is None else seed_number(options.seed),
            split=options.split,
            shuffle=None if options.no_shuffle is None else False,
        )
        network.initialize(recipe["seed"])
        dataset = build_dataset(words, vocabulary, recipe)
        checkpoint = Checkpoint(vocabulary, layers, {}, 0, recipe, dataset.fingerprint, {})
    if network.reads_words and dataset.longest + 1 > network.context_length:
        raise ValueError(f"A word has {dataset.longest} characters; this model reads at most {network.context_length - 1}.")
    return checkpoint, network, dataset


def examples_of(split, network, order="random", targets="hard"):
    if network.reads_words:
        return Words(split, network.vocabulary_size, order, targets)
    return Windows(split, network.context_length, network.vocabulary_size, order, targets)


def cross_entropy(logits, targets):
    """The sum over all places; padding has targets of zeros."""
    return -(targets * torch.log_softmax(logits, -1)).sum()


@torch.no_grad()
def evaluate(network, split, device):
    """The mean cross entropy of a split, nats per character."""
    network.eval()
    examples, total, places = examples_of(split, network), 0.0, 0
    for first in range(0, examples.count, EVALUATED):
        batch = examples.batch(torch.arange(first, min(first + EVALUATED, examples.count)).numpy())
        total += cross_entropy(network(batch.inputs.to(device)), batch.targets.to(device)).item()
        places += batch.places
    network.train()
    return total / places


def train(options, rank=0, processes=1, device="cpu"):
    """Trains one process's part, and writes the file if it is the first process. Returns the network."""
    checkpoint, network, dataset = start(options)
    recipe, first = checkpoint.recipe, checkpoint.step
    if recipe["batchSize"] < processes:
        raise ValueError(f"The batch of {recipe['batchSize']} cannot be split over {processes} processes.")
    examples = examples_of(dataset.train, network, recipe["order"], recipe["targets"])
    network.to(device)
    optimizer = make_optimizer(recipe["optimizer"], network, first, checkpoint.moments)
    model = network
    if processes > 1:
        # All processes begin with the same numbers, and BatchNorm1d gives each the same statistics.
        model = DistributedDataParallel(network, broadcast_buffers=False)

    def save(step):
        if rank > 0:
            return
        checkpoint.step, checkpoint.moments = step, moments_of(optimizer, network)
        checkpoint.parameters = {name: tensor.detach().cpu().numpy() for name, tensor in network.tensors().items()}
        onnx_file.write(options.output, checkpoint, network)

    started = time.monotonic()
    for step in range(first, recipe["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        batch = examples.draw(recipe["seed"], step, recipe["batchSize"], rank, processes)
        loss = cross_entropy(model(batch.inputs.to(device)), batch.targets.to(device)) / batch.places
        optimizer.zero_grad(set_to_none=True)
        # DistributedDataParallel takes the mean over the processes; the loss is their sum.
        (loss * processes).backward()
        optimizer.step()
        done = step + 1
        if done % options.log_every == 0 or done == recipe["steps"]:
            loss = loss.detach()
            if processes > 1:
                dist.all_reduce(loss)
            if not torch.isfinite(loss):
                raise ValueError(f"The loss of step {step} is {loss.item()}; try a lower learning rate.")
            if rank == 0:
                pace = (done - first) / (time.monotonic() - started)
                print(f"step {done}/{recipe['steps']}  loss {loss.item():.4f}  {pace:.0f} steps/s", flush=True)
        if options.save_every and done % options.save_every == 0 and done < recipe["steps"]:
            save(done)
    save(recipe["steps"])
    if rank == 0:
        for name in ("train", "validation"):
            split = getattr(dataset, name)
            if len(split.ids) > 0:
                print(f"{name} loss {evaluate(network, split, device):.4f}")
        print(f"wrote {options.output}", flush=True)
    return network


def main(arguments=None):
    options = parse(arguments)
    processes, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    is_first = processes > 1 and not dist.is_initialized()
    if is_first:
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        network = train(options, rank, processes, device)
    except (ValueError, OSError) as error:
        raise SystemExit(f"train.py: {error}") from None
    if is_first:
        dist.destroy_process_group()
    return network


if __name__ == "__main__":
    main()
