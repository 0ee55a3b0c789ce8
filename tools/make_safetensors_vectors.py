"""Writes the files under Tests/Vectors/safetensors with the reference implementation.

    python tools/make_safetensors_vectors.py

Needs the packages safetensors and torch; the files hold no dates and come out the same each time.
The tests expect element i of every tensor to be byte pattern i, i + 1, ... so that no second file
with expected values is needed: see `pattern`.
"""

import hashlib
import json
import pathlib

import safetensors
import torch
from safetensors.torch import save_file

DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "Tests/Vectors/safetensors"

DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "U16": torch.uint16,
    "I16": torch.int16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
}


def pattern(dtype, shape):
    """A tensor whose bytes count up from 0 (a bool's bytes are 0, 1, 0, 1, ...)."""
    elements = torch.Size(shape).numel()
    count = elements * torch.empty(0, dtype=dtype).element_size()
    data = torch.arange(count).to(torch.uint8)
    if dtype == torch.bool:
        data = data % 2
    return data.view(dtype).reshape(shape) if count else torch.empty(shape, dtype=dtype)


def main():
    DESTINATION.mkdir(parents=True, exist_ok=True)
    files = {
        "types": {name: pattern(dtype, [2, 3]) for name, dtype in DTYPES.items()},
        "shapes": {
            "scalar": pattern(torch.float32, []),
            "empty": pattern(torch.float16, [3, 0, 2]),
            "vector": pattern(torch.bfloat16, [5]),
            "rank 5": pattern(torch.uint8, [1, 2, 1, 3, 1]),
            "naïve 名前 \"quoted\"": pattern(torch.uint8, [1]),
        },
        "nothing": {},
    }
    for name, tensors in files.items():
        metadata = {"format": "pt", "note": "tab\there"} if name == "shapes" else None
        save_file(tensors, DESTINATION / f"{name}.safetensors", metadata=metadata)
    manifest = {
        "generator": "tools/make_safetensors_vectors.py",
        "safetensors": safetensors.__version__,
        "torch": torch.__version__,
        "sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(DESTINATION.glob("*.safetensors"))
        },
    }
    (DESTINATION / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
