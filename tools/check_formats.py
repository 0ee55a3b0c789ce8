"""Every architecture in every format, run by Flare, by transformers and by llama.cpp, as a table.

    python tools/check_formats.py --flare .build/release/flare [--only gemma3 ...] [--seed 1]
    python tools/check_formats.py --flare .build/release/flare --types

For each architecture a random checkpoint is written that nobody has seen. `flare convert` makes GGUF files of it; `flare
logits` and llama.cpp (llama-cpp-python) run them, and transformers runs the checkpoint in float32. Cells of float formats
hold the largest difference of a logit (the largest logit is about 5 to 20), cells of quantized ones the mean KL divergence
from transformers in nats. Then each GGUF file of floats is converted back and compared with the checkpoint, tensor by
tensor, and llama.cpp's own quantizer makes Q4_K_M of the F32 file for Flare to run.

It fails when Flare is off by more than 1e-3 in a float format (llama.cpp rounds activations to F16 or BF16 there, and
its GELU is a table of F16), when llama.cpp is further from transformers than KL 0.02 with floats, when either of them is more than twice as far from transformers as the other with quantized weights,
when llama.cpp's quantizer chooses another type for a tensor, or when a tensor comes back changed.

`--types` takes files of llama.cpp's quantizer in every type that it makes without an importance matrix instead, runs each
with both, and fails where they are further than KL 0.05 apart: llama.cpp rounds activations to 8 bits in groups of 256
for most of them, Flare in groups of 32 or not at all.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import load_file

import llama_cpp_quantize
from llama_cpp_logits import Refused, logits as llama_cpp_logits
from tiny_models import quiet, save_model

SHAPE = dict(
    hidden_size=256, intermediate_size=512, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2,
    head_dim=32, vocab_size=288, max_position_embeddings=256, bos_token_id=1, eos_token_id=2,
)  # fmt: skip
LLAMA3 = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64,
    rope_theta=5e5,
)  # fmt: skip
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=1e4)
LINEAR = dict(rope_type="linear", factor=2.0, rope_theta=1e4)
CASES = {
    "llama": (transformers.LlamaConfig, dict()),
    "llama, llama3 rope, tied": (transformers.LlamaConfig, dict(tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "llama, linear rope, biases": (
        transformers.LlamaConfig, dict(attention_bias=True, mlp_bias=True, rope_parameters=LINEAR)),
    "llama, yarn rope": (transformers.LlamaConfig, dict(rope_parameters=YARN)),
    "mistral": (transformers.MistralConfig, dict(sliding_window=None)),
    "qwen2": (transformers.Qwen2Config, dict(head_dim=64)),
    "qwen3": (transformers.Qwen3Config, dict()),
    "gemma": (transformers.GemmaConfig, dict()),
    "gemma2": (transformers.Gemma2Config, dict(sliding_window=32, query_pre_attn_scalar=32)),
    "gemma3": (
        transformers.Gemma3TextConfig, dict(sliding_window=32, query_pre_attn_scalar=32)),
}  # fmt: skip
FLOATS = ["f32", "bf16", "f16"]
QUANTIZED = ["q8_0", "q4_k_m"]
# general.file_type of what llama.cpp's quantizer makes by itself.
LLAMA_CPP_TYPES = dict(
    Q4_0=2, Q4_1=3, Q8_0=7, Q5_0=8, Q5_1=9, Q2_K=10, Q3_K_S=11, Q3_K_M=12, Q3_K_L=13, Q4_K_S=14, Q4_K_M=15, Q5_K_S=16,
    Q5_K_M=17, Q6_K=18, IQ4_NL=25, IQ3_S=26, IQ3_M=27, IQ4_XS=30, TQ1_0=36, TQ2_0=37,
)  # fmt: skip
LENGTH = 96
FLOAT_TOLERANCE, FLOAT_DIVERGENCE = 1e-3, 0.02


def flare_logits(flare: str, model: Path, tokens: list[int], scratch: Path) -> np.ndarray:
    out = scratch / "flare.safetensors"
    out.unlink(missing_ok=True)
    run(flare, "logits", model, "--tokens", ",".join(map(str, tokens)), "-o", out)
    return load_file(out)["logits"].numpy()


def run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stderr or done.stdout}")


def divergence(expected: np.ndarray, actual: np.ndarray) -> float:
    p, q = (torch.log_softmax(torch.from_numpy(x.astype(np.float64)), dim=-1) for x in (expected, actual))
    return float((p.exp() * (p - q)).sum(-1).mean())


def changed_tensors(a: Path, b: Path) -> list[str]:
    """Tensors whose bits, type or shape differ between two checkpoints."""
    left, right = load_all(a), load_all(b)
    names = sorted(left.keys() | right.keys())
    return [n for n in names if n not in left or n not in right or left[n].dtype != right[n].dtype
            or not torch.equal(left[n], right[n])]  # fmt: skip


def load_all(directory: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in directory.glob("*.safetensors") for name, tensor in load_file(path).items()}


def quantize_with_llama_cpp(source: Path, destination: Path, file_type: int) -> None:
    run(*llama_cpp_quantize.command(source, destination, file_type))


def types(path: Path) -> dict[str, str]:
    return {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}


def check(name: str, flare: str, seed: int, scratch: Path) -> tuple[list[str], list[str]]:
    """A row of the table, and what is wrong."""
    kind, options = CASES[name]
    config = kind(**SHAPE | options)
    checkpoint = scratch / "hf"
    save_model(config, checkpoint, seed, torch.bfloat16)
    tokens = random.Random(seed).choices(range(3, SHAPE["vocab_size"]), k=LENGTH)
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        expected = model(torch.tensor([tokens])).logits[0].numpy()
    faults: list[str] = []

    own = flare_logits(flare, checkpoint, tokens, scratch)
    row = [name, f"{np.abs(own - expected).max():.1e}"]
    if not np.abs(own - expected).max() <= FLOAT_TOLERANCE * max(1, np.abs(expected).max() / 5):
        faults.append(f"HF differs by {np.abs(own - expected).max():.2e}")
    for kind_name in FLOATS + QUANTIZED:
        path = scratch / f"{kind_name}.gguf"
        run(flare, "convert", checkpoint, "--quantize", kind_name, "-o", path, "--overwrite")
        row.append(compare(kind_name, path, expected, flare, tokens, scratch, faults))
        if kind_name in ("f32", "bf16"):
            back = scratch / f"back-{kind_name}"
            run(flare, "convert", path, "--to", "hf", "-o", back, "--overwrite", *(["--dtype", "bf16"] if kind_name == "f32" else []))
            changed = changed_tensors(checkpoint, back)
            if changed:
                faults.append(f"{kind_name}: {len(changed)} tensors came back changed: {changed[:2]}")
    theirs = scratch / "theirs.gguf"
    quantize_with_llama_cpp(scratch / "f32.gguf", theirs, 15)
    row.append(compare("q4_k_m by llama.cpp", theirs, expected, flare, tokens, scratch, faults))
    if types(theirs) != types(scratch / "q4_k_m.gguf"):
        faults.append("q4_k_m: llama.cpp's quantizer chooses other types")
    return row, faults


def check_types(flare: str, seed: int, scratch: Path) -> bool:
    """Prints how far Flare is from llama.cpp for each type; whether all are near."""
    save_model(transformers.LlamaConfig(**SHAPE | dict(head_dim=64, num_hidden_layers=4)), scratch / "hf", seed, torch.bfloat16)
    run(flare, "convert", scratch / "hf", "--quantize", "f32", "-o", scratch / "f32.gguf")
    tokens = random.Random(seed).choices(range(3, SHAPE["vocab_size"]), k=LENGTH // 2)
    print("| file | tensors | largest difference of a logit | KL |\n|---|---|---|---|", flush=True)
    worst = 0.0
    for name, number in LLAMA_CPP_TYPES.items():
        path = scratch / "quantized.gguf"
        quantize_with_llama_cpp(scratch / "f32.gguf", path, number)
        ours, theirs = flare_logits(flare, path, tokens, scratch), llama_cpp_logits(path, tokens)
        apart = divergence(theirs, ours)
        worst = max(worst, apart)
        kinds = ", ".join(sorted(set(types(path).values()) - {"F32"}))
        print(f"| {name} | {kinds} | {np.abs(ours - theirs).max():.2f} of {np.abs(theirs).max():.1f} | {apart:.1e} |", flush=True)
    return worst < 0.05


def compare(kind: str, path: Path, expected, flare: str, tokens, scratch: Path, faults: list[str]) -> str:
    """`flare / llama.cpp` of one file."""
    ours = flare_logits(flare, path, tokens, scratch)
    try:
        theirs = llama_cpp_logits(path, tokens)
    except Refused as refusal:
        faults.append(f"{kind}: llama.cpp refuses it: {refusal}")
        return f"- / {refusal}"
    if kind in FLOATS:
        a, b = (np.abs(x - expected).max() for x in (ours, theirs))
        # The checkpoint is BF16, which F16 holds but for very small numbers.
        if not a <= FLOAT_TOLERANCE * max(1, np.abs(expected).max() / 5) * (10 if kind == "f16" else 1):
            faults.append(f"{kind}: flare differs by {a:.2e}")
        if not divergence(expected, theirs) <= FLOAT_DIVERGENCE:
            faults.append(f"{kind}: llama.cpp differs by KL {divergence(expected, theirs):.2e}")
    else:
        a, b = divergence(expected, ours), divergence(expected, theirs)
        if not a <= 2 * b + 1e-4 or not b <= 2 * a + 1e-4:
            faults.append(f"{kind}: KL {a:.2e} of flare, {b:.2e} of llama.cpp")
    return f"{a:.1e} / {b:.1e}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flare", required=True)
    parser.add_argument("--only", nargs="*", default=list(CASES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--types", action="store_true")
    arguments = parser.parse_args()
    quiet()
    if arguments.types:
        with tempfile.TemporaryDirectory() as folder:
            return 0 if check_types(arguments.flare, arguments.seed, Path(folder)) else 1
    header = ["architecture", "HF", *(f"GGUF {kind.upper()}" for kind in FLOATS + QUANTIZED), "Q4_K_M by llama.cpp"]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header), flush=True)
    failed = False
    for number, name in enumerate(arguments.only):
        with tempfile.TemporaryDirectory() as folder:
            try:
                row, faults = check(name, arguments.flare, arguments.seed + number, Path(folder))
                print("| " + " | ".join(row) + " |", flush=True)
            except RuntimeError as error:
                faults = [str(error)]
        for fault in faults:
            print(f"{name}: {fault}", file=sys.stderr)
        failed |= bool(faults)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
