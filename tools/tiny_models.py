"""Tiny random checkpoints and adapters whose every detail shows in the logits.

The usual initialisation (std 0.02) makes models so nearly linear that a forgotten rotary scaling or soft cap hides in
the rounding. Here activations are of order one everywhere, attention is peaked and logits are of order five.
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig

ALL_LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def quiet() -> None:
    """No progress bars and no advice on standard error."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")


@torch.no_grad()
def randomise(model: nn.Module, seed: int) -> nn.Module:
    """Fills every parameter of a text model from the seed."""
    generator = torch.Generator().manual_seed(seed)
    gemma = model.config.model_type.startswith("gemma")
    tied = model.config.tie_word_embeddings
    width = model.config.hidden_size

    # Tied to the output, a large embedding would make the model repeat its input: keep it small (Gemma multiplies it
    # by sqrt(width) on the way in) and raise the last norm instead.
    embedding = (0.5 if gemma else 1.0 if tied else math.sqrt(width)) / math.sqrt(width)
    last_norm = 3.0 / (embedding * math.sqrt(width)) if tied else 1.0

    def scale(name: str, parameter: nn.Parameter) -> tuple[float, float]:  # mean, standard deviation
        if name == "model.norm.weight":
            return last_norm - (1.0 if gemma else 0.0), 0.3
        if "norm" in name:
            return (0.0 if gemma else 1.0), 0.3
        if name.endswith("bias"):
            return 0.0, 0.3
        if "embed_tokens" in name:
            return 0.0, embedding
        if "lm_head" in name:
            return 0.0, 3.0 / math.sqrt(width)
        return 0.0, 1.6 / math.sqrt(parameter.shape[1])

    for name, parameter in model.named_parameters():  # a tied output matrix is listed once, as the embedding
        mean, deviation = scale(name, parameter)
        parameter.copy_(mean + deviation * torch.randn(parameter.shape, generator=generator))
    return model


def save_model(
    config: PreTrainedConfig, directory: Path, seed: int, dtype: torch.dtype, max_shard_size: str = "1GB"
) -> None:
    """Writes a checkpoint as transformers writes it; `max_shard_size` small enough makes it a sharded one."""
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    randomise(model, seed).to(dtype).save_pretrained(directory, max_shard_size=max_shard_size)


