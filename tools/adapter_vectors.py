"""The adapters of every kind in Tests/Vectors/models, what is expected of them, and the mistakes they must catch.

Part of make_vectors.py. Whatever PEFT can run, PEFT runs: the logits of a PEFT adapter are those of the adapted model,
not of a merged one, for PEFT's own merge differs from what it runs wherever a tied embedding is adapted. The generator
prints where, and fails if that list ever changes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from peft import PeftModel
from peft.utils.merge_utils import magnitude_prune, ties
from safetensors.numpy import save_file as save_numpy_file
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

import flare_reference
from flare_reference import FUSIONS, Reference
from tiny_models import resize_vocabulary, save_adapter, write_json

BF16 = torch.bfloat16
QV = ["q_proj", "v_proj"]
NEW_TOKENS = 3
ENCODER_WIDTH = 20
HEADS = 2
SOURCE_COUNT = 28
GREEDY_COUNT = 48
SMALLEST_TRAP = 0.05
SMALLEST_ADAPTER_EFFECT = 0.3

# Chosen so that greedy decoding has no near ties and does not repeat itself.
FLARE_SEEDS = {
    "llama": {
        "flare-mul": 506, "flare-matmul": 514, "flare-matmul_relu": 522, "flare-cross-attention": 533, "flare-mt": 543,
    },
    "gemma2": {
        "flare-mul": 506, "flare-matmul": 520, "flare-matmul_relu": 530, "flare-cross-attention": 541, "flare-mt": 546,
    },
}  # fmt: skip
SOURCE_SEEDS = {
    "llama": {"last": 2, "source-decode": 0, "source-end": 15},
    "gemma2": {"last": 5, "source-decode": 100},
}
SMALLEST_SOURCE_MARGIN = 5e-3

Edit = Callable[[dict[str, Tensor], dict], None]  # changes an adapter's tensors and configuration in place
Expected = dict[str, Tensor]

# Adapters whose merge by PEFT is another model than the one PEFT runs: both write into the one tied tensor.
PEFT_MERGES_WRONGLY = {
    "gemma2": {"embedding", "embedding-dora", "embedding-tied", "head", "resized-embedding", "trainable-tokens-both"},
}


def peft_adapters(model: str, tokens: list[int]) -> dict[str, dict]:
    """Options of save_adapter for each adapter of a model; `tokens` are those the expected logits are of."""
    first, second, third, *others = dict.fromkeys(tokens[5:])  # so that replaced tokens do occur
    low, middle, high = sorted([first, second, third])
    replaced = [middle, high, low]  # not in order: the rows of the file follow the list
    small = {"r": 2, "lora_alpha": 3, "dtype": BF16, "target_modules": QV}
    biased = {
        "lora-bias": {**small, "lora_bias": True},
        "bias-all": {**small, "bias": "all"},
        "bias-lora-only": {**small, "bias": "lora_only"},
        "dora": {**small, "use_dora": True},
    }
    if model == "llama-biased":
        return biased
    shared = {
        "dora": {**small, "use_dora": True, "target_modules": ["q_proj", "v_proj", "down_proj"]},
        "embedding": {**small, "target_modules": ["embed_tokens", "q_proj"]},
        "embedding-dora": {**small, "target_modules": ["embed_tokens", "q_proj"], "use_dora": True},
        "head": {**small, "target_modules": ["lm_head", "v_proj"]},
        "saved-head": {**small, "modules_to_save": ["lm_head"]},
        "saved-embeddings": {**small, "modules_to_save": ["embed_tokens"]},
        "saved-norm": {**small, "modules_to_save": ["model.norm", "layers.1.input_layernorm"]},
        "trainable-tokens": {**small, "trainable_token_indices": replaced},
        "trainable-tokens-both": {
            **small, "trainable_token_indices": {"embed_tokens": replaced, "lm_head": sorted(others[:2], reverse=True)}
        },  # fmt: skip
        "resized": {**small, "new_tokens": NEW_TOKENS, "modules_to_save": ["embed_tokens", "lm_head"]},
    }
    if model == "gemma2":
        tied = {**small, "target_modules": ["embed_tokens", "q_proj"]}
        return shared | {
            "embedding-tied": {**tied, "ensure_weight_tying": True},
            "resized-embedding": {**tied, "new_tokens": NEW_TOKENS},
        }
    return shared | {
        "lora-2": {**small, "lora_alpha": 5, "target_modules": ["q_proj", "down_proj"]},
        # Untied, PEFT forgets the new rows of an output matrix that is not adapted too.
        "resized-embedding": {
            **small, "new_tokens": NEW_TOKENS, "target_modules": ["embed_tokens", "lm_head", "q_proj"]
        },  # fmt: skip
        "regex-targets": {
            **small, "target_modules": r".*\.(0|2)\..*\.(q|v|down)_proj", "exclude_modules": r".*\.2\.self_attn\.v_proj"
        },  # fmt: skip
        "layer-targets": {
            **small, "target_modules": ["q_proj", "self_attn.v_proj", "model.layers.2.mlp.up_proj"],
            "exclude_modules": ["layers.1.self_attn.q_proj"], "layers_to_transform": [0, 1], "layers_pattern": "layers",
        },  # fmt: skip
    }


def flare_adapters() -> dict[str, dict]:
    small = {"dtype": BF16, "target_modules": ["q_proj", "v_proj", "o_proj"], "r": 4}
    return {
        "flare-mul": {**small, "fusion": "mul"},
        # Sums over the whole prompt grow with it: a smaller alpha keeps float32 rounding down.
        "flare-matmul": {**small, "fusion": "matmul", "lora_alpha": 0.5},
        "flare-matmul_relu": {**small, "fusion": "matmul_relu", "lora_alpha": 0.5},
        "flare-cross-attention": {**small, "fusion": "cross-attention", "heads": HEADS},
        "flare-mt": {**small, "fusion": "add_relu", "encoder_width": ENCODER_WIDTH},
    }


# --- Writing adapters ---------------------------------------------------------------------------------------------


def write_adapters(directory: Path, seed: int, tokens: list[int]) -> None:
    """All adapters of a model beside the ones make_vectors.py writes itself."""
    for offset, (name, options) in enumerate(peft_adapters(directory.name, tokens).items()):
        save_adapter(directory, directory / name, seed + 200 + 10 * offset, **options)
    if directory.name == "llama-biased":
        return
    for name, options in flare_adapters().items():
        save_adapter(directory, directory / name, FLARE_SEEDS[directory.name][name], **options)
    if directory.name == "llama":
        write_named(directory, "lora", "lora", "named-lora")
        write_named(directory, "flare-add_relu", "flare-add_relu", "named-flare")
        for source, destination in (("lora", "mlx-lora"), ("dora", "mlx-dora")):
            write_mlx(directory, source, destination)
            same = logits_of(running(directory, directory / source), tokens)
            difference = (mlx_logits(directory, destination, tokens) - same).abs().max().item()
            print(f"  {destination}: differs from {source} by {difference:.1e}")
            assert difference < 1e-4, f"{destination}: not the adapter it was made from"


def write_named(directory: Path, source: str, adapter_name: str, destination: str) -> None:
    """The adapter as a dump of the running model's state names its tensors, with the adapter's name in every key."""
    stored = load_file(directory / source / "adapter_model.safetensors")
    named = {key.removesuffix(".weight") + f".{adapter_name}.weight": value for key, value in stored.items()}
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    running = PeftModel.from_pretrained(base, directory / source, adapter_name=adapter_name).state_dict()
    assert set(named) == {key for key in running if "lora_" in key}, f"{destination}: not the keys of a running model"
    (directory / destination).mkdir()
    save_file(named, directory / destination / "adapter_model.safetensors", metadata={"format": "pt"})
    shutil.copy(directory / source / "adapter_config.json", directory / destination)


def write_mlx(directory: Path, source: str, destination: str) -> None:
    """The adapter as mlx-lm stores it: matrices transposed, the scale final, the magnitude called m."""
    fields = json.loads((directory / source / "adapter_config.json").read_text())
    suffixes = {"lora_A.weight": "lora_a", "lora_B.weight": "lora_b", "lora_magnitude_vector": "m"}
    tensors, modules = {}, set()
    for key, value in load_file(directory / source / "adapter_model.safetensors").items():
        path, suffix = next((key.removesuffix(f".{old}"), new) for old, new in suffixes.items() if key.endswith(old))
        path = path.removeprefix("base_model.model.")
        modules.add(path.split(".", 3)[3])
        tensors[f"{path}.{suffix}"] = value.float().T.contiguous().numpy() if value.ndim == 2 else value.float().numpy()
    parameters = {"rank": fields["r"], "scale": fields["lora_alpha"] / fields["r"], "dropout": 0.0}
    config = {
        "model": directory.name,
        "fine_tune_type": "dora" if fields["use_dora"] else "lora",
        "num_layers": AutoConfig.from_pretrained(directory).num_hidden_layers,
        "lora_parameters": {**parameters, "keys": sorted(modules)},
    }
    (directory / destination).mkdir()
    save_numpy_file(tensors, directory / destination / "adapters.safetensors")
    write_json(directory / destination / "adapter_config.json", config)


@torch.no_grad()
def mlx_logits(directory: Path, name: str, tokens: list[int]) -> Tensor:
    """Logits of an adapter in MLX's layout by mlx-lm's formulas, without PEFT."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    stored = load_file(directory / name / "adapters.safetensors")
    scale = json.loads((directory / name / "adapter_config.json").read_text())["lora_parameters"]["scale"]
    for path in {key.rpartition(".")[0] for key in stored}:
        weight = model.get_submodule(path).weight
        weight += scale * (stored[f"{path}.lora_b"].T @ stored[f"{path}.lora_a"].T)
        if f"{path}.m" in stored:
            weight *= (stored[f"{path}.m"] / weight.norm(dim=1)).unsqueeze(1)
    return logits_of(model, tokens)


