"""Compares safetensors files through the reference reader, tensor by tensor and bit by bit.

    python tools/check_safetensors.py EXPECTED ACTUAL

Each argument is a file, or a model directory with one file or shards and an index. The reference
reader checks the structure of both; then names, types, shapes and bytes must agree. Needs the
packages safetensors and torch.
"""

import json
import pathlib
import sys

import torch
from safetensors import safe_open


def files(path):
    path = pathlib.Path(path)
    if path.is_file():
        return [path]
    index = path / "model.safetensors.index.json"
    if not index.exists():
        return [path / "model.safetensors"]
    names = json.loads(index.read_text())["weight_map"].values()
    return [path / name for name in sorted(set(names))]


def tensors(path):
    found = {}
    for file in files(path):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():
                if name in found:
                    sys.exit(f"{file}: tensor '{name}' is in two shards")
                found[name] = opened.get_tensor(name)
    return found


def raw(tensor):
    # An empty tensor cannot be viewed as bytes.
    return tensor.contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else tensor


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expected, actual = (tensors(argument) for argument in sys.argv[1:])
    problems = [f"'{name}' is missing" for name in sorted(expected.keys() - actual.keys())]
    problems += [f"'{name}' is not expected" for name in sorted(actual.keys() - expected.keys())]
    for name in sorted(expected.keys() & actual.keys()):
        a, b = expected[name], actual[name]
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            problems.append(f"'{name}' is {b.dtype} {list(b.shape)}, not {a.dtype} {list(a.shape)}")
        elif not torch.equal(raw(a), raw(b)):
            problems.append(f"'{name}' has other values")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(expected)} tensors are equal")


if __name__ == "__main__":
    main()
