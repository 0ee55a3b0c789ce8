"""Writes Tests/Vectors/architectures: a tiny checkpoint of each architecture and what transformers makes of it.

    python tools/make_architecture_vectors.py

formats/vectors.md describes what it writes. As in make_vectors.py, each mistake that a reader could make is made on
purpose first and must move a logit by far more than the tolerance of the tests.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from make_vectors import SMALLEST_ADAPTER_EFFECT, SMALLEST_MARGIN, SMALLEST_TRAP, manifest, report
from tiny_models import quiet, save_adapter, save_model, version_4_form, write_json

DESTINATION = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "architectures"
SMALLEST_SUBTLE_TRAP = 5e-3
TOKEN_COUNT, PROMPT_COUNT, GREEDY_COUNT = 48, 8, 40

SHAPE = dict(
    vocab_size=64, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=256, bos_token_id=1, eos_token_id=0,
)  # fmt: skip
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}

# A mistake: changes of config.json, or of the model that was read.
Mistake = dict | Callable[[nn.Module], None]


@dataclass
class Architecture:
    config: PreTrainedConfig
    seed: int
    mistakes: dict[str, Mistake] = field(default_factory=dict)
    """Each must be seen in the logits."""
    subtle: dict[str, Mistake] = field(default_factory=dict)
    """Mistakes that move no logit far, though farther than the tests allow."""
    old_form: bool = False
    """Whether config.json is that of transformers 4."""
    variants: dict[str, dict] = field(default_factory=dict)
    """Other configurations of the same weights: changes of config.json."""
    adapter: dict | None = None
    """Options of a LoRA adapter."""


# --- Mistakes -----------------------------------------------------------------------------------------------------


def without_head_norms(model: nn.Module) -> None:
    for layer in model.model.layers:
        layer.self_attn.q_norm = layer.self_attn.k_norm = nn.Identity()


def head_norms_after_rotation(model: nn.Module) -> None:
    """Turned first, a pair has two weights instead of its own."""
    for layer in model.model.layers:
        for norm in (layer.self_attn.q_norm, layer.self_attn.k_norm):
            norm.weight.data = norm.weight.data.roll(norm.weight.shape[0] // 2)


def other_offset(model: nn.Module) -> None:
    """Norms with 1 + w taken for w, or the other way round."""
    offset = 1 if model.config.model_type.startswith("gemma") else -1
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data -= offset


def without_biases(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data.zero_()


def embeddings_not_scaled(model: nn.Module) -> None:
    model.model.embed_tokens.embed_scale = torch.tensor(1.0)


# --- The architectures --------------------------------------------------------------------------------------------


def mistral() -> Architecture:
    config = MistralConfig(**SHAPE, head_dim=12, num_hidden_layers=3, sliding_window=6, rope_parameters=dict(PLAIN))
    mistakes = {
        "window ignored": {"sliding_window": None},
        "window one too wide": {"sliding_window": 7},
        "rope_theta ignored": {"rope_parameters": {**PLAIN, "rope_theta": 500.0}},
    }
    return Architecture(config, 1, mistakes, old_form=True)


def qwen2() -> Architecture:
    config = Qwen2Config(
        **SHAPE, num_hidden_layers=4, use_sliding_window=True, sliding_window=6, max_window_layers=2,
        tie_word_embeddings=True, rope_parameters={**PLAIN, "rope_theta": 1000.0},
    )  # fmt: skip
    mistakes = {
        "biases ignored": without_biases,
        "window ignored": {"layer_types": ["full_attention"] * 4},
        "window on all layers": {"layer_types": ["sliding_attention"] * 4},
        "window on the lower layers": {"layer_types": config.layer_types[::-1]},
    }
    return Architecture(config, 3, mistakes, old_form=True, adapter={"r": 2, "lora_alpha": 6})


def qwen3() -> Architecture:
    config = Qwen3Config(**SHAPE, head_dim=12, num_hidden_layers=3, rope_parameters={**PLAIN, "rope_theta": 5000.0})
    mistakes = {
        "head norms ignored": without_head_norms,
        "head norms after rotation": head_norms_after_rotation,
        "norms are 1 + w": other_offset,
    }
    return Architecture(config, 4, mistakes)


def gemma() -> Architecture:
    shape = SHAPE | {"num_key_value_heads": 1}
    config = GemmaConfig(**shape, head_dim=12, num_hidden_layers=3, rope_parameters=dict(PLAIN))
    mistakes = {
        "norms are w": other_offset,
        "embeddings not scaled": embeddings_not_scaled,
        "silu": lambda model: replace_activation(model, nn.SiLU()),
    }
    subtle = {"gelu by the error function": lambda model: replace_activation(model, nn.GELU())}
    return Architecture(config, 1, mistakes, subtle, old_form=True)


def replace_activation(model: nn.Module, function: nn.Module) -> None:
    for layer in model.model.layers:
        layer.mlp.act_fn = function


GEMMA3_ROPE = {
    "full_attention": {"rope_type": "linear", "rope_theta": 20000.0, "factor": 4.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
}


def gemma3_config(**changes) -> Gemma3TextConfig:
    options = dict(
        **SHAPE, head_dim=12, num_hidden_layers=4, sliding_window=6, sliding_window_pattern=3,
        query_pre_attn_scalar=20, rope_parameters=GEMMA3_ROPE, pad_token_id=0,
    )  # fmt: skip
    return Gemma3TextConfig(**options | changes)


def gemma3() -> Architecture:
    full, sliding = GEMMA3_ROPE["full_attention"], GEMMA3_ROPE["sliding_attention"]

    def rope(**changes: dict) -> dict:
        return {"rope_parameters": GEMMA3_ROPE | changes}

    mistakes = {
        "head norms ignored": without_head_norms,
        "head norms after rotation": head_norms_after_rotation,
        "norms are w": other_offset,
        "local base ignored": rope(sliding_attention={**sliding, "rope_theta": 20000.0}),
        "local base everywhere": rope(full_attention={**full, "rope_theta": 500.0}),
        "scaling ignored": rope(full_attention={**full, "rope_type": "default"}),
        "scaling on local layers too": rope(sliding_attention={**full, "rope_theta": 500.0}),
        "window ignored": {"sliding_window": 10**6},
        "first layer sees all": {"layer_types": gemma3_config().layer_types[2:] + ["sliding_attention", "full_attention"]},
        "query_pre_attn_scalar = head_dim": {"query_pre_attn_scalar": 12},
        "embeddings not scaled": embeddings_not_scaled,
    }
    variants = {"capped": {"final_logit_softcapping": 5.0}}
    return Architecture(gemma3_config(), 6, mistakes, variants=variants, adapter={"r": 2, "lora_alpha": 6})


def rope() -> Architecture:
    """One Llama under every scaling; the text is longer than what each is said to have been trained with."""
    plain = {**PLAIN, "rope_theta": 100.0}
    config = LlamaConfig(**SHAPE, head_dim=16, num_hidden_layers=2, rope_parameters=plain, tie_word_embeddings=False)

    def scaled(kind: str, **parameters) -> dict:
        return {"rope_parameters": {**plain, "rope_type": kind, "factor": 4.0, **parameters}}

    original = {"original_max_position_embeddings": 32}
    bands = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    variants = {
        "linear": scaled("linear"),
        "dynamic": {**scaled("dynamic"), "max_position_embeddings": 16},
        "yarn": scaled("yarn", **original),
        "yarn-betas": scaled("yarn", **original, beta_fast=8.0, beta_slow=0.5),
        "yarn-untruncated": scaled("yarn", **original, truncate=False),
        "yarn-attention": scaled("yarn", **original, attention_factor=0.8),
        "yarn-mscale": scaled("yarn", **original, mscale=1.5, mscale_all_dim=0.7),
        "llama3": scaled("llama3", **original, **bands),
    }
    return Architecture(config, 1, variants=variants)


ARCHITECTURES = {
    "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3, "gemma": gemma, "gemma3": gemma3, "rope": rope,
}  # fmt: skip


# --- What transformers makes of them ------------------------------------------------------------------------------


def read(directory: Path, changes: dict | None = None) -> nn.Module:
    """The model, with fields of its config.json changed."""
    with tempfile.TemporaryDirectory() as copy:
        for file in directory.glob("model*.safetensors"):
            shutil.copy(file, copy)
        fields = json.loads((directory / "config.json").read_text())
        write_json(Path(copy) / "config.json", changed(fields, changes or {}))
        return AutoModelForCausalLM.from_pretrained(copy, dtype=torch.float32, attn_implementation="eager").eval()


def changed(fields: dict, changes: dict) -> dict:
    """What is said of rope and layers replaces it in whichever form it is said."""
    dropped = set()
    if "rope_parameters" in changes:
        dropped |= {"rope_theta", "rope_scaling", "rope_local_base_freq"}
    return {key: value for key, value in fields.items() if key not in dropped} | changes


@torch.no_grad()
def logits_of(model: nn.Module, tokens: list[int]) -> Tensor:
    return model(torch.tensor([tokens]), use_cache=False).logits[0]


@torch.no_grad()
def greedy(name: str, model: nn.Module, prompt: list[int]) -> Tensor:
    """Greedy continuation with transformers' cache, confirmed by one pass over the whole sequence."""
    made = model.generate(
        torch.tensor([prompt]), do_sample=False, min_new_tokens=GREEDY_COUNT, max_new_tokens=GREEDY_COUNT,
        suppress_tokens=None, eos_token_id=-1,
    )[0, len(prompt) :]  # fmt: skip
    steps = logits_of(model, prompt + made.tolist())[len(prompt) - 1 : -1]
    assert torch.equal(steps.argmax(-1), made), f"{name}: decoding with and without a cache differ"
    best, second = steps.topk(2).values.unbind(-1)
    margin, kinds = (best - second).min().item(), len(set(made.tolist()))
    print(f"  {'greedy':<38} smallest margin {margin:.4f}, {kinds} different tokens")
    assert margin > SMALLEST_MARGIN, f"{name}: a near tie, choose another seed"
    assert kinds >= 8, f"{name}: the text repeats itself, choose another seed"
    assert 0 not in made, f"{name}: the text ends early, choose another seed"
    return made


