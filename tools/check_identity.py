"""Computes the fingerprint of a Hugging Face checkpoint from the text of formats/identity.md, beside Flare's.

    python tools/check_identity.py MODEL... --flare .build/release/flare

Prints both for each model and exits with 1 when they differ. Needs numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np


def tensors(directory: Path) -> dict[str, tuple[list[int], np.ndarray]]:
    """Shape and float32 values of every tensor of a checkpoint, read without any library for safetensors."""
    found = {}
    for path in sorted(directory.glob("model*.safetensors")):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8 : 8 + length]).items():
            if name == "__metadata__":
                continue
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            found[name] = (entry["shape"], floats(data[start:end], entry["dtype"]))
    return found


def floats(data: bytes, dtype: str) -> np.ndarray:
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[dtype]).astype("<f4")


def tensor_hash(shape: list[int], values: np.ndarray) -> str:
    bits = values.view("<u4")
    rows, columns = (1, shape[-1]) if len(shape) == 1 else shape
    data = bits >> 16 if not (bits & 0xFFFF).any() else bits
    data = data.astype("<u2" if data is not bits else "<u4").reshape(rows, columns)
    step = max(1, 65536 // columns)
    pieces = [hashlib.sha256(data[first : first + step].tobytes()).digest() for first in range(0, rows, step)]
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def fingerprint(directory: Path) -> str:
    config = json.loads((directory / "config.json").read_text())
    text = f"flare-identity 1\n{config['model_type']}\n"
    tied = config.get("tie_word_embeddings", config["model_type"].startswith("gemma"))
    for name, (shape, values) in sorted(tensors(directory).items()):
        if name.endswith(".rotary_emb.inv_freq") or (tied and name == "lm_head.weight"):
            continue
        text += f"{tensor_hash(shape, values)} {'x'.join(map(str, shape))} {name}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--flare", default=".build/release/flare")
    arguments = parser.parse_args()
    differing = 0
    for model in arguments.models:
        output = subprocess.run(
            [arguments.flare, "inspect", model, "--identity", "--json"], check=True, capture_output=True
        ).stdout
        ours, theirs = json.loads(output)["fingerprint"], fingerprint(model)
        differing += ours != theirs
        print(f"{model}: flare {ours}, here {theirs}: {'same' if ours == theirs else 'DIFFERENT'}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
