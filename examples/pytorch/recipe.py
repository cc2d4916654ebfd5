"""How a training goes: the recipe in a file's metadata, its defaults and its limits."""

import math

import numpy as np

from optimizers import OPTIMIZERS, complete_optimizer

SCHEDULE = {"warmup": 0, "decay": "constant", "at": 0.75, "hold": 0}
DECAYS = ("constant", "linear", "cosine", "step")


def new_recipe(reads_words, **given):
    """A recipe with nothing left out. None stands for the default."""
    given = {name: value for name, value in given.items() if value is not None}
    steps = given.get("steps", 5000)
    optimizer = complete_optimizer(given.get("optimizer", "adamw"))
    peak = OPTIMIZERS[optimizer["type"]].learning_rate
    rate = {"peak": peak, "warmup": min(50, steps // 10), "decay": "linear", "hold": 0.5}
    recipe = {
        "steps": steps,
        "batchSize": given.get("batchSize", 32 if reads_words else 128),
        "learningRate": complete_schedule(given.get("learningRate", rate)),
        "optimizer": optimizer,
        "order": given.get("order", "even"),
        "targets": given.get("targets", "soft"),
        "teacher": "none",
        "seed": given.get("seed", 42),
        "split": given.get("split", [0.8, 0.1, 0.1]),
        "shuffle": given.get("shuffle", True),
        "keepBest": False,
        "patience": 0,
    }
    check_recipe(recipe)
    return recipe


def check_recipe(recipe):
    """Refuses what `load` would refuse."""
    for name, least, most in (("steps", 1, 10_000_000), ("batchSize", 1, 4096), ("seed", 0, 2**32 - 1)):
        if not isinstance(recipe[name], int) or not least <= recipe[name] <= most:
            raise ValueError(f"{name} is {recipe[name]!r}; it must be a whole number from {least} to {most}.")
    rate, split = recipe["learningRate"], recipe["split"]
    if not 0 < rate["peak"] <= 1000 or rate["decay"] not in DECAYS:
        raise ValueError(f"The learning rate is {rate}; its peak must be above 0, its decay one of {', '.join(DECAYS)}.")
    if len(split) != 3 or not split[0] > 0 or min(split) < 0 or abs(sum(split) - 1) > 1e-6:
        raise ValueError(f"split is {split}; it must be three shares that add up to 1, the first above 0.")


def complete_schedule(rate):
    """A learning rate, or a schedule of one, with nothing left out."""
    given = rate if isinstance(rate, dict) else {"peak": rate}
    unknown = set(given) - {"peak", "final", *SCHEDULE}
    if unknown or "peak" not in given:
        raise ValueError(f"The learning rate is {rate}; a schedule has peak, {', '.join(SCHEDULE)} and final.")
    schedule = {**SCHEDULE, **given}
    final = schedule["peak"] / 10 if schedule["decay"] == "step" else 0
    return {name: schedule.get(name, final) for name in ("peak", "warmup", "decay", "at", "hold", "final")}


def learning_rate(recipe, step):
    """The learning rate of a step (from 0), as a float32, which is what the package's engines take."""
    schedule, steps = recipe["learningRate"], recipe["steps"]
    peak, warmup, final, hold = (schedule[name] for name in ("peak", "warmup", "final", "hold"))
    done = (step - warmup) / max(1, steps - warmup)
    # Of the decay, which begins after the hold.
    progress = 0 if done <= hold else (done - hold) / (1 - hold)
    if step < warmup:
        rate = peak * (step + 1) / warmup
    elif schedule["decay"] == "linear":
        rate = peak + (final - peak) * progress
    elif schedule["decay"] == "cosine":
        rate = final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
    elif schedule["decay"] == "step":
        rate = peak if step < schedule["at"] * steps else final
    else:
        rate = peak
    return float(np.float32(rate))