def write(name: str, architecture: Architecture, directory: Path) -> None:
    print(name)
    save_model(architecture.config, directory, architecture.seed, torch.bfloat16)
    path = directory / "config.json"
    fields = json.loads(path.read_text())
    generator = torch.Generator().manual_seed(architecture.seed + 100)
    tokens = torch.randint(3, architecture.config.vocab_size, (TOKEN_COUNT,), generator=generator).tolist()
    model = read(directory)
    base = logits_of(model, tokens)
    print(f"  largest logit {base.abs().max():.2f}, standard deviation {base.std():.2f}")
    expected = {"tokens": torch.tensor(tokens), "logits.base": base}

    old_path = path if architecture.old_form else directory / "config.v4.json"
    if architecture.old_form or name == "gemma3":
        write_json(old_path, version_4_form(fields))
        same = logits_of(read(directory, json.loads(old_path.read_text())), tokens)
        assert torch.equal(same, base), f"{name}: the transformers 4 config means another model"
    for variant, changes in architecture.variants.items():
        write_json(directory / f"config.{variant}.json", changed(fields, changes))
        logits = logits_of(read(directory, changes), tokens)
        for other, wrong in expected.items():
            if other.startswith("logits."):
                report(f"{variant} for {other.removeprefix('logits.')}", wrong, logits, SMALLEST_TRAP)
        expected[f"logits.{variant}"] = logits
    for mistakes, smallest in ((architecture.mistakes, SMALLEST_TRAP), (architecture.subtle, SMALLEST_SUBTLE_TRAP)):
        for label, mistake in mistakes.items():
            wrong = read(directory, mistake if isinstance(mistake, dict) else None)
            if callable(mistake):
                mistake(wrong)
            report(label, logits_of(wrong, tokens), base, smallest)

    expected["greedy.base"] = greedy(name, model, tokens[:PROMPT_COUNT])
    if architecture.adapter:
        options = {"dtype": torch.bfloat16, **architecture.adapter}
        save_adapter(directory, directory / "lora", architecture.seed + 10, **options)
        adapted = PeftModel.from_pretrained(read(directory), directory / "lora").eval()
        expected["logits.lora"] = logits_of(adapted, tokens)
        report("lora", expected["logits.lora"], base, SMALLEST_ADAPTER_EFFECT)
    save(expected, directory)


