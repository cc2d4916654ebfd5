"""The surprise of each character of a word, by a model that reads words: python words.py FILE.onnx WORD"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
metadata = session.get_modelmeta().custom_metadata_map
characters = json.loads(metadata["vocabulary"])  # of ids 1, 2, 3, …; id 0 is the boundary
tokens = [0] + [1 + characters.index(character) for character in sys.argv[2]]
names = [value.name for value in session.get_inputs()]


def sequence():
    """Logits of what follows each token, in one call."""
    (logits,) = session.run(["logits"], {"tokens": np.array([tokens], np.int32)})
    return logits[0]


def incremental():
    """The same, a token at a time: what comes out as state goes into the next run."""
    states = json.loads(metadata["state"])
    memory = {
        state["input"]: np.zeros((1, 0, state["channels"]) if state.get("grows") else (1, state["channels"]), np.float32)
        for state in states
    }
    for position, token in enumerate(tokens):
        feeds = {"tokens": np.array([[token]], np.int32), **memory}
        if "position" in names:
            feeds["position"] = np.array([position], np.int32)
        logits, *memory_out = session.run(["logits"] + [state["output"] for state in states], feeds)
        memory = {state["input"]: value for state, value in zip(states, memory_out)}
        yield logits[0]


rows = sequence() if metadata["form"] == "sequence" else incremental()
for row, token in zip(rows, tokens[1:] + [0]):
    p = np.exp(row.astype(np.float64) - row.max())
    print(characters[token - 1] if token else "(end)", f"{-np.log(p[token] / p.sum()):.4f}")
