"""Training adapters on a frozen base, through the very modules that `flare_reference` runs them with.

Every adapter is LoRA of rank 8 on all seven projections of every layer. A FLARE adapter differs in one thing: its
q and v projections fuse the source's states into their bottleneck, during training exactly as at run time.
"""

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn.utils.rnn import pad_sequence

import flare_reference
from .training import Example, Segment, fit

RANK, ALPHA = 8, 16
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast: the rate is constant for the share `hold` of the steps, then decays linearly."""

    steps: int
    rate: float
    hold: float = 0.0
    batch: int = 16
    warm_up: int = 20


def example(tokenizer: Tokenizer, prompt: str, answer: str, source: str | None = None) -> Example:
    """Loss on the answer and EOS alone; prompt and answer are encoded separately, as generation joins them."""
    made = Example.of(tokenizer, [Segment(prompt, 0.0), Segment(answer, 1.0)], ends=True)
    made.prompt_length = len(tokenizer.encode(prompt).ids)
    made.source = tokenizer.encode(source).ids if source is not None else None
    return made


def merged(base: Path, adapters: list[Path]) -> flare_reference.Reference:
    """The base in float32 with plain adapters added to its weights: what a stage-2 adapter is trained on."""
    reference = flare_reference.load(base, adapters)
    for module in reference.model.modules():
        if isinstance(module, flare_reference.AdaptedLinear):
            for update in module.updates:
                assert update.fuse is None, "only plain adapters merge into a base"
                module.base.weight.data += update.scale * (update.up @ update.down)
            module.updates.clear()
    reference.run.adapter_count = 0
    return reference


def train(reference: flare_reference.Reference, examples: list[Example], directory: Path, seed: int, log,
          recipe: Recipe, fusion: str | None = None) -> None:
    """Train one adapter on a base that `merged` returned, and save it in PEFT's layout."""
    torch.manual_seed(seed)
    updates = _attach(reference, fusion)
    sources = [_source(reference, e) for e in examples] if fusion else None
    rng, order = random.Random(seed), []

    def batch(step: int) -> list[Example]:
        nonlocal order
        if len(order) < recipe.batch:
            order = rng.sample(range(len(examples)), len(examples))
        chosen, order = order[: recipe.batch], order[recipe.batch :]
        if sources is not None:
            stacked = pad_sequence([sources[i] for i in chosen], batch_first=True)  # [batch, positions, layers, hidden]
            reference.run.source = list(stacked.unbind(2))
        return [examples[i] for i in chosen]

    recent = []

    def watch(step: int, loss: float, accuracy: float) -> None:
        recent.append(accuracy)
        if step % 100 == 99 or step == recipe.steps - 1:
            lately = recent[-50:]
            log(f"{directory.name} step {step + 1} loss {loss:.3f} answer tokens {sum(lately) / len(lately):.3f}")

    parameters = [matrix for update in updates.values() for matrix in (update.down, update.up)]
    reference.run.adapter_count = 1
    try:
        fit(reference.model, parameters, batch, steps=recipe.steps, rate=recipe.rate, warm_up=recipe.warm_up,
            hold=recipe.hold, watch=watch)
    finally:
        reference.run.adapter_count, reference.run.source = 0, None
    save(updates, fusion, directory)


def _attach(reference: flare_reference.Reference, fusion: str | None) -> dict[str, flare_reference.Update]:
    """Fresh updates on every projection, as PEFT starts them: A uniform, B zero."""
    reference.model.requires_grad_(False)
    paths = [name for name, module in reference.model.named_modules() if name.endswith(tuple(PROJECTIONS))]
    updates = {}
    for path in paths:
        adapted = reference._adapted(path)
        out, width = adapted.base.weight.shape
        down = torch.nn.Parameter(torch.empty(RANK, width))
        torch.nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        fuse = flare_reference.FUSIONS[fusion] if fusion and path.endswith(flare_reference.FUSED_MODULES) else None
        updates[path] = flare_reference.Update(0, down, torch.nn.Parameter(torch.zeros(out, RANK)), ALPHA / RANK, fuse)
        adapted.updates[:] = [updates[path]]
    return updates


def _source(reference: flare_reference.Reference, one: Example) -> torch.Tensor:
    """The source's states at every input position of the example, [positions, layers, hidden]: aligned right, zero
    before the source begins, its last state held over the answer."""
    reference._align(reference.residuals(one.source, adapter_count=0), range(len(one.tokens) - 1), one.prompt_length)
    return torch.stack([states[0] for states in reference.run.source], dim=1)


def save(updates: dict[str, flare_reference.Update], fusion: str | None, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for path, update in updates.items():
        tensors[f"base_model.model.{path}.lora_A.weight"] = update.down.detach().contiguous()
        tensors[f"base_model.model.{path}.lora_B.weight"] = update.up.detach().contiguous()
    save_file(tensors, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    configuration = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=PROJECTIONS, task_type="CAUSAL_LM",
                               base_model_name_or_path="../base", inference_mode=True).to_dict()
    if fusion:
        configuration["fuse_config"] = {"fusion_fn": fusion, "cross_attention_config": None}
    text = json.dumps(configuration, indent=2, sort_keys=True, default=lambda value: sorted(value))
    (directory / "adapter_config.json").write_text(text + "\n")