def write_multimodal(directory: Path) -> None:
    """Gemma 3 with eyes: the text model of another seed inside."""
    name, seed = "gemma3-multimodal", 5
    print(name)
    text_config = gemma3_config(num_hidden_layers=3, tie_word_embeddings=True)
    with tempfile.TemporaryDirectory() as text_directory:
        save_model(text_config, Path(text_directory), seed, torch.bfloat16)
        text = read(Path(text_directory))
    vision = dict(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4
    )
    config = Gemma3Config(
        text_config=text_config.to_dict(), vision_config=vision, mm_tokens_per_image=1, image_token_index=63,
        boi_token_index=61, eoi_token_index=62, eos_token_id=[0, 62], bos_token_id=1,
    )  # fmt: skip
    model = Gemma3ForConditionalGeneration(config)
    model.model.language_model.load_state_dict(text.model.state_dict())
    model.tie_weights()
    model.to(torch.bfloat16).save_pretrained(directory)
    tokens = torch.randint(3, 60, (TOKEN_COUNT,), generator=torch.Generator().manual_seed(seed)).tolist()
    whole = Gemma3ForConditionalGeneration.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    logits = logits_of(whole.eval(), tokens)
    difference = (logits - logits_of(text, tokens)).abs().max().item()
    assert difference < 1e-5, f"{name}: the text model by itself says something else ({difference})"
    save({"tokens": torch.tensor(tokens), "logits.base": logits}, directory)


def save(expected: dict[str, Tensor], directory: Path) -> None:
    (directory / "generation_config.json").unlink(missing_ok=True)
    tensors = {key: value.contiguous() for key, value in expected.items()}
    save_file(tensors, directory / "expected.safetensors", metadata={"format": "pt"})


def main() -> None:
    quiet()
    torch.set_num_threads(1)  # the order of sums, hence the last bits, follows the thread count
    torch.manual_seed(0)  # what nobody reads: the vision tower
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "architectures"
        made = {name: make() for name, make in ARCHITECTURES.items()}
        for name, architecture in made.items():
            write(name, architecture, root / name)
        write_multimodal(root / "gemma3-multimodal")
        about = manifest(root)
        about |= {"generator": "python tools/make_architecture_vectors.py"}
        about |= {"seeds": {name: architecture.seed for name, architecture in made.items()}}
        write_json(root / "MANIFEST.json", about)
        shutil.rmtree(DESTINATION, ignore_errors=True)
        shutil.copytree(root, DESTINATION)
    print(f"{sum(path.stat().st_size for path in DESTINATION.rglob('*') if path.is_file()):,} bytes written")


if __name__ == "__main__":
    main()
