"""The surprise of each character, form "convolution":  python score.py model.onnx emma"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
characters = json.loads(session.get_modelmeta().custom_metadata_map["vocabulary"])
tokens = [1 + characters.index(character) for character in sys.argv[2]]

# A plain word in, a row of logits for each of its characters and one for its end out.
(logits,) = session.run(["logits"], {"tokens": np.array([tokens], np.int32)})
log_z = np.log(np.exp(logits[0]).sum(axis=1))
for character, token, row, z in zip([*sys.argv[2], "(end)"], [*tokens, 0], logits[0], log_z):
    print(character, f"{z - row[token]:.4f}")
