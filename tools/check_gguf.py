"""Reads GGUF files that Flare wrote with the gguf package of the llama.cpp project and compares.

    python tools/check_gguf.py file EXPECTED.gguf ACTUAL.gguf
    python tools/check_gguf.py adapter BASE PEFT_ADAPTER ACTUAL.gguf

`file` wants equal keys, values, tensors and order. `adapter` wants, for every module, the update
that PEFT would make, scaling · B · A, where BASE is the model directory whose config.json gives the
heads; the rows of q and k are put back by a reshape of its own. Needs gguf, numpy and safetensors.
"""

import json
import pathlib
import re
import sys

import gguf
import numpy as np
from safetensors.torch import load_file

# Of GGUF's names to PEFT's; `{}` is a layer.
MODULES = {
    "token_embd": "model.embed_tokens",
    "output": "lm_head",
    "blk.{}.attn_q": "model.layers.{}.self_attn.q_proj",
    "blk.{}.attn_k": "model.layers.{}.self_attn.k_proj",
    "blk.{}.attn_v": "model.layers.{}.self_attn.v_proj",
    "blk.{}.attn_output": "model.layers.{}.self_attn.o_proj",
    "blk.{}.ffn_gate": "model.layers.{}.mlp.gate_proj",
    "blk.{}.ffn_up": "model.layers.{}.mlp.up_proj",
    "blk.{}.ffn_down": "model.layers.{}.mlp.down_proj",
}
# Of the largest element: products and sums in another order, and B folded to one alpha.
TOLERANCE = {"F32": 1e-6, "F16": 2e-3}


def keys(reader):
    return {
        name: ([kind.name for kind in field.types], field.contents())
        for name, field in reader.fields.items()
        if not name.startswith("GGUF.")
    }


def tensors(reader):
    return [(t.name, t.tensor_type.name, t.shape.tolist(), t.data.tobytes()) for t in reader.tensors]


def compare_files(expected, actual):
    problems = []
    for what, read in [("keys", keys), ("tensors", tensors)]:
        a, b = list(read(expected)), list(read(actual))
        if what == "keys":
            a, b = list(keys(expected).items()), list(keys(actual).items())
        problems += [f"{what}: {len(b)}, expected {len(a)}"] if len(a) != len(b) else []
        problems += [f"{what}: '{y[0]}' differs from '{x[0]}'" for x, y in zip(a, b) if x != y]
    return problems, f"{len(expected.tensors)} tensors and {len(keys(expected))} keys are equal"


def scaling(config, module, rank):
    """What PEFT multiplies with; the first pattern that matches wins."""
    def first(patterns, otherwise):
        found = (v for k, v in patterns.items() if re.match(rf"(.*\.)?({k})$", module))
        return next(found, otherwise)

    alpha = first(config.get("alpha_pattern") or {}, config["lora_alpha"])
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def separated(rows, head_count):
    """Rows of q or k from pairs back to halves."""
    shape = rows.shape
    return (
        rows.reshape(head_count, shape[0] // head_count // 2, 2, *shape[1:])
        .swapaxes(1, 2)
        .reshape(shape)
    )


def compare_adapter(base, peft, actual):
    model = json.loads((base / "config.json").read_text())
    config = json.loads((peft / "adapter_config.json").read_text())
    expected = {
        name.removeprefix("base_model.model."): tensor.float().numpy()
        for name, tensor in load_file(peft / "adapter_model.safetensors").items()
    }
    held = keys(actual)
    architecture, alpha = held["general.architecture"][1], held["adapter.lora.alpha"][1]
    heads = {}
    if architecture == "llama":
        query = model["num_attention_heads"]
        heads = {"q_proj": query, "k_proj": model.get("num_key_value_heads") or query}
    halves = {t.name: t for t in actual.tensors}
    problems, worst = [], 0.0
    for name in sorted(n.removesuffix(".lora_a") for n in halves if n.endswith(".lora_a")):
        a, b = halves.pop(f"{name}.lora_a"), halves.pop(f"{name}.lora_b")
        layer = re.search(r"\.(\d+)\.", name)
        template = re.sub(r"\.\d+\.", ".{}.", name).removesuffix(".weight")
        module = MODULES[template].format(layer.group(1) if layer else "")
        is_embedding = template == "token_embd"
        tolerance = TOLERANCE[b.tensor_type.name]
        b, a = b.data.astype(np.float64), a.data.astype(np.float64)
        b = separated(b, heads[module.rsplit(".", 1)[-1]]) if module.rsplit(".", 1)[-1] in heads else b
        delta = alpha / b.shape[1] * (b @ (a.T if is_embedding else a))
        kinds = ("lora_embedding_A", "lora_embedding_B") if is_embedding else ("lora_A.weight", "lora_B.weight")
        a, b = (expected.pop(f"{module}.{kind}").astype(np.float64) for kind in kinds)
        wanted = scaling(config, module, a.shape[0]) * (b @ a)
        error = np.abs(delta - wanted).max() / np.abs(wanted).max() if delta.shape == wanted.shape else np.inf
        worst = max(worst, error)
        if not error <= tolerance:
            problems.append(f"'{module}' differs by {error:.3g} of its largest element")
    problems += [f"'{name}' is not expected" for name in sorted(halves)]
    problems += [f"'{name}' is missing" for name in sorted(expected)]
    return problems, f"all updates are equal, to {worst:.2g} of the largest element of each"


def main():
    match sys.argv[1:]:
        case ["file", expected, actual]:
            problems, verdict = compare_files(gguf.GGUFReader(expected), gguf.GGUFReader(actual))
        case ["adapter", base, peft, actual]:
            problems, verdict = compare_adapter(
                pathlib.Path(base), pathlib.Path(peft), gguf.GGUFReader(actual)
            )
        case _:
            sys.exit(__doc__)
    if problems:
        sys.exit("\n".join(problems))
    print(verdict)


if __name__ == "__main__":
    main()
