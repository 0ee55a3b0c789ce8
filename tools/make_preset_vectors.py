"""Writes Tests/Vectors/blocks/presets.json: which type llama.cpp's quantizer gives every tensor.

    python tools/make_preset_vectors.py && python tools/make_block_vectors.py

The second writes the manifest of both.

Needs the packages gguf, llama-cpp-python and numpy. Small float models of several architectures are
quantized to every preset by llama.cpp itself, and the types of the tensors are read back with gguf.

A model is its architecture, layers, and its tensors in the order of the file: name and shape, outermost
first. "types" has, for each preset, one type a tensor. Of models with many layers only those tensors are
listed whose type depends on the layer.
"""

import ctypes
import json
import pathlib
import re
import tempfile

import gguf
import llama_cpp
import numpy as np

DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "Tests/Vectors/blocks/presets.json"

PRESETS = {
    "F32": llama_cpp.LLAMA_FTYPE_ALL_F32,
    "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "BF16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16,
    "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_1,
    "Q5_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_0,
    "Q5_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_1,
    "Q4_K_S": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_S,
    "Q4_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q5_K_S": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_S,
    "Q5_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q6_K": llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K,
}

# name: architecture, layers, hidden size, intermediate size, heads, key-value heads, tied
MODELS = {
    "llama": ("llama", 17, 256, 512, 4, 2, False),
    "llama tied": ("llama", 2, 256, 256, 4, 4, True),
    "llama narrow": ("llama", 8, 288, 320, 6, 3, False),
    "llama odd": ("llama", 3, 72, 80, 4, 2, False),
    "llama of 80 layers": ("llama", 80, 256, 32, 8, 1, True),
    "qwen2": ("qwen2", 9, 256, 512, 4, 1, False),
    "qwen2 of 80 layers": ("qwen2", 80, 256, 32, 8, 1, True),
    "qwen3": ("qwen3", 9, 256, 512, 4, 1, True),
    "gemma": ("gemma", 9, 256, 512, 4, 1, True),
    "gemma2": ("gemma2", 13, 256, 512, 4, 2, True),
    "gemma3": ("gemma3", 6, 256, 512, 4, 2, True),
}

VOCABULARY = 64

DEPENDS_ON_LAYER = re.compile("attn_v|ffn_down|token_embd")


def tensors(architecture, layers, hidden, intermediate, heads, kv_heads, tied):
    """Names and shapes in the order of llama.cpp's converter."""
    head = hidden // heads
    yield "token_embd.weight", [VOCABULARY, hidden]
    for layer in range(layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", [hidden]
        for name, rows in [("q", heads * head), ("k", kv_heads * head), ("v", kv_heads * head)]:
            yield f"{block}attn_{name}.weight", [rows, hidden]
            if architecture == "qwen2":
                yield f"{block}attn_{name}.bias", [rows]
        if architecture in ("qwen3", "gemma3"):
            yield block + "attn_q_norm.weight", [head]
            yield block + "attn_k_norm.weight", [head]
        yield block + "attn_output.weight", [hidden, heads * head]
        if architecture in ("gemma2", "gemma3"):
            yield block + "post_attention_norm.weight", [hidden]
        yield block + "ffn_norm.weight", [hidden]
        yield block + "ffn_gate.weight", [intermediate, hidden]
        yield block + "ffn_up.weight", [intermediate, hidden]
        yield block + "ffn_down.weight", [hidden, intermediate]
        if architecture in ("gemma2", "gemma3"):
            yield block + "post_ffw_norm.weight", [hidden]
    yield "output_norm.weight", [hidden]
    if architecture == "llama":
        yield "rope_freqs.weight", [head // 2]
    if not tied:
        yield "output.weight", [VOCABULARY, hidden]


def write(path, model, shapes):
    architecture, layers, hidden, intermediate, heads, kv_heads, _ = model
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(layers)
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(intermediate)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(hidden // heads)
    writer.add_value_length(hidden // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_sliding_window(64)
    writer.add_vocab_size(VOCABULARY)
    random = np.random.default_rng(1)
    for name, shape in shapes:
        writer.add_tensor(name, random.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantized_types(source, destination, file_type):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type
    params.nthread = 2
    result = llama_cpp.llama_model_quantize(
        str(source).encode(), str(destination).encode(), ctypes.byref(params)
    )
    assert result == 0, destination
    reader = gguf.GGUFReader(destination)
    types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    number = int(reader.get_field("general.file_type").contents())
    return types, number


def main():
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    models, numbers = [], {}
    with tempfile.TemporaryDirectory() as folder:
        source, destination = pathlib.Path(folder) / "f32.gguf", pathlib.Path(folder) / "q.gguf"
        for name, model in MODELS.items():
            shapes = list(tensors(*model))
            write(source, model, shapes)
            if model[1] >= 80:
                shapes = [pair for pair in shapes if DEPENDS_ON_LAYER.search(pair[0])]
            types = {}
            for preset, file_type in PRESETS.items():
                found, numbers[preset] = quantized_types(source, destination, file_type)
                types[preset] = " ".join(found[tensor] for tensor, _ in shapes)
            models.append(
                {
                    "name": name,
                    "architecture": model[0],
                    "layers": model[1],
                    "tensors": shapes,
                    "types": types,
                }
            )
    DESTINATION.write_text(
        json.dumps({"file_types": numbers, "models": models}, separators=(",", ":")) + "\n"
    )


if __name__ == "__main__":
    main()