# --- What PEFT makes of them --------------------------------------------------------------------------------------


def running(directory: Path, adapter: Path, dtype: torch.dtype = torch.float32) -> PeftModel:
    """The base with the adapter at run time, as PEFT loads it once the vocabulary is as large as the adapter's."""
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, attn_implementation="eager")
    stored = load_file(adapter / "adapter_model.safetensors")
    ends = ("embed_tokens.weight", "lm_head.weight", "embed_tokens.base_layer.weight", "lm_head.base_layer.weight")
    vocabulary = max([len(value) for key, value in stored.items() if key.endswith(ends)], default=0)
    if vocabulary > base.config.vocab_size:
        resize_vocabulary(base, vocabulary)
    return PeftModel.from_pretrained(base, adapter).eval()


@torch.no_grad()
def logits_of(model: nn.Module, tokens: list[int]) -> Tensor:
    return model.eval()(torch.tensor([tokens]), use_cache=False).logits[0]


def edited(directory: Path, adapter: str, tokens: list[int], edit: Edit) -> Tensor:
    """Logits with an adapter changed by `edit`."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / adapter
        copy.mkdir()
        tensors = load_file(directory / adapter / "adapter_model.safetensors")
        fields = json.loads((directory / adapter / "adapter_config.json").read_text())
        edit(tensors, fields)
        save_file({key: value.contiguous() for key, value in tensors.items()}, copy / "adapter_model.safetensors")
        write_json(copy / "adapter_config.json", fields)
        return logits_of(running(directory, copy), tokens)


def peft_expectations(directory: Path, tokens: list[int], base: Tensor, report: Callable) -> Expected:
    """Logits of every PEFT adapter, after the mistakes in its kind have been made and told apart."""
    expected: Expected = {}
    resized = [*tokens[:-NEW_TOKENS], *range(base.shape[1], base.shape[1] + NEW_TOKENS)]
    expected["resized_tokens"] = torch.tensor(resized)
    merges_wrongly = set()
    for name in peft_adapters(directory.name, tokens):
        ids = resized if name.startswith("resized") else tokens
        right = logits_of(running(directory, directory / name), ids)
        expected[f"logits.{name}"] = right
        same = slice(None, len(tokens) - NEW_TOKENS if ids is resized else None)
        report(f"logits.{name}", right[same, : base.shape[1]], base[same], SMALLEST_ADAPTER_EFFECT)
        merged = logits_of(running(directory, directory / name).merge_and_unload(), ids)
        difference = (merged - right).abs().max().item()
        if difference > 1e-4:
            merges_wrongly.add(name)
            print(f"  {name}: what peft merges is {difference:.3f} away from what it runs")
            assert difference > SMALLEST_TRAP
        for label, edit in peft_mistakes(directory, name).items():
            report(f"{name}: {label}", edited(directory, name, ids, edit), right, SMALLEST_TRAP)
        if name == "dora" and directory.name == "llama-biased":
            report(f"{name}: bias scaled too", dora_with_scaled_bias(directory, tokens), right, SMALLEST_TRAP)
        for label, wrong in tying_mistakes(directory, name, ids):
            report(f"{name}: {label}", wrong, right, SMALLEST_TRAP)
    known = PEFT_MERGES_WRONGLY.get(directory.name, set())
    assert merges_wrongly == known, f"peft merged {sorted(known)} wrongly, now {sorted(merges_wrongly)}"
    if not any(name.startswith("resized") for name in peft_adapters(directory.name, tokens)):
        del expected["resized_tokens"]
    return expected


# --- Mistakes in PEFT adapters ------------------------------------------------------------------------------------


def drop(*parts: str, **changes: object) -> Edit:
    """Leaves out the tensors whose keys hold one of the parts, and sets fields of the configuration."""

    def edit(tensors: dict[str, Tensor], fields: dict) -> None:
        for key in [key for key in tensors if any(part in key for part in parts)]:
            del tensors[key]
        fields.update(changes)

    return edit


def change(part: str, how: Callable[[Tensor], Tensor]) -> Edit:
    """Replaces the tensors whose keys hold the part."""

    def edit(tensors: dict[str, Tensor], fields: dict) -> None:
        for key in [key for key in tensors if part in key]:
            tensors[key] = how(tensors[key])

    return edit


def peft_mistakes(directory: Path, name: str) -> dict[str, Edit]:
    fields = json.loads((directory / name / "adapter_config.json").read_text())
    scale = fields["lora_alpha"] / fields["r"]
    mistakes: dict[str, Edit] = {
        "alpha taken for the scale": drop(lora_alpha=fields["lora_alpha"] * fields["r"]),
        "LoRA taken for rsLoRA": drop(use_rslora=True),
    }
    if fields["use_dora"]:
        mistakes["magnitude ignored"] = drop("lora_magnitude_vector", use_dora=False)
    if fields["lora_bias"]:
        mistakes["bias ignored"] = drop("lora_B.bias", lora_bias=False)
        mistakes["bias not scaled"] = change("lora_B.bias", lambda bias: bias.float() / scale)
    if fields["bias"] != "none":
        mistakes["saved biases ignored"] = drop("proj.bias", "base_layer.bias", bias="none")
    if fields["bias"] == "all":
        mistakes["biases of other modules ignored"] = drop("proj.bias")
    tied = {"ensure_weight_tying": False, "target_modules": ["embed_tokens", "q_proj"]}
    if fields["ensure_weight_tying"]:
        mistakes["tied head not updated"] = drop("lm_head.", **tied)
        mistakes["embedding and head not updated"] = drop("lm_head.", "lora_embedding", **tied)
    elif "embed_tokens" in fields["target_modules"]:
        mistakes["embedding update ignored"] = change("lora_embedding_B", torch.zeros_like)
    if name == "head" or (name == "resized-embedding" and directory.name == "llama"):
        mistakes["head update ignored"] = change("lm_head.lora_B", torch.zeros_like)
    if fields["modules_to_save"]:
        for module in fields["modules_to_save"]:
            mistakes[f"saved {module} ignored"] = base_values(directory, module)
    if fields["trainable_token_indices"]:
        mistakes["replaced tokens ignored"] = token_rows(directory, lambda new, old: old)
        mistakes["tokens added to their rows"] = token_rows(directory, lambda new, old: new + old)
        mistakes["order of the tokens ignored"] = change("trainable_tokens_delta", lambda rows: rows.flip(0))
    if isinstance(fields["trainable_token_indices"], dict):
        only = {"embed_tokens": fields["trainable_token_indices"]["embed_tokens"]}
        mistakes["tokens of the head ignored"] = drop("lm_head.token_adapter", trainable_token_indices=only)
    return mistakes


def base_values(directory: Path, module: str) -> Edit:
    """The module's saved tensors set back to the base's own."""
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)

    def edit(tensors: dict[str, Tensor], fields: dict) -> None:
        for key in [key for key in tensors if f"{module}.weight" in key]:
            path = key.removeprefix("base_model.model.").removesuffix(".weight")
            own = base.get_submodule(path).weight.detach()
            tensors[key] = torch.cat([own, tensors[key][len(own) :].float()])

    return edit


def token_rows(directory: Path, combine: Callable[[Tensor, Tensor], Tensor]) -> Edit:
    """The replaced rows made of themselves and the base's own."""
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)

    def edit(tensors: dict[str, Tensor], fields: dict) -> None:
        indices = fields["trainable_token_indices"]
        for key in [key for key in tensors if "trainable_tokens_delta" in key]:
            module = "lm_head" if "lm_head" in key else "embed_tokens"
            rows = indices[module] if isinstance(indices, dict) else indices
            weight = (base.get_output_embeddings() if module == "lm_head" else base.get_input_embeddings()).weight
            tensors[key] = combine(tensors[key].float(), weight.detach()[rows])

    return edit


