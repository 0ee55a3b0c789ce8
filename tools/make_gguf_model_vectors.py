"""Writes Tests/Vectors/gguf/models.json: what each model in Tests/Vectors/{models,architectures} is as GGUF.

    python tools/make_gguf_model_vectors.py

For every tensor its name, by the name map of the gguf package, and the SHA-256 of its values as little-endian float32,
with the rows of q and k permuted by numpy and 1 added to Gemma's norms as llama.cpp's converter does it. Needs gguf,
numpy, torch and safetensors.
"""

import hashlib
import json
import pathlib
from importlib.metadata import version

import gguf
import numpy as np
from safetensors.torch import load_file

from make_gguf_vectors import permuted

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "Tests/Vectors"
DESTINATION = VECTORS / "gguf/models.json"
ARCHITECTURES = {"mistral": "llama", "gemma3_text": "gemma3"}


def tensors(directory: pathlib.Path) -> dict[str, str]:
    config = json.loads((directory / "config.json").read_text())
    architecture = ARCHITECTURES.get(config["model_type"], config["model_type"])
    kind = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config.get("num_key_value_heads", config["num_attention_heads"])}
    hashes = {}
    for path in sorted(directory.glob("model*.safetensors")):
        for name, tensor in load_file(path).items():
            values = tensor.float().numpy()
            module = name.split(".")[-2]
            if architecture == "llama" and module in heads:
                values = permuted(values, heads[module])
            if architecture.startswith("gemma") and module.endswith("norm"):
                values = values + np.float32(1)
            gguf_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
            hashes[gguf_name] = hashlib.sha256(np.ascontiguousarray(values, "<f4").tobytes()).hexdigest()
    return dict(sorted(hashes.items()))


def main():
    models = {
        str(directory.relative_to(VECTORS)): tensors(directory)
        for directory in sorted([*VECTORS.glob("models/*"), *VECTORS.glob("architectures/*")])
        if (directory / "config.json").exists() and "text_config" not in json.loads((directory / "config.json").read_text())
    }
    document = {
        "generator": "tools/make_gguf_model_vectors.py",
        **{package: version(package) for package in ["gguf", "numpy", "safetensors"]},
        "models": models,
    }
    DESTINATION.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
