"""Writes Tests/Vectors/blocks: ggml's blocks, what they stand for, and what its quantizers make.

    python tools/make_block_vectors.py

Needs the packages gguf, llama-cpp-python (for libggml, which it brings), numpy and safetensors.

values.safetensors holds, for every type of block, three rows of 256 columns as bytes and, as
"NAME.values", as what gguf.dequantize makes of them: random blocks, blocks whose bits are all ones,
and blocks with negative, subnormal and zero scales. Of types with codebooks, "NAME.many" holds blocks
that name most vectors of the codebook, and "NAME.many.sum" a number for all their values: the sum of
the bits of float i times 2i + 1, modulo 2^64.

quantized.safetensors holds rows of numbers of several kinds, "x", and as bytes what ggml's reference
makes of them as Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1, which the gguf package confirms. For the rows "k_x" and
each of Q4_K, Q5_K and Q6_K, "NAME.errors" are the sums of squared errors that ggml's reference leaves of
every row.
"""

import ctypes
import hashlib
import json
import pathlib
from importlib.metadata import version

import gguf
import llama_cpp
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file

DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "Tests/Vectors/blocks"

SEED = 20

COLUMNS = 256

# Where float16 scales begin in a block of each type.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q1_0": [0], "Q2_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "NVFP4": [], "TQ1_0": [52], "TQ2_0": [64],
    "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0],
    "IQ3_S": [0],
}  # fmt: skip

CODEBOOKS = ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"]

# Blocks of the types that the gguf package cannot read yet.
NEW_BLOCKS = {"Q1_0": (128, 18), "Q2_0": (64, 18)}

GGML = ctypes.CDLL(str(next(pathlib.Path(llama_cpp.__file__).parent.glob("lib/libggml-base.so"))))


def block_size(name):
    """Elements and bytes of a block."""
    return NEW_BLOCKS.get(name) or gguf.GGML_QUANT_SIZES[Type[name]]


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def dequantized(name, blocks):
    """What the blocks stand for, as gguf has it or, where it has not, ggml."""
    if name not in NEW_BLOCKS:
        return gguf.quants.dequantize(blocks, Type[name])
    elements, size = block_size(name)
    rows = np.ascontiguousarray(blocks)
    out = np.zeros((len(rows), rows.shape[1] // size * elements), np.float32)
    getattr(GGML, f"dequantize_row_{name.lower()}")(
        pointer(rows), pointer(out), ctypes.c_int64(out.size)
    )
    return out


def set_scales(name, rows, scales):
    """Puts float16 `scales` [rows, blocks] where a block of `name` has them."""
    halves = scales.astype("<f2")
    for offset in HALVES[name]:
        rows[:, :, offset : offset + 2] = halves[..., None].view(np.uint8)
    if name == "IQ1_M":  # four bits at the top of each word of scales
        words = np.ascontiguousarray(rows[:, :, 48:56]).view("<u2") & 0x0FFF
        bits = halves.view("<u2")[..., None] >> np.array([0, 4, 8, 12], "<u2") & 0xF
        rows[:, :, 48:56] = (words | bits << 12).astype("<u2").view(np.uint8)
    if name == "MXFP4":
        rows[:2, :, 0] = 127 + np.frexp(scales[:2])[1]
        rows[2, :, 0] = [0, 1, 2, 252, 126, 127, 128, 129]


def values(random):
    tensors = {}
    for name in HALVES:
        elements, size = block_size(name)
        count = COLUMNS // elements
        rows = random.integers(0, 256, (3, count, size), dtype=np.uint8)
        rows[1] = 0xFF
        scales = random.uniform(0.001, 0.1, (3, count))
        scales[2] = np.resize([-0.01, 3e-7, 0], count)
        if count == 1:
            scales[2] = -3e-7
        set_scales(name, rows, scales)
        tensors[name] = rows.reshape(3, -1)
        tensors[f"{name}.values"] = dequantized(name, tensors[name])
    for name in CODEBOOKS:
        _, size = block_size(name)
        rows = random.integers(0, 256, (160, 1, size), dtype=np.uint8)
        set_scales(name, rows, random.uniform(0.001, 0.1, (160, 1)))
        blocks = rows.reshape(160, size)
        bits = dequantized(name, blocks).view(np.uint32).ravel().astype(np.uint64)
        tensors[f"{name}.many"] = blocks
        tensors[f"{name}.many.sum"] = (bits * (2 * np.arange(bits.size, dtype=np.uint64) + 1)).sum(
            keepdims=True
        )
    save_file(tensors, DESTINATION / "values.safetensors")


def reference(name, rows):
    """The bytes that ggml's reference makes of float rows."""
    elements, size = gguf.GGML_QUANT_SIZES[Type[name]]
    rows = np.ascontiguousarray(rows, np.float32)
    out = np.zeros((len(rows), rows.shape[1] // elements * size), np.uint8)
    quantize = getattr(GGML, f"quantize_row_{name[0].lower()}{name[1:]}_ref")
    quantize(pointer(rows), pointer(out), ctypes.c_int64(rows.size))
    return out


def rows_of_all_kinds(random, columns):
    """One row each: normal, heavy tails, scales by column as in real weights, off center, all equal,
    zero, few values and so ties, large, small."""
    normal = random.standard_normal(columns)
    return np.stack(
        [
            0.02 * normal,
            0.02 * random.standard_t(2, columns),
            0.02 * normal * np.exp(random.standard_normal(columns)),
            0.5 + 0.1 * normal,
            -0.5 + 0.1 * random.standard_normal(columns),
            np.full(columns, -0.37),
            np.zeros(columns),
            np.round(2 * normal) / 2,
            3000 * random.standard_normal(columns),
            1e-6 * random.standard_normal(columns),
            np.where(random.random(columns) < 0.9, 0, normal),
            -np.abs(normal),
        ]
    ).astype(np.float32)


def quantized(random):
    tensors = {"x": rows_of_all_kinds(random, 256)}
    for name in ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]:
        tensors[name] = reference(name, tensors["x"])
        assert (tensors[name] == gguf.quants.quantize(tensors["x"], Type[name])).all(), name
    tensors["k_x"] = rows_of_all_kinds(random, 1024)
    for name in ["Q4_K", "Q5_K", "Q6_K"]:
        found = gguf.quants.dequantize(reference(name, tensors["k_x"]), Type[name])
        square = (found.astype(np.float64) - tensors["k_x"]) ** 2
        tensors[f"{name}.errors"] = square.sum(axis=1)
    save_file(tensors, DESTINATION / "quantized.safetensors")


def main():
    DESTINATION.mkdir(parents=True, exist_ok=True)
    values(np.random.default_rng(SEED))
    quantized(np.random.default_rng(SEED))
    manifest = {
        "generator": "tools/make_block_vectors.py",
        "seed": SEED,
        **{
            package: version(package)
            for package in ["gguf", "llama-cpp-python", "numpy", "safetensors"]
        },
        "sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(DESTINATION.iterdir())
            if path.name != "MANIFEST.json"
        },
    }
    (DESTINATION / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