def save_adapter(
    base: Path,
    directory: Path,
    seed: int,
    *,
    fusion: str | None = None,
    heads: int | None = None,
    encoder_width: int | None = None,
    dtype: torch.dtype = torch.float32,
    new_tokens: int = 0,
    **options,
) -> None:
    """Writes a LoRA adapter that peft makes for the base model, or a FLARE one when `fusion` names its function.

    `heads` are those of the cross-attention, `encoder_width` makes the adapter a FLARE-MT one and `new_tokens` are
    added to the vocabulary before peft adapts the model. `options` go to LoraConfig. The configuration is written in the
    order given (peft's own writer sorts the patterns, whose order is meaning).
    """
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    config = LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": ALL_LINEARS, "task_type": "CAUSAL_LM", **options})
    generator = torch.Generator().manual_seed(seed)
    if new_tokens:
        resize_vocabulary(model, model.config.vocab_size + new_tokens, generator)
    adapted = get_peft_model(model, config)
    train(adapted, config, generator)

    directory.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as written:
        adapted.save_pretrained(written)
        tensors = load_file(Path(written) / "adapter_model.safetensors")
        fields = json.loads((Path(written) / "adapter_config.json").read_text())
    # A copy of a base weight keeps the number type of the base; rounded, it would be another base.
    own = checkpoint_dtype(base)
    tensors = {key: value.to(own if is_base_weight(key) else dtype) for key, value in tensors.items()}
    if heads:
        tensors |= cross_attention_tensors(tensors, dtype, generator)
    if encoder_width:
        tensors |= projection_tensors(model.config.hidden_size, encoder_width, dtype, generator)
    save_file(tensors, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    fields |= {"base_model_name_or_path": base.name}
    fields |= {"rank_pattern": config.rank_pattern, "alpha_pattern": config.alpha_pattern}
    for key in ("target_modules", "exclude_modules"):  # sets in peft, written in an order that changes from run to run
        fields[key] = sorted(fields[key]) if isinstance(fields[key], list) else fields[key]
    if fusion:
        attention = {"num_attention_heads": heads, "hidden_size": config.r, "dropout": 0.0} if heads else None
        fields["fuse_config"] = {"fusion_fn": fusion, "cross_attention_config": attention}
    write_json(directory / "adapter_config.json", fields)


@torch.no_grad()
def train(adapted: nn.Module, config: LoraConfig, generator: torch.Generator) -> None:
    """Fills what peft would have trained: fresh, an adapter changes nothing (B or the embedding's A is zero)."""
    tied = config.ensure_weight_tying
    embedding = adapted.get_input_embeddings()
    spread = getattr(embedding, "base_layer", embedding).weight.std()
    for name, parameter in adapted.named_parameters():
        if tied and "lm_head.lora_" in name:  # the embedding's own matrices, transposed
            continue
        if "lora_" in name:
            noise = torch.randn(parameter.shape, generator=generator)
            if "lora_magnitude_vector" in name:
                parameter.mul_(1 + 0.3 * noise)
            elif "lora_embedding_A" in name:
                parameter.copy_(noise)
            elif "lora_embedding_B" in name:
                parameter.copy_(0.4 * spread / math.sqrt(parameter.shape[1]) * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            else:
                gain = 1.0 if "lora_A" in name else 0.15
                parameter.copy_(gain / math.sqrt(parameter.shape[1]) * noise)
        elif config.bias != "none" and name.endswith(".bias") and parameter.requires_grad:
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        elif "modules_to_save" in name or "trainable_tokens_delta" in name:
            parameter.add_(0.5 * parameter.std() * torch.randn(parameter.shape, generator=generator))


@torch.no_grad()
def resize_vocabulary(model: nn.Module, size: int, generator: torch.Generator | None = None) -> None:
    """Adds rows to the embedding and the output matrix, random ones where a generator is given."""
    old = model.config.vocab_size
    model.resize_token_embeddings(size, mean_resizing=False)
    if generator is None:
        return
    weights = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    for weight in weights[: 1 if model.config.tie_word_embeddings else 2]:
        weight[old:] = weight[:old].std() * torch.randn(weight[old:].shape, generator=generator)


def is_base_weight(key: str) -> bool:
    """Whether peft saves under this key a base weight that it did not train."""
    return key.endswith((".base_layer.weight", ".original_module.weight"))


def checkpoint_dtype(directory: Path) -> torch.dtype:
    fields = json.loads((directory / "config.json").read_text())
    return getattr(torch, fields["dtype"] if "dtype" in fields else fields["torch_dtype"])


def cross_attention_tensors(
    tensors: dict[str, torch.Tensor], dtype: torch.dtype, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Query, key and value of every q_proj and v_proj: r x r matrices whose scores are far from uniform, and biases."""
    made = {}
    for path in [key.removesuffix(".lora_A.weight") for key in tensors if key.endswith("_proj.lora_A.weight")]:
        if path.endswith(("q_proj", "v_proj")):
            rank = tensors[f"{path}.lora_A.weight"].shape[0]
            for part, gain in (("query", 1.5), ("key", 1.5), ("value", 1.0)):
                matrix = gain / math.sqrt(rank) * torch.randn(rank, rank, generator=generator)
                bias = 0.5 * torch.randn(rank, generator=generator)
                made[f"{path}.fuse_cross_attention.{part}.weight"] = matrix.to(dtype)
                made[f"{path}.fuse_cross_attention.{part}.bias"] = bias.to(dtype)
    return made


def projection_tensors(
    hidden: int, width: int, dtype: torch.dtype, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """FLARE-MT: the linear that takes encoder states to the width of the model."""
    matrix = torch.randn(hidden, width, generator=generator) / math.sqrt(width)
    return {"proj.weight": matrix.to(dtype), "proj.bias": (0.5 * torch.randn(hidden, generator=generator)).to(dtype)}


def write_json(path: Path, fields: dict) -> None:
    path.write_text(json.dumps(fields, indent=2) + "\n")


def version_4_form(fields: dict) -> dict:
    """A transformers 5 config.json rewritten as transformers 4 wrote it."""
    old = dict(fields)
    rope = dict(old.pop("rope_parameters"))
    if old["model_type"] == "gemma3_text":
        old["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = dict(rope["full_attention"])
    old["rope_theta"] = rope.pop("rope_theta")
    old["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    old["torch_dtype"] = old.pop("dtype")
    old["transformers_version"] = "4.44.0"
    if old["model_type"] == "gemma2":  # the alternation was code then, not configuration
        del old["layer_types"], old["use_bidirectional_attention"]
        del old["rope_scaling"]
        old |= {"cache_implementation": "hybrid", "hidden_act": old["hidden_activation"]}
    elif old["model_type"] == "gemma3_text":  # and here a number
        del old["layer_types"]
        old |= {"sliding_window_pattern": old.pop("_sliding_window_pattern"), "cache_implementation": "hybrid"}
    elif old["model_type"] == "gemma":  # the name stands for the approximation by tanh
        old |= {"hidden_act": "gelu", "hidden_activation": None}
    elif old["model_type"].startswith("qwen"):
        del old["layer_types"]
    elif old["model_type"] == "llama":
        old |= {"pretraining_tp": 1}
    return old
