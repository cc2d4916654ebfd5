"""Runs examples/pytorch/train.py several times in one process, or in one group of processes under torchrun.

    python3 train_models.py jobs.json

jobs.json is a list of {"arguments": [...], "inputs": [[...], ...], "logits": "file.json"}. After each training, the
trained network's logits of `inputs` are written to that file, and ONNX's checker checks the .onnx file.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "pytorch"))

import onnx
import torch
import torch.distributed as dist
from train import main, parse

torch.set_num_threads(1)
if "RANK" in os.environ:
    # Join the group once for all trainings, because torchrun's address works for one group only.
    dist.init_process_group("gloo")

for job in json.loads(Path(sys.argv[1]).read_text()):
    network = main(job["arguments"]).eval()
    with torch.no_grad():
        logits = network(torch.tensor(job["inputs"])).reshape(-1).tolist()
    if os.environ.get("RANK", "0") == "0":
        Path(job["logits"]).write_text(json.dumps(logits))
        model = onnx.load(parse(job["arguments"]).output)
        onnx.checker.check_model(model, full_check=True)
