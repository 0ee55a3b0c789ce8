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
    """Fills every parameter of a Llama or Gemma 2 model from the seed."""
    generator = torch.Generator().manual_seed(seed)
    gemma = model.config.model_type == "gemma2"
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
    base: Path, directory: Path, seed: int, *, fusion: str | None = None, dtype: torch.dtype = torch.float32, **options
) -> None:
    """Writes a LoRA adapter that peft makes for the base model, or a FLARE one when `fusion` names its function.

    `options` go to LoraConfig. The configuration is written in the order given (peft's own writer sorts the patterns,
    whose order is meaning).
    """
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    config = LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": ALL_LINEARS, "task_type": "CAUSAL_LM", **options})
    adapted = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:  # B too: peft starts it at zero, an adapter that changes nothing
                gain = 1.0 if "lora_A" in name else 0.15
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(gain / math.sqrt(parameter.shape[1]) * noise)

    directory.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as written:
        adapted.save_pretrained(written)
        tensors = load_file(Path(written) / "adapter_model.safetensors")
        fields = json.loads((Path(written) / "adapter_config.json").read_text())
    save_file(
        {key: value.to(dtype) for key, value in tensors.items()},
        directory / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )
    fields |= {"base_model_name_or_path": base.name, "target_modules": sorted(config.target_modules)}
    fields |= {"rank_pattern": config.rank_pattern, "alpha_pattern": config.alpha_pattern}
    if fusion:
        fields["fuse_config"] = {"fusion_fn": fusion, "cross_attention_config": None}
    write_json(directory / "adapter_config.json", fields)


def write_json(path: Path, fields: dict) -> None:
    path.write_text(json.dumps(fields, indent=2) + "\n")


def version_4_form(fields: dict) -> dict:
    """A transformers 5 config.json rewritten as transformers 4 wrote it."""
    old = dict(fields)
    rope = dict(old.pop("rope_parameters"))
    old["rope_theta"] = rope.pop("rope_theta")
    old["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    old["torch_dtype"] = old.pop("dtype")
    old["transformers_version"] = "4.44.0"
    if old["model_type"] == "gemma2":  # the alternation was code then, not configuration
        del old["layer_types"], old["use_bidirectional_attention"]
        del old["rope_scaling"]
        old |= {"cache_implementation": "hybrid", "hidden_act": old["hidden_activation"]}
    else:
        old |= {"pretraining_tp": 1}
    return old
