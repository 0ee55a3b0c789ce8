"""Runs a GGUF adapter in llama.cpp and compares its log-probabilities with PEFT's.

    python tools/check_llama_cpp.py BASE PEFT_ADAPTER ADAPTER.gguf

BASE is a small Llama or Gemma 2 directory, such as Tests/Vectors/models/llama, which is written as a
GGUF file here, with a vocabulary of no meaning, since prompts are token ids. The comparison fails
unless the adapter moves the result by far more than llama.cpp differs from transformers without it.
Needs the packages gguf, numpy, peft, torch, transformers and xllamacpp (llama.cpp, built).
"""

import json
import pathlib
import sys
import tempfile

import gguf
import numpy as np
import torch
import xllamacpp
from gguf_bases import NAMES, NORMS, add_metadata, rotary_factors
from peft import PeftModel
from transformers import AutoModelForCausalLM

LENGTHS = [7, 20, 40]
# llama.cpp computes attention in half precision.
TOLERANCE = 0.05


def in_pairs(rows, head_count):
    shape = rows.shape
    halves = rows.reshape(head_count, 2, shape[0] // head_count // 2, *shape[1:])
    return halves.swapaxes(1, 2).reshape(shape)


def write_base(model, path):
    config = model.config
    architecture, rope = config.model_type, config.rope_parameters
    writer = gguf.GGUFWriter(path, architecture)
    add_metadata(writer, config, rope)
    for name, tensor in gguf_tensors(model, architecture, rope):
        writer.add_tensor(name, np.ascontiguousarray(tensor, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_tensors(model, architecture, rope):
    config = model.config
    state = {name: tensor.float().numpy() for name, tensor in model.state_dict().items()}
    # Gemma multiplies by 1 + w, of which GGUF has the sum.
    shift = 1 if architecture == "gemma2" else 0
    yield "token_embd.weight", state["model.embed_tokens.weight"]
    yield "output_norm.weight", state["model.norm.weight"] + shift
    if not config.tie_word_embeddings:
        yield "output.weight", state["lm_head.weight"]
    if rope["rope_type"] == "llama3":
        yield "rope_freqs.weight", rotary_factors(rope, config.head_dim)
    heads = {"q": config.num_attention_heads, "k": config.num_key_value_heads}
    for layer in range(config.num_hidden_layers):
        for letter, count in heads.items():
            rows = state[f"model.layers.{layer}.self_attn.{letter}_proj.weight"]
            rows = in_pairs(rows, count) if architecture == "llama" else rows
            yield f"blk.{layer}.attn_{letter}.weight", rows
        for name, other in (NAMES | NORMS[architecture]).items():
            tensor = state[f"model.layers.{layer}.{name}.weight"]
            yield f"blk.{layer}.{other}.weight", tensor + (shift if tensor.ndim == 1 else 0)


def of_transformers(model, tokens):
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].double()
    return torch.log_softmax(logits, -1).numpy()


def of_llama_cpp(base, adapter, tokens, vocabulary):
    params = xllamacpp.CommonParams()
    params.model.path = str(base)
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 128, 1, False, 0
    params.cpuparams.n_threads = 1
    if adapter:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    server = xllamacpp.Server(params)
    rows = {}
    for length in LENGTHS:
        answer = server.handle_completions({
            "prompt": tokens[:length], "n_predict": 1, "n_probs": vocabulary, "samplers": [],
            "cache_prompt": False,
        })  # fmt: skip
        answer = json.loads(answer) if isinstance(answer, str) else answer
        if "choices" not in answer:
            sys.exit(f"llama.cpp: {answer}")
        rows[length] = np.full(vocabulary, np.nan)
        for entry in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            rows[length][entry["id"]] = entry["logprob"]
    return rows


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    base, peft, adapter = (pathlib.Path(argument) for argument in sys.argv[1:])
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    if model.config.model_type == "gemma2":
        # A GGUF file cannot say it: llama.cpp takes the size of a head.
        for layer in model.model.layers:
            layer.self_attn.scaling = model.config.head_dim**-0.5
    vocabulary = model.config.vocab_size
    tokens = torch.randint(3, vocabulary, (max(LENGTHS),), generator=torch.manual_seed(1)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "base.gguf"
        write_base(model, path)
        plain, plain_there = of_transformers(model, tokens), of_llama_cpp(path, None, tokens, vocabulary)
        adapted = of_transformers(PeftModel.from_pretrained(model, peft), tokens)
        adapted_there = of_llama_cpp(path, adapter, tokens, vocabulary)
    failed = False
    for length in LENGTHS:
        row = length - 1
        floor = np.abs(plain_there[length] - plain[row]).max()
        error = np.abs(adapted_there[length] - adapted[row]).max()
        moved = np.abs(adapted[row] - plain[row]).max()
        print(f"{length} tokens: differs by {error:.3f}, {floor:.3f} without it; it moves {moved:.2f}")
        failed |= not (error < TOLERANCE and floor < TOLERANCE and moved > 10 * TOLERANCE)
    if failed:
        sys.exit("the adapter is not the same in llama.cpp")


if __name__ == "__main__":
    main()
