"""The same, a character at a time, form "incremental":  python incremental.py model.onnx emma"""

import json
import sys
from collections import deque

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
metadata = session.get_modelmeta().custom_metadata_map
characters = json.loads(metadata["vocabulary"])
tokens = [1 + characters.index(character) for character in sys.argv[2]]

# What each level remembers: a queue as long as its delay. An input is the output of so many
# characters ago, so it is taken at one end and the output put in at the other.
states = json.loads(metadata["state"])
memory = [deque([np.zeros((1, s["channels"]), np.float32)] * s["delay"], s["delay"]) for s in states]
width = session.get_inputs()[0].shape[1]
recent = deque([0] * width, width)


def step(token):
    recent.append(token)
    feeds = {"tokens": np.array([recent], np.int32)}
    feeds.update({state["input"]: queue[0] for state, queue in zip(states, memory)})
    logits, *remembered = session.run(["logits", *(s["output"] for s in states)], feeds)
    for queue, value in zip(memory, remembered):
        queue.append(value)
    return logits[0]


# A word begins after boundaries, all the way back: enough of them fill every queue.
for _ in range(width + sum(state["delay"] for state in states)):
    logits = step(0)
for character, token in zip([*sys.argv[2], "(end)"], [*tokens, 0]):
    print(character, f"{np.log(np.exp(logits).sum()) - logits[token]:.4f}")
    logits = step(token)