def tying_mistakes(directory: Path, name: str, tokens: list[int]) -> Iterable[tuple[str, Tensor]]:
    """What a tied model says if the adapter is followed in the wrong one of embedding and head, or in one only."""
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    if not base.config.tie_word_embeddings:
        return
    base.config.tie_word_embeddings = False
    base.lm_head.weight = nn.Parameter(base.lm_head.weight.detach().clone())
    if name.startswith("resized"):
        return  # adapted by its embedding's own rows: what PEFT's merge makes of it is the mistake
    merged = PeftModel.from_pretrained(base, directory / name).merge_and_unload()
    if name == "trainable-tokens":
        yield "tied head left alone", logits_of(merged, tokens)
    if name in ("embedding", "embedding-dora", "saved-embeddings"):
        merged.lm_head.weight = merged.model.embed_tokens.weight
        yield "tied head updated too", logits_of(merged, tokens)
    if name in ("head", "saved-head"):
        merged.model.embed_tokens.weight = merged.lm_head.weight
        yield "tied embedding updated too", logits_of(merged, tokens)


def dora_with_scaled_bias(directory: Path, tokens: list[int]) -> Tensor:
    """DoRA's factor on the whole output of the linear instead of on its matrix."""
    adapted = running(directory, directory / "dora")
    factors = {}
    for path, module in adapted.base_model.model.named_modules():
        if hasattr(module, "lora_magnitude_vector") and module.lora_magnitude_vector:
            norm = (module.base_layer.weight + module.get_delta_weight("default")).norm(dim=1)
            factors[path] = (module.lora_magnitude_vector["default"].weight / norm).detach()
    merged = adapted.merge_and_unload()
    with torch.no_grad():
        for path, factor in factors.items():
            merged.get_submodule(path).bias.mul_(factor)
    return logits_of(merged, tokens)


