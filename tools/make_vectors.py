"""Writes Tests/Vectors/models: tiny checkpoints, adapters, and what transformers, peft and the FLARE reference make of them.

    python tools/make_vectors.py

formats/vectors.md describes what it writes. Before writing, it proves that the vectors can catch the usual mistakes: each
mistake is made on purpose and must move a logit by far more than the tolerance of the tests.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, Gemma2Config, LlamaConfig

import adapter_vectors
import flare_reference
from flare_reference import Reference
from tiny_models import quiet, save_adapter, save_model, version_4_form, write_json

DESTINATION = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "models"
SEEDS = {"llama": 2, "llama-biased": 4, "gemma2": 2}  # chosen so that greedy decoding has no near ties
TOKEN_COUNT, SOURCE_COUNT, SHORT_COUNT = 40, 28, 12
PROMPT_COUNT, GREEDY_COUNT = 8, 64
SMALLEST_MARGIN = 5e-3  # between the best and the second logit, at every greedy step
SMALLEST_TRAP = 0.05
SMALLEST_ADAPTER_EFFECT = 0.3


# --- The models ---------------------------------------------------------------------------------------------------


def make_llama(directory: Path, seed: int) -> None:
    rope = {
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }  # fmt: skip
    config = LlamaConfig(
        vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=24, max_position_embeddings=256, rope_parameters=rope, rms_norm_eps=1e-5,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=0,
    )  # fmt: skip
    save_model(config, directory, seed, torch.float32, max_shard_size="200KB")
    save_adapter(directory, directory / "lora", seed + 10)
    save_adapter(
        directory, directory / "rslora-patterns", seed + 20, dtype=torch.bfloat16, use_rslora=True, lora_alpha=6,
        # Two patterns match the q_proj of layer 1 and the v_proj of layer 2: in both the first in the file wins.
        rank_pattern={r"layers\.1\.self_attn\.q_proj": 6, "q_proj": 2, "down_proj": 3},
        alpha_pattern={"v_proj": 5, r"layers\.2\.self_attn\.v_proj": 50, r".*\.0\.mlp\..*": 2.5},
    )  # fmt: skip
    make_flare(directory, seed)


def make_llama_biased(directory: Path, seed: int) -> None:
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=256, rope_parameters={"rope_type": "default", "rope_theta": 20000.0},
        attention_bias=True, mlp_bias=True, tie_word_embeddings=True, bos_token_id=1, eos_token_id=0,
    )  # fmt: skip
    save_model(config, directory, seed, torch.bfloat16)
    fields = version_4_form(json.loads((directory / "config.json").read_text()))
    del fields["head_dim"], fields["num_key_value_heads"]
    new_form = logits_of(directory, example_tokens(64, seed)["tokens"])
    write_json(directory / "config.json", fields)
    old_form = logits_of(directory, example_tokens(64, seed)["tokens"])
    assert torch.equal(new_form, old_form), "llama-biased: the transformers 4 config means another model"


def make_gemma2(directory: Path, seed: int) -> None:
    config = Gemma2Config(
        vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=24, query_pre_attn_scalar=40, sliding_window=8, attn_logit_softcapping=4.0,
        final_logit_softcapping=6.0, max_position_embeddings=256, bos_token_id=2, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    save_model(config, directory, seed, torch.bfloat16)
    fields = json.loads((directory / "config.json").read_text())
    write_json(directory / "config.v4.json", version_4_form(fields))
    tokens = example_tokens(96, seed)["tokens"]
    with tempfile.TemporaryDirectory() as copy:
        shutil.copy(directory / "model.safetensors", copy)
        shutil.copy(directory / "config.v4.json", Path(copy) / "config.json")
        assert torch.equal(logits_of(directory, tokens), logits_of(Path(copy), tokens)), "gemma2: config.v4.json differs"
    save_adapter(directory, directory / "lora", seed + 10)
    make_flare(directory, seed)


def make_flare(directory: Path, seed: int) -> None:
    for offset, fusion in ((30, "add"), (40, "add_relu")):
        save_adapter(directory, directory / f"flare-{fusion}", seed + offset, fusion=fusion, dtype=torch.bfloat16)


# --- What is expected of them -------------------------------------------------------------------------------------


def example_tokens(vocabulary: int, seed: int) -> dict[str, list[int]]:
    generator = torch.Generator().manual_seed(seed + 100)
    counts = {"tokens": TOKEN_COUNT, "source_tokens": SOURCE_COUNT}
    counts |= {"short_tokens": SHORT_COUNT, "long_source_tokens": SOURCE_COUNT}
    return {key: torch.randint(3, vocabulary, (count,), generator=generator).tolist() for key, count in counts.items()}


def logits_of(directory: Path, tokens: list[int], **changes) -> Tensor:
    """Logits of the plain transformers model, with fields of its configuration changed."""
    config = AutoConfig.from_pretrained(directory)
    for key, value in changes.items():
        setattr(config, key, value)
    model = AutoModelForCausalLM.from_pretrained(
        directory, config=config, dtype=torch.float32, attn_implementation="eager"
    )
    with torch.no_grad():
        return model.eval()(torch.tensor([tokens]), use_cache=False).logits[0]


def greedy(name: str, reference: Reference, prompt: list[int], count: int = GREEDY_COUNT, **source) -> Tensor:
    """Greedy continuation with a cache, confirmed by one pass over the whole sequence."""
    ids = reference.generate(prompt, count=count, **source)
    steps = reference.logits(prompt + ids, prompt_length=len(prompt), **source)[len(prompt) - 1 : -1]
    assert steps.argmax(-1).tolist() == ids, f"{name}: decoding with and without a cache differ"
    best, second = steps.topk(2).values.unbind(-1)
    margin = (best - second).min().item()
    print(f"  {name:<38} smallest margin {margin:.4f}, {len(set(ids))} different tokens")
    assert margin > SMALLEST_MARGIN, f"{name}: a near tie, choose another seed"
    assert len(set(ids)) >= 10, f"{name}: the text repeats itself, choose another seed"
    assert reference.model.config.eos_token_id not in ids, f"{name}: the text ends early, choose another seed"
    return torch.tensor(ids)


def expectations(directory: Path, seed: int) -> dict[str, Tensor]:
    """All tensors of expected.safetensors, and the proofs that adapters matter and agree with peft."""
    examples = example_tokens(AutoConfig.from_pretrained(directory).vocab_size, seed)
    tokens, source = examples["tokens"], examples["source_tokens"]
    short, long_source = examples["short_tokens"], examples["long_source_tokens"]
    prompt = tokens[:PROMPT_COUNT]
    expected = {key: torch.tensor(value) for key, value in examples.items()}

    base = flare_reference.load(directory)
    expected["logits.base"] = base.logits(tokens)
    expected |= {f"hidden.{layer}": state[0] for layer, state in enumerate(base.residuals(tokens))}
    expected["greedy.base"] = greedy("greedy.base", base, prompt)
    if not (directory / "lora").exists():
        return expected

    for adapter in ("lora", "rslora-patterns"):
        if (directory / adapter).exists():
            ours = flare_reference.load(directory, [directory / adapter]).logits(tokens)
            peft = peft_logits(directory, adapter, tokens)
            difference = (ours - peft).abs().max().item()
            print(f"  {adapter:<38} differs from peft by {difference:.1e}")
            assert difference < 1e-5
            expected[f"logits.{adapter}"] = peft
    for adapter in ("flare-add", "flare-add_relu"):
        expected[f"logits.{adapter}"] = flare_reference.load(directory, [directory / adapter]).logits(tokens, source)
    flare = flare_reference.load(directory, [directory / "flare-add_relu"])
    expected["logits.flare-add_relu.no-source"] = flare.logits(tokens)
    expected["logits.flare-add_relu.long-source"] = flare.logits(short, long_source)
    stack_dirs = [directory / "lora", directory / "flare-add_relu"]
    stack = flare_reference.load(directory, stack_dirs)
    expected["logits.lora+flare-add_relu"] = stack.logits(tokens, source)
    expected["greedy.lora+flare-add_relu"] = greedy("greedy.lora+flare-add_relu", stack, prompt, source_tokens=source)

    rounding = flare_reference.load(directory, stack_dirs, dtype=torch.float64).logits(tokens, source)
    difference = (rounding - expected["logits.lora+flare-add_relu"]).abs().max().item()
    print(f"  float32 rounding moves a logit by {difference:.1e}")
    assert difference < 1e-4, "float32 rounding grows too much for the tests' tolerance"

    for key in [key for key in expected if key.startswith("logits.") and expected[key].shape[0] == TOKEN_COUNT]:
        if key != "logits.base":
            report(key, expected[key], expected["logits.base"], SMALLEST_ADAPTER_EFFECT)
    flare_traps(directory, stack, tokens, source, short, long_source)
    return expected


def peft_logits(directory: Path, adapter: str, tokens: list[int]) -> Tensor:
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    adapted = PeftModel.from_pretrained(model, directory / adapter).eval()
    with torch.no_grad():
        return adapted(torch.tensor([tokens]), use_cache=False).logits[0]


# --- Mistakes the vectors must catch ------------------------------------------------------------------------------


def report(label: str, one: Tensor, other: Tensor, smallest: float) -> None:
    difference = (one - other).abs().max().item()
    print(f"  {label:<38} moves a logit by {difference:.3f}")
    assert difference > smallest, f"{label}: too small to be caught"


def model_traps(directory: Path, seed: int) -> None:
    config = AutoConfig.from_pretrained(directory)
    tokens = example_tokens(config.vocab_size, seed)["tokens"]
    plain_rope = {"rope_type": "default", "rope_theta": config.rope_parameters["rope_theta"]}
    other_theta = {**config.rope_parameters, "rope_theta": 500000.0}
    mistakes = {"rope_theta ignored": {"rope_parameters": other_theta}}
    if config.model_type == "gemma2":
        mistakes |= {
            "attention soft cap ignored": {"attn_logit_softcapping": None},
            "final soft cap ignored": {"final_logit_softcapping": None},
            "sliding window ignored": {"layer_types": ["full_attention"] * config.num_hidden_layers},
            "sliding window on the odd layers": {"layer_types": config.layer_types[::-1]},
            "sliding window one too wide": {"sliding_window": config.sliding_window + 1},
            "query_pre_attn_scalar = head_dim": {"query_pre_attn_scalar": config.head_dim},
        }
    elif config.rope_parameters["rope_type"] == "llama3":
        mistakes["llama3 rope ignored"] = {"rope_parameters": plain_rope}
        linear = {**plain_rope, "rope_type": "linear", "factor": config.rope_parameters["factor"]}
        mistakes["llama3 rope taken for linear"] = {"rope_parameters": linear}
    right = logits_of(directory, tokens)
    print(f"  largest logit {right.abs().max():.2f}, standard deviation {right.std():.2f}")
    for label, changes in mistakes.items():
        report(label, logits_of(directory, tokens, **changes), right, SMALLEST_TRAP)


def flare_traps(directory: Path, stack: Reference, tokens, source, short, long_source) -> None:
    """`stack` is a LoRA followed by a FLARE adapter."""

    class LeftAligned(Reference):
        def _align(self, source, positions, prompt_length, source_length):
            super()._align(source, positions, source[0].shape[1] if source else prompt_length, source_length)

    class AdaptersLeftOn(Reference):
        def _source_states(self, source_tokens):
            return self.residuals(source_tokens)

    class NormedSource(Reference):
        def _source_states(self, source_tokens):
            states = super()._source_states(source_tokens)
            return [layer.input_layernorm(state) for layer, state in zip(self.model.model.layers, states)]

    right, adapters = stack.logits(tokens, source), [directory / "lora", directory / "flare-add_relu"]
    for mistake in (LeftAligned, AdaptersLeftOn, NormedSource):
        wrong = mistake(flare_reference.load(directory).model, adapters)
        report(f"flare: {mistake.__name__}", wrong.logits(tokens, source), right, SMALLEST_TRAP)
    report("flare: no source", stack.logits(tokens), right, SMALLEST_TRAP)
    report("flare: source cut at its end", stack.logits(short, long_source[: len(short)]),
           stack.logits(short, long_source), SMALLEST_TRAP)  # fmt: skip
    # In the other order the source states come from the bare base, without the LoRA.
    swapped = flare_reference.load(directory, adapters[::-1])
    report("flare: adapters in the other order", swapped.logits(tokens, source), right, SMALLEST_TRAP)


# --- Adapters of every kind ---------------------------------------------------------------------------------------


def write_adapter_vectors(directory: Path, seed: int, base: Tensor) -> None:
    """The adapters of adapter_vectors.py, expected-adapters.safetensors and, for llama, merged and combined weights."""
    examples = example_tokens(base.shape[1], seed)
    tokens = examples["tokens"]
    adapter_vectors.write_adapters(directory, seed, tokens)
    expected = adapter_vectors.peft_expectations(directory, tokens, base, report)
    if directory.name != "llama-biased":
        prompt = tokens[:PROMPT_COUNT]
        expected |= adapter_vectors.flare_expectations(directory, seed, examples, prompt, base, report, greedy)
    expected = {key: value.contiguous() for key, value in expected.items()}
    save_file(expected, directory / "expected-adapters.safetensors", metadata={"format": "pt"})
    if directory.name == "llama":
        for file, tensors in (
            ("merged-bits.safetensors", adapter_vectors.merged_bits(directory)),
            ("combination.safetensors", adapter_vectors.combinations(directory)),
        ):
            save_file(tensors, directory / file, metadata={"format": "pt"})


# --- Writing ------------------------------------------------------------------------------------------------------


def manifest(root: Path) -> dict:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    packages = ("torch", "transformers", "peft", "safetensors", "numpy")
    return {
        "generator": "python tools/make_vectors.py",
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
        "seeds": SEEDS,
        "sha256": {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def main() -> None:
    quiet()
    torch.set_num_threads(1)  # the order of sums, hence the last bits, follows the thread count
    makers = {"llama": make_llama, "llama-biased": make_llama_biased, "gemma2": make_gemma2}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "models"
        for name, make in makers.items():
            print(name)
            make(root / name, SEEDS[name])
            model_traps(root / name, SEEDS[name])
            tensors = {key: value.contiguous() for key, value in expectations(root / name, SEEDS[name]).items()}
            save_file(tensors, root / name / "expected.safetensors", metadata={"format": "pt"})
            write_adapter_vectors(root / name, SEEDS[name], tensors["logits.base"])
        write_json(root / "MANIFEST.json", manifest(root))
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(root, DESTINATION)
    print(f"{sum(path.stat().st_size for path in DESTINATION.rglob('*') if path.is_file()):,} bytes written")


if __name__ == "__main__":
    main()
