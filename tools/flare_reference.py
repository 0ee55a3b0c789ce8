"""FLARE in plain PyTorch: the oracle the Swift code is compared with.

A transformers causal language model runs with a stack of adapters stored in PEFT's layout. Every adapted linear computes

    y = W x + sum over the adapters, in order, of  scale * B * phi(A s, A x)

where phi fuses only in the q_proj and v_proj of an adapter that has a "fuse_config"; everywhere else, and wherever no
source text is given, phi(A s, A x) is A x, which is plain LoRA. `s` is the residual stream that enters the decoder layer
(before its norm) when the source text runs through the model with only the adapters *before* the fusing one. An adapter
with a `proj` (FLARE-MT) has no source pass: its `s` is proj(states of a translation model's encoder) at every layer.

Target position i pairs with source position i - prompt + source length. Before the source begins `s` is zero; past its
end the last state is held, or, with `source_decode`, the source is continued greedily and generated position k pairs
with generated position k. Alignment "last" gives the whole prompt the source's last state instead.

Nothing here is fast or clever. It favours being checkable against the formulas line by line.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import AutoModelForCausalLM

Fusion = Callable[[Tensor, Tensor], Tensor]  # (A s, A t), each [1, length, r] -> [1, length, r]

FUSIONS: dict[str, Fusion] = {
    "add": lambda s, t: s + t,
    "mul": lambda s, t: s * t,
    "add_relu": lambda s, t: s.relu() + t.relu(),
    "matmul": lambda s, t: (s @ t.mT) @ t,
    "matmul_relu": lambda s, t: (s.relu() @ t.relu().mT) @ t.relu(),
}
MIXES_POSITIONS = {"matmul", "matmul_relu", "cross-attention"}
FUSED_MODULES = ("q_proj", "v_proj")
ALIGNMENTS = ("right", "last")

# Configuration keys that leave the numbers of a trained adapter alone, whatever their value.
HARMLESS = {
    "auto_mapping", "base_model_name_or_path", "exclude_modules", "flare_version", "inference_mode", "layers_pattern",
    "layers_to_transform", "lora_dropout", "megatron_core", "peft_version", "qalora_group_size", "revision",
    "target_modules", "task_type",
}  # fmt: skip
HONOURED = {"alpha_pattern", "fuse_config", "lora_alpha", "peft_type", "r", "rank_pattern", "use_rslora"}
PLAIN_STARTS = (True, False, "gaussian", "orthogonal")  # initialisations that do not change the base weights


def cross_attention(weights: dict[str, Tensor], head_count: int) -> Fusion:
    """softmax(Q(s) K(t)^T / sqrt(d_head)) V(t): Q, K, V are r x r with bias; no output projection, no mask."""

    def project(name: str, x: Tensor) -> Tensor:  # [1, length, r] -> [1, heads, length, r / heads]
        y = linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
        return y.unflatten(-1, (head_count, -1)).transpose(1, 2)

    def fuse(s: Tensor, t: Tensor) -> Tensor:
        query, key, value = project("query", s), project("key", t), project("value", t)
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        return (scores.softmax(-1) @ value).transpose(1, 2).flatten(-2)

    return fuse


@dataclass
class Run:
    """What the adapted linears need to know about the forward pass they are in."""

    adapter_count: int  # adapters at this place in the order, or later, are off
    source: list[Tensor] | None = None  # per layer [1, length, hidden], aligned with the target positions
    spans: list[range] | None = None  # positions that a mixing fusion sees together: the prompt, then one by one


@dataclass
class Update:
    """One adapter's share in one linear module."""

    order: int  # the adapter's place in the stack
    down: Tensor  # A, [r, in]
    up: Tensor  # B, [out, r]
    scale: float
    fuse: Fusion | None


class AdaptedLinear(nn.Module):
    """A linear module followed by its low-rank updates, in the order of their adapters."""

    def __init__(self, base: nn.Linear, layer: int | None, run: Run):
        super().__init__()
        self.base, self.layer, self.run, self.updates = base, layer, run, []

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        for update in self.updates:
            if update.order >= self.run.adapter_count:
                break
            bottleneck = linear(x, update.down)
            if update.fuse is not None and self.run.source is not None:
                bottleneck = self._fused(update, linear(self.run.source[self.layer], update.down), bottleneck)
            y = y + update.scale * linear(bottleneck, update.up)
        return y

    def _fused(self, update: Update, s: Tensor, t: Tensor) -> Tensor:
        parts = [slice(span.start, span.stop) for span in self.run.spans]
        return torch.cat([update.fuse(s[:, part], t[:, part]) for part in parts], dim=1)


def pattern_value(patterns: dict | None, module: str, default: float) -> float:
    """The value of the first pattern that matches the module's path, in the order of the file, as PEFT reads it."""
    matches = (value for key, value in (patterns or {}).items() if re.match(rf"(.*\.)?({key})$", module))
    return next(matches, default)


