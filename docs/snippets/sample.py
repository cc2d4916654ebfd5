"""New words from a file of makemore-web, form "window":  python sample.py model.onnx 10"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
metadata = session.get_modelmeta().custom_metadata_map
characters = json.loads(metadata["vocabulary"])  # of ids 1, 2, 3, …; id 0 is the boundary
context_length = session.get_inputs()[0].shape[1]
random = np.random.default_rng(42)

for _ in range(int(sys.argv[2])):
    word, context = "", [0] * context_length
    while True:
        (logits,) = session.run(["logits"], {"context": np.array([context], np.int32)})
        p = np.exp(logits[0].astype(np.float64))
        if word == "":
            p[0] = 0  # no empty words
        token = random.choice(len(p), p=p / p.sum())
        if token == 0:
            break
        word += characters[token - 1]
        context = context[1:] + [token]
    print(word)
