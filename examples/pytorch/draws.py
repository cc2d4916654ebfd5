"""The package's random numbers (worker/data/random.ts): a function of a key, so every machine draws the same ones."""

import unicodedata

import numpy as np

# Streams: separate random numbers per purpose.
SHUFFLE, WEIGHTS, MINIBATCH = 0, 1, 2

# 2^32 divided by the golden ratio: the stride of the even order.
STRIDE = 2654435769


def seed_number(seed):
    """A seed as a number. A string stands for the FNV-1a hash of its UTF-8 bytes."""
    if isinstance(seed, int):
        return seed
    value = 0x811C9DC5
    for byte in unicodedata.normalize("NFC", seed).encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def random_bits(seed, stream, step, index):
    """32 random bits for each key: the first output of pcg4d. Numbers or arrays that broadcast."""
    # One-dimensional, because numpy warns of overflow in single numbers.
    x, y, z, w = (np.atleast_1d(np.asarray(key, np.uint32)) * 1664525 + 1013904223 for key in (seed, stream, step, index))
    x = x + y * w
    y = y + z * x
    z = z + x * y
    w = w + y * z
    x, y, z, w = (value ^ (value >> 16) for value in (x, y, z, w))
    return x + y * w


def random_below(bits, n):
    """Whole numbers in [0, n)."""
    return (bits.astype(np.uint64) * np.uint64(n) >> np.uint64(32)).astype(np.int64)


def draw_indices(order, seed, step, batch_size, count):
    """Which of `count` examples are in the minibatch of a step."""
    rows = np.arange(batch_size, dtype=np.uint32)
    if order == "random":
        return random_below(random_bits(seed, MINIBATCH, step, rows), count)
    drawn = rows + np.uint32(step * batch_size & 0xFFFFFFFF)
    return random_below(drawn * np.uint32(STRIDE) + random_bits(seed, MINIBATCH, 0, 0), count)


def random_normal(seed, place, length):
    """Standard normal float32 numbers (Box-Muller) for the parameter at this place of the model."""
    even = np.arange(0, length, 2, dtype=np.uint32)
    u, angle = (random_bits(seed, WEIGHTS, place, even + np.uint32(i)) / 2**32 for i in (0, 1))
    radius = np.sqrt(-2 * np.log(1 - u))
    angle = 2 * np.pi * angle
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:length].astype(np.float32)