# --- FLARE --------------------------------------------------------------------------------------------------------


def encoder_states(seed: int) -> Tensor:
    return torch.randn(SOURCE_COUNT, ENCODER_WIDTH, generator=torch.Generator().manual_seed(seed + 600))


def flare_expectations(
    directory: Path, seed: int, examples: dict[str, list[int]], prompt: list[int], base: Tensor,
    report: Callable, greedy: Callable,
) -> Expected:  # fmt: skip
    """Logits and texts of every FLARE function, from the reference, and what sets them apart."""
    tokens, source = examples["tokens"], examples["source_tokens"]
    short, long_source = examples["short_tokens"], examples["long_source_tokens"]
    states = encoder_states(seed)
    expected: Expected = {"source_states": states}

    def reference(name: str, alignment: str = "right", dtype: torch.dtype = torch.float32) -> Reference:
        return flare_reference.load(directory, [directory / name], dtype, alignment)

    def given(name: str, text: list[int] = source) -> dict:
        return {"source_states": states} if name == "flare-mt" else {"source_tokens": text}

    for name in flare_adapters():
        right = reference(name).logits(tokens, **given(name))
        expected[f"logits.{name}"] = right
        report(f"logits.{name}", right, base, SMALLEST_ADAPTER_EFFECT)
        plain = reference(name).logits(tokens)
        expected[f"logits.{name}.no-source"] = plain
        report(f"{name}: no source", plain, right, SMALLEST_TRAP)
        rounding = reference(name, dtype=torch.float64).logits(tokens, **given(name))
        difference = (rounding - right).abs().max().item()
        print(f"  {name}: float32 rounding moves a logit by {difference:.1e}")
        assert difference < 2e-4, f"{name}: float32 rounding grows too much for the tests' tolerance"
        expected[f"logits.{name}.long-source"] = reference(name).logits(short, **given(name, long_source))
        for label, wrong in flare_mistakes(directory, name, tokens, given(name)):
            report(f"{name}: {label}", wrong, right, SMALLEST_TRAP)

    for name in ("flare-add_relu", "flare-matmul", "flare-cross-attention", "flare-mt"):
        last = reference(name, "last").logits(tokens, **given(name))
        right = reference(name).logits(tokens, **given(name))
        report(f"{name}: last taken for right", right, last, SMALLEST_TRAP)
        expected[f"logits.{name}.last"] = last

    for name in ("flare-mul", "flare-matmul", "flare-matmul_relu", "flare-cross-attention", "flare-mt"):
        text = greedy(f"greedy.{name}", reference(name), prompt, GREEDY_COUNT, **given(name))
        expected[f"greedy.{name}"] = text
    for label in SOURCE_SEEDS[directory.name]:
        expected |= text_with_its_own_source(directory, label, prompt, report, greedy)
    return expected