def read_config(directory: Path) -> dict:
    config = json.loads((directory / "adapter_config.json").read_text())
    if config.get("peft_type") != "LORA":
        raise ValueError(f"{directory}: peft_type is {config.get('peft_type')!r}, expected 'LORA'")
    neutral = {"bias": ("none",), "init_lora_weights": PLAIN_STARTS}
    for key, value in config.items():
        if key in HARMLESS or key in HONOURED or not value or value in neutral.get(key, ()):
            continue
        raise ValueError(f"{directory}: {key!r} is set to {value!r}, which the reference does not implement")
    return config


class Reference:
    """A base model and its stack of adapters. `model` stays an ordinary transformers model."""

    def __init__(self, model: nn.Module, adapter_dirs: list[str | Path], alignment: str = "right"):
        if alignment not in ALIGNMENTS:
            raise ValueError(f"alignment is {alignment!r}, expected one of {ALIGNMENTS}")
        self.model = model.eval()
        self.alignment = alignment
        self.run = Run(len(adapter_dirs))
        self.fusing: int | None = None  # place of the FLARE adapter in the stack
        self.fusion_name: str | None = None
        self.projection: tuple[Tensor, Tensor] | None = None  # FLARE-MT: weight and bias, from encoder states to `s`
        for order, directory in enumerate(adapter_dirs):
            self._attach(order, Path(directory))

    def _attach(self, order: int, directory: Path) -> None:
        config = read_config(directory)
        fuse_config = config.get("fuse_config")
        if fuse_config:
            if self.fusing is not None:
                raise ValueError(f"{directory}: a second FLARE adapter; the stack may hold one")
            self.fusing, self.fusion_name = order, fuse_config["fusion_fn"]
            if self.fusion_name not in FUSIONS and self.fusion_name != "cross-attention":
                raise ValueError(f"{directory}: unknown fusion function {self.fusion_name!r}")

        reference = next(self.model.parameters())
        stored = load_file(directory / "adapter_model.safetensors")
        stored = {key: tensor.to(reference.device, reference.dtype) for key, tensor in stored.items()}
        if fuse_config and "proj.weight" in stored:
            self.projection = stored.pop("proj.weight"), stored.pop("proj.bias")
        modules: dict[str, dict[str, Tensor]] = {}
        for key, tensor in stored.items():
            match = re.fullmatch(r"base_model\.model\.(.+?)\.(lora_[AB]|fuse_cross_attention)\.(.+)", key)
            if match is None:
                raise ValueError(f"{directory}: tensor {key!r} is not of a kind the reference implements")
            path, kind, rest = match.groups()
            modules.setdefault(path, {})[f"{kind}.{rest}"] = tensor

        for path, tensors in modules.items():
            self._adapted(path).updates.append(self._update(order, path, tensors, config, fuse_config))

    def _update(self, order: int, path: str, tensors: dict[str, Tensor], config: dict, fuse_config: dict | None) -> Update:
        down, up = tensors.pop("lora_A.weight"), tensors.pop("lora_B.weight")
        rank = down.shape[0]
        stated = pattern_value(config.get("rank_pattern"), path, config["r"])
        if stated != rank:
            raise ValueError(f"adapter: lora_A of '{path}' has rank {rank}, adapter_config.json says {stated}")
        alpha = pattern_value(config.get("alpha_pattern"), path, config["lora_alpha"])
        scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)

        fuse = None
        if fuse_config and path.endswith(FUSED_MODULES):
            if fuse_config["fusion_fn"] == "cross-attention":
                parts = [f"{part}.{kind}" for part in ("query", "key", "value") for kind in ("weight", "bias")]
                weights = {part: tensors.pop(f"fuse_cross_attention.{part}") for part in parts}
                fuse = cross_attention(weights, fuse_config["cross_attention_config"]["num_attention_heads"])
            else:
                fuse = FUSIONS[fuse_config["fusion_fn"]]
        if tensors:
            raise ValueError(f"adapter: tensors of '{path}' left unused: {sorted(tensors)}")
        return Update(order, down, up, scale, fuse)

    def _adapted(self, path: str) -> AdaptedLinear:
        module = self.model.get_submodule(path)
        if isinstance(module, AdaptedLinear):
            return module
        if not isinstance(module, nn.Linear):
            raise ValueError(f"adapter: '{path}' is {type(module).__name__}; the reference adapts linear modules only")
        layer = re.search(r"\.layers\.(\d+)\.", f".{path}")
        adapted = AdaptedLinear(module, int(layer[1]) if layer else None, self.run)
        self.model.set_submodule(path, adapted)
        return adapted

    @torch.no_grad()
    def residuals(self, tokens: list[int], adapter_count: int | None = None) -> list[Tensor]:
        """The residual stream [1, length, hidden] entering each decoder layer, with the first `adapter_count` adapters on."""
        states: list[Tensor] = []
        hooks = [
            layer.register_forward_pre_hook(
                lambda _, args, kwargs: states.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
            )
            for layer in self.model.model.layers
        ]
        try:
            self._source_free(tokens, adapter_count)
        finally:
            for hook in hooks:
                hook.remove()
        return states

    @torch.no_grad()
    def logits(
        self,
        tokens: list[int],
        source_tokens: list[int] | None = None,
        prompt_length: int | None = None,
        *,
        source_states: Tensor | None = None,
        source_decode: bool = False,
    ) -> Tensor:
        """Logits [length, vocabulary] of all positions.

        All of `tokens` is the prompt, unless `prompt_length` says where the generated positions begin. A source changes
        nothing where no adapter fuses; `source_states` [source length, width] is the source of a FLARE-MT adapter.
        """
        prompt_length = len(tokens) if prompt_length is None else prompt_length
        source, length = self._source(source_tokens, source_states, source_decode * (len(tokens) - prompt_length))
        self._align(source, range(len(tokens)), prompt_length, length)
        return self.model(self._ids(tokens), use_cache=False).logits[0]

    @torch.no_grad()
    def generate(
        self,
        tokens: list[int],
        source_tokens: list[int] | None = None,
        count: int = 64,
        eos: int | None = None,
        *,
        source_states: Tensor | None = None,
        source_decode: bool = False,
    ) -> list[int]:
        """Up to `count` greedy continuations of the prompt; the end-of-sequence token stops and is not returned."""
        source, length = self._source(source_tokens, source_states, source_decode * count)
        pending, position, cache, generated = list(tokens), 0, None, []
        while len(generated) < count:
            self._align(source, range(position, position + len(pending)), len(tokens), length)
            output = self.model(self._ids(pending), past_key_values=cache, use_cache=True)
            position, cache = position + len(pending), output.past_key_values
            best = int(output.logits[0, -1].argmax())
            if best == eos:
                break
            generated.append(best)
            pending = [best]
        return generated

    @torch.no_grad()
    def continued_source(self, source_tokens: list[int], count: int) -> list[int]:
        """The source and up to `count` greedy tokens after it; an end-of-text token ends it and is not run itself."""
        ends = self.model.config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        text = list(source_tokens)
        while len(text) < len(source_tokens) + count:
            best = int(self._source_free(text, self.fusing)[-1].argmax())
            if best in ends:
                break
            text.append(best)
        return text

    def _source_free(self, tokens: list[int], adapter_count: int | None) -> Tensor:
        """Logits [length, vocabulary] with the first `adapter_count` adapters, none of which fuses."""
        everything = self.run.adapter_count
        self.run.adapter_count = everything if adapter_count is None else adapter_count
        self.run.source = None
        try:
            return self.model(self._ids(tokens), use_cache=False).logits[0]
        finally:
            self.run.adapter_count = everything

    def _source(
        self, tokens: list[int] | None, states: Tensor | None, continuation: int
    ) -> tuple[list[Tensor] | None, int]:
        """The source states per layer, up to `continuation` generated positions included, and the prompt's length."""
        if self.fusing is None or (tokens is None and states is None):
            return None, 0
        if (self.projection is None) != (states is None):
            needs = "encoder states" if self.projection else "source tokens"
            raise ValueError(f"the source of this adapter is given as {needs}")
        if states is not None:
            if continuation:
                raise ValueError("encoder states cannot be continued")
            projected = linear(states.to(self.projection[0]), *self.projection).unsqueeze(0)
            return [projected] * len(self.model.model.layers), len(states)
        if not tokens:
            raise ValueError("the source text has no tokens; pass None to run without a source")
        return self._source_states(self.continued_source(tokens, continuation)), len(tokens)

    def _source_states(self, source_tokens: list[int]) -> list[Tensor]:
        return self.residuals(source_tokens, adapter_count=self.fusing)

    def _align(self, source: list[Tensor] | None, positions: range, prompt_length: int, source_length: int) -> None:
        """Pairs target position i with source position i - prompt + source length: zero before it, held after it.

        `source_length` is that of the source prompt; states beyond it are those of the continued source.
        """
        inside = max(0, min(positions.stop, prompt_length) - positions.start)  # positions that belong to the prompt
        self.run.spans = [range(inside)] if inside else []
        self.run.spans += [range(at, at + 1) for at in range(inside, len(positions))]
        if source is None:
            self.run.source = None
            return
        index = torch.tensor(positions, device=source[0].device) - prompt_length + source_length
        if self.alignment == "last":
            index = index.clamp(min=source_length - 1)
        exists = (index >= 0).unsqueeze(-1)  # [positions, 1]
        self.run.source = [states[:, index.clamp(0, states.shape[1] - 1)] * exists for states in source]

    def _ids(self, tokens: list[int]) -> Tensor:
        return torch.tensor([tokens], device=self.model.device)


def load(
    base_dir: str | Path,
    adapter_dirs: list[str | Path] = (),
    dtype: torch.dtype = torch.float32,
    alignment: str = "right",
) -> Reference:
    """Reads a base model and its adapters, applied in the order given.

    Attention runs in its eager form: the only one that honours Gemma 2's soft cap for certain.
    """
    model = AutoModelForCausalLM.from_pretrained(base_dir, dtype=dtype, attn_implementation="eager", local_files_only=True)
    return Reference(model, list(adapter_dirs), alignment)
