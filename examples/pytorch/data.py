"""A list of words, read and split as the package does it (worker/data), and the minibatches of a training.

A word is a row of ids: its characters from 1 in code point order, filled up with 0 at its end. 0 is the boundary of
words.
"""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import torch

from draws import SHUFFLE, draw_indices, random_below, random_bits

LINE_SEPARATOR = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# What JavaScript's trim() removes; Python's strip() differs.
WHITESPACE = "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def read_words(path):
    """The words of a UTF-8 file, one per line: trimmed, in NFC, without empty ones."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = LINE_SEPARATOR.split(file.read())
    words = [unicodedata.normalize("NFC", line.strip(WHITESPACE)) for line in lines]
    words = [word for word in words if word]
    if not words:
        raise ValueError(f"{path} has no words; give one per line.")
    unreadable = next((word for word in words if "\0" in word or "\ufffd" in word), None)
    if unreadable is not None:
        raise ValueError(f"{path} has the word {unreadable!r} with a NUL or U+FFFD in it; save the file as UTF-8.")
    return words


def vocabulary_of(words):
    """The characters of words, in the order of their ids from 1."""
    characters = sorted(set().union(*words))
    if len(characters) < 2:
        raise ValueError("The words have only one character; a model needs at least two to choose from.")
    return characters


@dataclass
class Split:
    """Words of one split: ids [words, longest + 1], and the characters of each word."""

    ids: np.ndarray
    lengths: np.ndarray


@dataclass
class Dataset:
    train: Split
    validation: Split
    test: Split
    # Characters of the longest word.
    longest: int
    # Which words these are, and in which split each is: the metadata's `words`.
    fingerprint: dict


def build_dataset(words, vocabulary, recipe):
    """Shuffles and splits words as the recipe says."""
    id_of = {character: i + 1 for i, character in enumerate(vocabulary)}
    count, longest = len(words), max(map(len, words))
    ids = np.zeros((count, longest + 1), np.uint16)
    for row, word in enumerate(words):
        try:
            ids[row, : len(word)] = [id_of[character] for character in word]
        except KeyError as unknown:
            raise ValueError(f"The word {word!r} has the character {unknown}, which the model never saw.") from None
    order = shuffled(count, recipe["seed"]) if recipe["shuffle"] else np.arange(count)
    train_share, validation_share, _ = recipe["split"]
    first = max(1, int(train_share * count + 1e-9))
    second = max(first, int((train_share + validation_share) * count + 1e-9))
    lengths = (ids > 0).sum(1)
    splits = [Split(ids[part], lengths[part]) for part in np.split(order, [first, second])]
    return Dataset(*splits, longest, fingerprint(splits))


def shuffled(count, seed):
    """A random order (Fisher-Yates)."""
    order = list(range(count))
    bits = random_bits(seed, SHUFFLE, 0, np.arange(count))
    others = random_below(bits, np.arange(1, count + 1))
    for i in range(count - 1, 0, -1):
        j = others[i]
        order[i], order[j] = order[j], order[i]
    return np.array(order)


def fingerprint(splits):
    """Three numbers that tell these words in these splits from others (worker/data/fingerprint.ts)."""
    offset, order, total = 0x811C9DC5, 0, 0
    for split in splits:
        hashes = np.full(len(split.ids), offset, np.uint32)
        for place, column in enumerate(split.ids.astype(np.uint32).T):
            hashes = np.where(place < split.lengths, (hashes ^ column) * np.uint32(0x01000193), hashes)
        for value in map(mix, hashes.tolist()):
            order = mix(order ^ value)
            total = (total + value) & 0xFFFFFFFF
        order = mix(order ^ offset)
    return {"count": sum(len(split.ids) for split in splits), "order": order, "set": total}


def mix(value):
    """Spreads 32 bits over 32 bits: the finalizer of MurmurHash3."""
    value = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ value >> 16


@dataclass
class Batch:
    """A process's part of a minibatch."""

    # What the network reads: windows [examples, contextLength], or words [words, time].
    inputs: torch.Tensor
    # The distribution to predict at each place, float32 [..., vocabulary]; zeros for padding.
    targets: torch.Tensor
    # Places of the whole minibatch, padding left out: the loss is the mean over them.
    places: int


