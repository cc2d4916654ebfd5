"""Ten new words by a model of makemore-web: python3 sample.py towns.onnx 10

Reads the default form of any model: the window form or the sequence form.
"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
metadata = session.get_modelmeta().custom_metadata_map
characters = json.loads(metadata["vocabulary"])  # of ids 1, 2, 3, …; id 0 is the boundary
is_window = metadata["form"] == "window"
random = np.random.default_rng()


def next_logits(word):
    """The logits of what follows the ids of a word's beginning."""
    if is_window:
        length = session.get_inputs()[0].shape[1]
        context = ([0] * length + word)[-length:]
        return session.run(["logits"], {"context": np.array([context], np.int32)})[0][0]
    return session.run(["logits"], {"tokens": np.array([[0] + word], np.int32)})[0][0, -1]


for _ in range(int(sys.argv[2])):
    word = []
    while True:
        logits = next_logits(word).astype(np.float64)
        p = np.exp(logits - logits.max())
        if not word:
            p[0] = 0  # no empty words
        token = random.choice(len(p), p=p / p.sum())
        if token == 0:
            break
        word.append(int(token))
    print("".join(characters[token - 1] for token in word))
