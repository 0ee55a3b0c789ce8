"""Writes the files under Tests/Vectors/gguf with the gguf package of the llama.cpp project.

    python tools/make_gguf_vectors.py

Needs the packages gguf, numpy and safetensors, and Tests/Vectors/models as make_vectors.py wrote it.
The files hold no dates and come out the same each time. The bytes of every tensor in types.gguf and
layout.gguf count up from 0, see `counting`, so that no second file with expected values is needed.
"""

import hashlib
import json
import pathlib
from importlib.metadata import version

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value
from safetensors.numpy import load_file

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "Tests/Vectors"
DESTINATION = VECTORS / "gguf"

# The package gives it 40 bytes a block, ggml 36; it is for activations and never in a file.
LEFT_OUT = {Type.Q8_1}


def save(name, architecture, fill):
    """Writes one file: `fill` adds keys and tensors to the writer."""
    writer = gguf.GGUFWriter(DESTINATION / f"{name}.gguf", architecture)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def counting(*shape):
    """Bytes that count up from 0."""
    return (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)


def values(writer):
    """A key of every type, and an array of every type that can have one."""
    scalars = {
        Value.UINT8: [0, 255],
        Value.INT8: [-128, 127],
        Value.UINT16: [0, 2**16 - 1],
        Value.INT16: [-(2**15), 2**15 - 1],
        Value.UINT32: [0, 2**32 - 1],
        Value.INT32: [-(2**31), 2**31 - 1],
        Value.FLOAT32: [-1.5, 3.4028234663852886e38],
        Value.BOOL: [True, False],
        Value.STRING: ["naïve 名前\n", "second"],
        Value.UINT64: [0, 2**64 - 1],
        Value.INT64: [-(2**63), 2**63 - 1],
        Value.FLOAT64: [0.1, -1e300],
    }
    for kind, pair in scalars.items():
        writer.add_key_value(f"scalar.{kind.name.lower()}", pair[0], kind)
    for kind, pair in scalars.items():
        writer.add_key_value(f"array.{kind.name.lower()}", [*pair, pair[0]], Value.ARRAY, kind)
    writer.add_key_value("array.empty_strings", ["", "a", ""], Value.ARRAY, Value.STRING)


def types(writer):
    """Two rows of two blocks of every tensor type."""
    for kind in sorted(set(Type) - LEFT_OUT):
        _, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor(kind.name, counting(2, 2 * block_bytes), raw_dtype=kind)


def layout(writer):
    """Another alignment, and 1 to 4 axes."""
    writer.add_custom_alignment(64)
    for rank in range(1, 5):
        shape = (5, 3, 2, 3)[:rank]
        writer.add_tensor(f"rank.{rank}", counting(*shape).view(np.int8))


def permuted(rows, head_count):
    """The rows of q or k as `llama` has them, by the reshape that converters use."""
    shape = rows.shape
    return (
        rows.reshape(head_count, 2, shape[0] // head_count // 2, *shape[1:])
        .swapaxes(1, 2)
        .reshape(shape)
    )


MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def adapter(writer, alpha):
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)


def llama_lora(writer):
    """Tests/Vectors/models/llama/lora the way llama.cpp's convert_lora_to_gguf.py lays it out."""
    folder = VECTORS / "models/llama"
    base = json.loads((folder / "config.json").read_text())
    config = json.loads((folder / "lora/adapter_config.json").read_text())
    heads = {"attn_q": base["num_attention_heads"], "attn_k": base["num_key_value_heads"]}
    tensors = load_file(folder / "lora/adapter_model.safetensors")
    adapter(writer, config["lora_alpha"])
    for layer in range(base["num_hidden_layers"]):
        for module, name in MODULES.items():
            key = f"base_model.model.model.layers.{layer}.{module}"
            a, b = tensors.pop(f"{key}.lora_A.weight"), tensors.pop(f"{key}.lora_B.weight")
            if name in heads:
                b = permuted(b, heads[name])
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_a", a)
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_b", np.ascontiguousarray(b))
    assert not tensors, f"left over: {sorted(tensors)}"


def embedding_lora(writer):
    """An update of the embedding: PEFT's A [2, 5] holds 0 ... 9 and is stored as its transpose."""
    adapter(writer, 3.0)
    writer.add_string("adapter.lora.task_name", "counting")
    writer.add_string("adapter.lora.prompt_prefix", "Count: ")
    lora_a = np.arange(10, dtype=np.float16).reshape(2, 5)
    lora_b = np.arange(6, dtype=np.float32).reshape(3, 2)
    writer.add_tensor("token_embd.weight.lora_a", np.ascontiguousarray(lora_a.T))
    writer.add_tensor("token_embd.weight.lora_b", lora_b)


def quantized_lora(writer):
    """An update as convert_lora_to_gguf.py --outtype q8_0 stores it."""
    adapter(writer, 1.0)
    for half, shape in [("lora_a", (32, 32)), ("lora_b", (64, 32))]:
        values = np.linspace(-1, 1, np.prod(shape), dtype=np.float32).reshape(shape)
        blocks = gguf.quants.quantize(values, Type.Q8_0)
        writer.add_tensor(f"blk.0.ffn_up.weight.{half}", blocks, raw_dtype=Type.Q8_0)


def main():
    DESTINATION.mkdir(parents=True, exist_ok=True)
    save("values", "llama", values)
    save("types", "llama", types)
    save("layout", "llama", layout)
    save("lora-llama", "llama", llama_lora)
    save("lora-embedding", "gemma2", embedding_lora)
    save("lora-quantized", "llama", quantized_lora)
    manifest = {
        "generator": "tools/make_gguf_vectors.py",
        **{package: version(package) for package in ["gguf", "numpy", "safetensors"]},
        "sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(DESTINATION.iterdir())
            if path.name != "MANIFEST.json"
        },
    }
    (DESTINATION / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