class Windows:
    """Examples of a model that sees a window: each place of each word, with the characters before it."""

    def __init__(self, split, context_length, vocabulary_size, order, targets):
        self.order, self.vocabulary_size = order, vocabulary_size
        # In the order of the words, place by place, the end of each word included.
        places = np.arange(split.ids.shape[1])
        self.word, self.place = (index.astype(np.int32) for index in np.nonzero(places <= split.lengths[:, None]))
        self.count = len(self.word)
        self.target = split.ids[self.word, self.place].astype(np.int64)
        padded = np.pad(split.ids, ((0, 0), (context_length, 0)))
        self.windows = np.lib.stride_tricks.sliding_window_view(padded, context_length, axis=1)
        self.sorted = self.following = None
        if order == "random" and targets == "hard":
            return
        # Contexts sort by the nearest character first.
        self.context = np.zeros(self.count, np.int64)
        for distance in range(1, context_length + 1):
            column = padded[self.word, self.place + context_length - distance]
            self.context = ranked(self.context, column, vocabulary_size)
        self.sorted = np.lexsort((self.target, self.context))
        if targets == "soft":
            self.following = Following(self.context, self.target, vocabulary_size)

    def draw(self, seed, step, batch_size, rank=0, processes=1):
        """The minibatch of a step: the part of it that process `rank` trains on."""
        examples = draw_indices(self.order, seed, step, batch_size, self.count)
        if self.sorted is not None:
            examples = self.sorted[examples]
        return self.batch(examples[rank::processes], batch_size)

    def batch(self, examples, places=None):
        """These examples written out."""
        targets = np.zeros((len(examples), self.vocabulary_size), np.float32)
        if self.following:
            self.following.write(self.context[examples], targets)
        else:
            targets[np.arange(len(examples)), self.target[examples]] = 1
        inputs = self.windows[self.word[examples], self.place[examples]].astype(np.int64)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), places or len(examples))


class Words:
    """Examples of a model that reads words: whole words, with every character and the end to predict."""

    def __init__(self, split, vocabulary_size, order, targets):
        self.order, self.vocabulary_size = order, vocabulary_size
        self.ids, self.lengths = split.ids.astype(np.int64), split.lengths
        self.count, places = self.ids.shape
        self.sorted = self.following = None
        if order == "random" and targets == "hard":
            return
        # Number of the prefix before each place; words are sorted by their first character first.
        self.prefix = np.zeros_like(self.ids)
        rank, numbered = np.zeros(self.count, np.int64), 0
        for place in range(places):
            self.prefix[:, place] = rank + numbered
            numbered += rank.max() + 1
            rank = ranked(rank, self.ids[:, place], vocabulary_size)
        self.sorted = np.argsort(rank, kind="stable")
        if targets == "soft":
            real = np.arange(places) <= self.lengths[:, None]
            self.following = Following(self.prefix[real], self.ids[real], vocabulary_size)

    def draw(self, seed, step, batch_size, rank=0, processes=1):
        """The minibatch of a step: the part of it that process `rank` trains on."""
        words = draw_indices(self.order, seed, step, batch_size, self.count)
        if self.sorted is not None:
            words = self.sorted[words]
        return self.batch(words[rank::processes], int((self.lengths[words] + 1).sum()))

    def batch(self, words, places=None):
        """Returns these words as rows, padded at the end to the longest one."""
        lengths = self.lengths[words]
        time = lengths.max() + 1
        after = self.ids[words, :time]
        targets = np.zeros((*after.shape, self.vocabulary_size), np.float32)
        row, place = np.nonzero(np.arange(time) <= lengths[:, None])
        if self.following:
            soft = np.zeros((len(row), self.vocabulary_size), np.float32)
            self.following.write(self.prefix[words[row], place], soft)
            targets[row, place] = soft
        else:
            targets[row, place, after[row, place]] = 1
        # The input of a place is the target of the place before; the first place reads the boundary.
        inputs = np.pad(after[:, :-1], ((0, 0), (1, 0)))
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), places or len(row))


def ranked(rank, column, vocabulary_size):
    """Updates the ranks of sequences in sorted order with one more token each."""
    return np.unique(rank * vocabulary_size + column, return_inverse=True)[1]


class Following:
    """Soft targets: the distribution of the next character for each context in the training split."""

    def __init__(self, context, target, vocabulary_size):
        pairs, counts = np.unique(context * vocabulary_size + target, return_counts=True)
        owner, self.token = np.divmod(pairs, vocabulary_size)
        self.first = np.searchsorted(owner, np.arange(owner[-1] + 2))
        self.share = (counts / np.bincount(owner, counts)[owner]).astype(np.float32)

    def write(self, contexts, out):
        """Writes the distribution of each context into `out`, [contexts, vocabulary], which must be zeros."""
        first, end = self.first[contexts], self.first[contexts + 1]
        pairs = end - first
        row = np.repeat(np.arange(len(contexts)), pairs)
        before = np.repeat(np.cumsum(pairs) - pairs, pairs)
        pair = np.repeat(first, pairs) + np.arange(len(row)) - before
        out[row, self.token[pair]] = self.share[pair]