def text_with_its_own_source(
    directory: Path, label: str, prompt: list[int], report: Callable, greedy: Callable
) -> Expected:
    """A text of flare-add_relu: with alignment "last", or while its source goes on, to the end or not."""
    adapters, name = [directory / "flare-add_relu"], f"greedy.flare-add_relu.{label}"
    generator = torch.Generator().manual_seed(SOURCE_SEEDS[directory.name][label])
    vocabulary = AutoConfig.from_pretrained(directory).vocab_size
    text = torch.randint(3, vocabulary, (SOURCE_COUNT,), generator=generator).tolist()
    expected: Expected = {f"source_tokens.{label}": torch.tensor(text)}
    if label == "last":
        last = flare_reference.load(directory, adapters, alignment="last")
        return expected | {name: greedy(name, last, prompt, GREEDY_COUNT, source_tokens=text)}

    reference = flare_reference.load(directory, adapters)
    check_source(label, reference, text)
    expected[name] = greedy(name, reference, prompt, GREEDY_COUNT, source_tokens=text, source_decode=True)
    held = reference.generate(prompt, text, GREEDY_COUNT)
    assert held != expected[name].tolist(), f"{label}: the same text without decoding"
    sequence = prompt + expected[name].tolist()

    def logits(of: Reference, decode: bool = True) -> Tensor:
        return of.logits(sequence, text, len(prompt), source_decode=decode)[len(prompt) - 1 :]

    right = logits(reference)
    report(f"{label}: source not decoded", logits(reference, decode=False), right, SMALLEST_TRAP)
    mistakes = [DecodedOneLate, DecodedWithAdapters] + [EndIsRun, EndIsIgnored] * (label == "source-end")
    for mistake in mistakes:
        wrong = mistake(flare_reference.load(directory).model, adapters)
        report(f"{label}: {mistake.__name__}", logits(wrong), right, SMALLEST_TRAP)
    return expected


def check_source(label: str, reference: Reference, text: list[int]) -> None:
    """The source goes on without near ties, and ends soon if it is meant to."""
    continued = reference.continued_source(text, GREEDY_COUNT)
    count = len(continued) - len(text)
    steps = reference._source_free(continued, reference.fusing)[len(text) - 1 :]
    best, second = steps.topk(2).values.unbind(-1)
    margin = (best - second)[: count + (count < GREEDY_COUNT)].min().item()
    print(f"  {label}: the source goes on for {count} of {GREEDY_COUNT} tokens, smallest margin {margin:.4f}")
    ends_as_meant = count == GREEDY_COUNT if label == "source-decode" else 2 < count < GREEDY_COUNT // 2
    assert ends_as_meant, f"{label}: choose another source"
    assert margin > SMALLEST_SOURCE_MARGIN, f"{label}: a near tie in the source, choose another seed"


class DecodedOneLate(Reference):
    """The first generated position still holds the source prompt's last state."""

    def _source(self, tokens, states, continuation):
        source, length = super()._source(tokens, states, continuation)
        return [torch.cat([state[:, :length], state[:, length - 1 :]], dim=1) for state in source], length


class DecodedWithAdapters(Reference):
    """The adapted model continues the source."""

    def continued_source(self, source_tokens, count):
        return source_tokens + self.generate(source_tokens, count=count)


class EndIsRun(Reference):
    """The end-of-text token's own state is held instead of the one before it."""

    def continued_source(self, source_tokens, count):
        text = super().continued_source(source_tokens, count)
        ends = self.model.config.eos_token_id
        return text + [ends] if len(text) < len(source_tokens) + count else text


class EndIsIgnored(Reference):
    """The source goes on after its end-of-text token."""

    def continued_source(self, source_tokens, count):
        text = list(source_tokens)
        while len(text) < len(source_tokens) + count:
            text.append(int(self._source_free(text, self.fusing)[-1].argmax()))
        return text


class Chunked(Reference):
    """A prompt that comes in two chunks, each fused by itself."""

    def _align(self, source, positions, prompt_length, source_length):
        super()._align(source, positions, prompt_length, source_length)
        self.run.spans = [range(len(positions) // 2), range(len(positions) // 2, len(positions))]


def flare_mistakes(directory: Path, name: str, tokens: list[int], given: dict) -> Iterable[tuple[str, Tensor]]:
    """Labelled logits, each with one mistake made in a FLARE adapter."""

    def wrong(edit: Edit, kind: type[Reference] = Reference) -> Tensor:
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(shutil.copytree(directory / name, Path(temporary) / name))
            tensors = load_file(copy / "adapter_model.safetensors")
            fields = json.loads((copy / "adapter_config.json").read_text())
            edit(tensors, fields)
            save_file(tensors, copy / "adapter_model.safetensors")
            write_json(copy / "adapter_config.json", fields)
            return kind(flare_reference.load(directory).model, [copy]).logits(tokens, **given)

    fields = json.loads((directory / name / "adapter_config.json").read_text())
    fusion = fields["fuse_config"]["fusion_fn"]
    for other in FUSIONS:
        if other != fusion:
            instead = {"fusion_fn": other, "cross_attention_config": None}
            yield f"taken for {other}", wrong(drop("fuse_cross_attention", fuse_config=instead))
    if fusion in flare_reference.MIXES_POSITIONS:
        yield "prompt in two chunks", wrong(drop(), Chunked)
    if fusion == "cross-attention":
        one = {"num_attention_heads": 1, "hidden_size": fields["r"], "dropout": 0.0}
        yield "one head", wrong(drop(fuse_config={"fusion_fn": fusion, "cross_attention_config": one}))
        for part in ("query", "key", "value"):
            # A bias of the key shifts all scores of a query alike, and softmax does not see it.
            if part != "key":
                yield f"{part} bias ignored", wrong(change(f"{part}.bias", torch.zeros_like))
        swapped = {"query": "key", "key": "query"}
        yield "query and key swapped", wrong(rename_parts(swapped))
    if name == "flare-mt":
        yield "bias of the projection ignored", wrong(change("proj.bias", torch.zeros_like))


def rename_parts(names: dict[str, str]) -> Edit:
    def edit(tensors: dict[str, Tensor], fields: dict) -> None:
        old = dict(tensors)
        for key, value in old.items():
            head, _, tail = key.partition("fuse_cross_attention.")
            part, _, rest = tail.partition(".")
            if part in names:
                tensors[f"{head}fuse_cross_attention.{names[part]}.{rest}"] = value.clone()

    return edit


# --- Merged bits and combinations ---------------------------------------------------------------------------------

MERGED_MODULES = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj")
COMBINED_WEIGHTS, COMBINED_DENSITY, COMBINED_RANK = (0.7, -0.4), 0.4, 3


@torch.no_grad()
def merged_bits(directory: Path) -> Expected:
    """Weights of the base rounded to BF16, and what PEFT's merge makes of them, bit for bit.

    PEFT adds a float32 update to a BF16 linear in one rounding, but rounds it first with `safe_merge`, and always
    first in an embedding.
    """
    expected: Expected = {}
    cases = [("lora", False), ("lora", True), ("rslora-patterns", False), ("dora", False), ("embedding", False)]
    for name, safe in cases:
        base = AutoModelForCausalLM.from_pretrained(directory, dtype=BF16)
        adapted = PeftModel.from_pretrained(base, directory / name)
        paths = ["model.embed_tokens"] if name == "embedding" else MERGED_MODULES
        modules = {path: adapted.base_model.model.get_submodule(path) for path in paths}
        modules = {path: module for path, module in modules.items() if hasattr(module, "base_layer")}
        once = {}
        for path, module in modules.items():
            weight = module.base_layer.weight.clone()
            expected[f"{path}.base"] = weight
            if not module.lora_variant:
                once[path] = (weight.float() + module.get_delta_weight("default").float()).bfloat16()
        merged = adapted.merge_and_unload(safe_merge=safe)
        for path in modules:
            label = f"{path}.{name}{'.safe' if safe else ''}"
            expected[label] = merged.get_submodule(path).weight.detach().clone()
            if path in once:
                differing = int((once[path] != expected[label]).sum())
                print(f"  {label}: {differing} of {once[path].numel()} differ from one rounding")
                assert (differing > 0) == (safe or name == "embedding"), f"{label}: another rounding than it was"
    return expected


@torch.no_grad()
def combinations(directory: Path) -> Expected:
    """Combined updates of `lora` and `lora-2`, as PEFT's own functions combine them, and the numbers used."""
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, directory / "lora", adapter_name="lora")
    adapted.load_adapter(directory / "lora-2", adapter_name="lora-2")
    names, weights = ["lora", "lora-2"], torch.tensor(COMBINED_WEIGHTS)
    options = {"adapters": names, "weights": list(COMBINED_WEIGHTS), "svd_rank": COMBINED_RANK}
    adapted.base_model.add_weighted_adapter(adapter_name="svd", combination_type="svd", **options)
    adapted.base_model.add_weighted_adapter(
        adapter_name="ties_svd", combination_type="ties_svd", density=COMBINED_DENSITY, **options
    )
    expected: Expected = {}
    for path in MERGED_MODULES:
        module = adapted.base_model.model.get_submodule(path)
        updates = [module.get_delta_weight(name) for name in names]
        check_margins(path, updates)
        expected[f"{path}.sum"] = sum(weight * update for weight, update in zip(COMBINED_WEIGHTS, updates))
        for sign in ("total", "frequency"):
            expected[f"{path}.ties.{sign}"] = ties(updates, weights, COMBINED_DENSITY, sign)
        expected[f"{path}.magnitude-prune"] = magnitude_prune(updates, weights, COMBINED_DENSITY)
        for kind in ("svd", "ties_svd"):
            expected[f"{path}.{kind.replace('_', '-')}.{COMBINED_RANK}"] = module.get_delta_weight(kind)
    for one in expected:
        for other in expected:
            if one < other and one.split(".")[2] == other.split(".")[2]:
                apart = (expected[one] - expected[other]).abs().max().item()
                assert apart > 1e-2, f"{one} and {other} are the same"
    expected |= {"weights": weights, "density": torch.tensor([COMBINED_DENSITY])}
    return {key: value.contiguous() for key, value in expected.items()}


def check_margins(path: str, updates: list[Tensor]) -> None:
    """No decision of a combination hangs on the last bits: what is pruned, which sign wins, which rank is cut."""
    pruned = []
    for update in updates:
        sizes = update.abs().flatten().sort(descending=True).values
        kept = int(COMBINED_DENSITY * sizes.numel())
        gap = (sizes[kept - 1] - sizes[kept]).item()
        assert gap > 1e-6, f"{path}: two values at the edge of what is pruned are {gap:.1e} apart"
        pruned.append(update * (update.abs() >= sizes[kept - 1]))
    both = (pruned[0] * pruned[1]) != 0
    closest = (pruned[0] + pruned[1])[both].abs().min().item()
    assert closest > 1e-6, f"{path}: a sign is decided by {closest:.1e}"
    spectra = {"svd": sum(weight * update for weight, update in zip(COMBINED_WEIGHTS, updates))}
    spectra["ties-svd"] = ties(updates, torch.tensor(COMBINED_WEIGHTS), COMBINED_DENSITY)
    for name, matrix in spectra.items():
        values = torch.linalg.svdvals(matrix)
        ratio = (values[COMBINED_RANK] / values[COMBINED_RANK - 1]).item()
        print(f"  {path}: {name} cuts between singular values of ratio {ratio:.2f}, sign margin {closest:.1e}")
        assert ratio < 0.95, f"{path}: {name} cuts between two equal singular values"
