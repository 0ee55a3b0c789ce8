"""Compares the logits of `flare logits` with transformers, peft and the FLARE reference, in float32.

    python tools/check_logits.py compare MODEL LOGITS.safetensors --tokens 1,2,3 [--source-tokens 4,5] [--adapter A ...]
        [--source-alignment last] [--source-states STATES.safetensors]
    python tools/check_logits.py random llama --seed 7 DIRECTORY
    python tools/check_logits.py fuzz --flare .build/release/flare --count 20

`compare` checks one run: peft runs a single adapter that is not a FLARE one, the reference everything else. `random`
writes a checkpoint nobody has seen: shapes, tying, biases, rotary scaling, caps, window, number type, sharding and the
age of config.json all follow from the seed. `fuzz` writes many of them, most with an adapter of some kind, runs
`flare logits` on each and fails if any logit is off.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

import adapter_vectors
import flare_reference
from tiny_models import ALL_LINEARS, quiet, save_adapter, save_model, version_4_form, write_json

# Largest error allowed where the largest logit is 5; it grows with the logits, as float32 rounding does.
TOLERANCE = 1e-3
ARCHITECTURES = ("llama", "gemma2", "mistral", "qwen2", "qwen3", "gemma", "gemma3")


# --- Comparing ----------------------------------------------------------------------------------------------------


@dataclass
class Comparison:
    """How far logits [length, vocabulary] are from the expected ones."""

    largest_error: float
    allowed_error: float
    divergence: float  # mean over positions of KL(expected || actual), in nats
    top1_agreement: float

    @property
    def passed(self) -> bool:
        return self.largest_error <= self.allowed_error  # false for a NaN

    @classmethod
    def of(cls, actual: Tensor, expected: Tensor) -> Comparison:
        if actual.shape != expected.shape or actual.dtype != torch.float32:
            raise ValueError(
                f"logits: got {list(actual.shape)} {actual.dtype}, expected {list(expected.shape)} torch.float32"
            )
        p, q = expected.double().log_softmax(-1), actual.double().log_softmax(-1)
        return cls(
            largest_error=(actual - expected).abs().max().item(),
            allowed_error=TOLERANCE * max(1.0, expected.abs().max().item()) / 5,
            divergence=(p.exp() * (p - q)).sum(-1).mean().item(),
            top1_agreement=(actual.argmax(-1) == expected.argmax(-1)).float().mean().item(),
        )

    def __str__(self) -> str:
        return (
            f"max |d logit| {self.largest_error:.2e} (allowed {self.allowed_error:.1e})  "
            f"KL {self.divergence:.1e}  top-1 {self.top1_agreement:6.1%}"
        )


@dataclass
class Inputs:
    """What `flare logits` is given besides the model."""

    tokens: list[int]
    adapters: list[Path] = field(default_factory=list)
    source_tokens: list[int] | None = None
    source_states: Path | None = None  # of a FLARE-MT adapter: a file of one tensor [source length, width]
    alignment: str = "right"

    def options(self) -> list[str | Path]:
        """The same as options of the command."""
        options: list[str | Path] = ["--tokens", joined(self.tokens)]
        if self.source_tokens:
            options += ["--source-tokens", joined(self.source_tokens)]
        if self.source_states:
            options += ["--source-states", self.source_states]
        if self.alignment != "right":
            options += ["--source-alignment", self.alignment]
        for adapter in self.adapters:
            options += ["--adapter", adapter]
        return options


def expected_logits(model: Path, inputs: Inputs) -> Tensor:
    if len(inputs.adapters) == 1 and not is_flare(inputs.adapters[0]):
        return adapter_vectors.logits_of(adapter_vectors.running(model, inputs.adapters[0]), inputs.tokens)
    states = next(iter(load_file(inputs.source_states).values())) if inputs.source_states else None
    reference = flare_reference.load(model, inputs.adapters, alignment=inputs.alignment)
    return reference.logits(inputs.tokens, inputs.source_tokens, source_states=states)


def is_flare(adapter: Path) -> bool:
    return bool(json.loads((adapter / "adapter_config.json").read_text()).get("fuse_config"))


def compare(model: Path, output: Path, inputs: Inputs) -> Comparison:
    return Comparison.of(load_file(output)["logits"], expected_logits(model, inputs))


# --- Unseen checkpoints -------------------------------------------------------------------------------------------


def random_config(architecture: str, choices: random.Random) -> PreTrainedConfig:
    heads = choices.choice([1, 2, 3, 4, 6, 8])
    groups = choices.choice([count for count in range(1, heads + 1) if heads % count == 0])
    shared = dict(
        vocab_size=choices.randint(40, 160),
        hidden_size=heads * choices.choice([8, 12, 16]),
        intermediate_size=choices.choice([36, 64, 90]),
        num_hidden_layers=choices.randint(1, 5),
        num_attention_heads=heads,
        num_key_value_heads=groups,
        max_position_embeddings=512,
        rms_norm_eps=choices.choice([1e-6, 1e-5, 1e-3]),
        tie_word_embeddings=choices.random() < 0.5,
        bos_token_id=1,
        eos_token_id=choices.choice([2, [2, 3]]),
    )
    bias = {"attention_bias": choices.random() < 0.3}
    head_dim, own_head_dim = choices.choice([None, 6, 10, 16, 32]), choices.choice([6, 10, 16, 32])
    window = choices.choice([1, 3, 8, 100])
    types = [choices.choice(["full_attention", "sliding_attention"]) for _ in range(shared["num_hidden_layers"])]
    if architecture == "llama":
        rope = random_rope(choices, shared, ["default", "llama3", "linear", "dynamic", "yarn"])
        return LlamaConfig(**shared | rope, **bias, head_dim=head_dim, mlp_bias=choices.random() < 0.3)
    if architecture == "mistral":
        window = choices.choice([window, None])
        rope = random_rope(choices, shared, ["default", "yarn"])
        return MistralConfig(**shared | rope, head_dim=head_dim, sliding_window=window)
    if architecture.startswith("qwen"):
        rope = random_rope(choices, shared, ["default", "yarn"])
        windows = dict(
            use_sliding_window=choices.random() < 0.6, sliding_window=window, max_window_layers=choices.randint(0, 4)
        )
        if windows["use_sliding_window"] and choices.random() < 0.5:
            windows["layer_types"] = types
        if architecture == "qwen2":
            return Qwen2Config(**shared | rope, **windows)
        return Qwen3Config(**shared | rope, **windows, **bias, head_dim=own_head_dim)
    if architecture == "gemma":
        rope = random_rope(choices, shared, ["default", "linear"])
        return GemmaConfig(**shared | rope, **bias, head_dim=own_head_dim)
    gemma = dict(
        **bias,
        head_dim=own_head_dim,
        query_pre_attn_scalar=choices.choice([8, 24, 40]),
        sliding_window=window,
        final_logit_softcapping=choices.choice([None, 4.0, 10.0]),
    )
    if architecture == "gemma2":
        rope = random_rope(choices, shared, ["default"])
        return Gemma2Config(**shared | rope, **gemma, attn_logit_softcapping=choices.choice([None, 2.0, 10.0]))
    rope = random_rope(choices, shared, ["default", "linear", "dynamic", "yarn", "llama3"])
    full = rope["rope_parameters"]
    sliding = {"rope_type": "default", "rope_theta": choices.choice([500.0, 10000.0])}
    rope["rope_parameters"] = {"full_attention": full, "sliding_attention": sliding}
    return Gemma3TextConfig(**shared | rope, **gemma, sliding_window_pattern=choices.choice([1, 2, 3, 6]))


def random_rope(choices: random.Random, shared: dict, kinds: list[str]) -> dict:
    """Options about positions; some texts are longer than what a scaling is said to start from."""
    rope = {"rope_theta": choices.choice([500.0, 10000.0, 500000.0]), "rope_type": choices.choice(kinds)}
    kind = rope["rope_type"]
    if kind != "default":
        rope["factor"] = choices.choice([2.0, 4.0, 8.0])
    if kind in ("llama3", "yarn"):
        rope["original_max_position_embeddings"] = choices.choice([16, 32, 64])
    if kind == "llama3":
        rope |= {"low_freq_factor": 1.0, "high_freq_factor": choices.choice([2.0, 4.0])}
    if kind == "yarn":
        betas, scales = {"beta_fast": 8.0, "beta_slow": 0.5}, {"mscale": 1.2, "mscale_all_dim": 0.8}
        rope |= choices.choice([{}, betas, {"attention_factor": 0.9}, scales])
    options = {"rope_parameters": rope}
    if kind == "dynamic":
        options["max_position_embeddings"] = choices.choice([16, 32])
    return options


def write_random(architecture: str, seed: int, directory: Path) -> str:
    """Writes a checkpoint and returns a line that describes it."""
    choices = random.Random(f"{architecture} {seed}")
    config = random_config(architecture, choices)
    dtype = choices.choice([torch.float32, torch.bfloat16, torch.float16])
    sharded, old_form = choices.random() < 0.5, choices.random() < 0.5
    save_model(config, directory, seed, dtype, max_shard_size="20KB" if sharded else "1GB")
    path = directory / "config.json"
    fields = json.loads(path.read_text())
    # What the old form says of layers is a number; a list of its own it cannot say.
    old_form = old_form and not (architecture.startswith("qwen") and listed_otherwise(config))
    if old_form:
        fields = version_4_form(fields)
        plain = architecture in ("llama", "mistral")
        if plain and fields["head_dim"] * fields["num_attention_heads"] == fields["hidden_size"]:
            del fields["head_dim"]
        write_json(path, fields)
    rope = config.rope_parameters
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    facts = [
        f"{config.num_hidden_layers}x{config.hidden_size}",
        f"heads {config.num_attention_heads}/{config.num_key_value_heads}x{head_dim}",
        f"vocab {config.vocab_size}",
        rope.get("full_attention", rope)["rope_type"],
        "tied" if config.tie_word_embeddings else "untied",
        str(dtype).removeprefix("torch."),
        "v4" if old_form else "v5",
    ]
    facts += ["sharded"] * sharded
    facts += [key for key in ("attention_bias", "mlp_bias") if getattr(config, key, False)]
    if getattr(config, "sliding_window", None):
        sliding = getattr(config, "layer_types", ["sliding_attention"]).count("sliding_attention")
        facts.append(f"window {config.sliding_window} on {sliding}")
    caps = [getattr(config, key, None) for key in ("attn_logit_softcapping", "final_logit_softcapping")]
    facts += [f"caps {caps}"] * any(caps)
    return " ".join([architecture, *facts])


def listed_otherwise(config: Qwen2Config | Qwen3Config) -> bool:
    """Whether the layers with a window are not those from `max_window_layers` on."""
    first = config.max_window_layers if config.use_sliding_window else config.num_hidden_layers
    return any((kind == "sliding_attention") != (layer >= first) for layer, kind in enumerate(config.layer_types))


# --- Fuzzing ------------------------------------------------------------------------------------------------------


# Adapters that peft runs; what they are made of is in `peft_options`.
PEFT_KINDS = (
    "lora", "dora", "embedding", "embedding-dora", "head", "saved-head", "saved-embeddings", "saved-norm",
    "trainable-tokens", "resized", "bias",
)  # fmt: skip
FLARE_KINDS = ("add", "mul", "add_relu", "matmul", "matmul_relu", "cross-attention", "mt")


@dataclass
class Case:
    description: str
    model: Path
    inputs: Inputs

    @classmethod
    def write(cls, seed: int, directory: Path) -> Case:
        choices = random.Random(f"case {seed}")
        architecture = ARCHITECTURES[seed % len(ARCHITECTURES)]
        description = write_random(architecture, seed, directory / "model")
        case = cls(description, directory / "model", Inputs([]))
        config = json.loads((case.model / "config.json").read_text())
        vocabulary = config["vocab_size"]
        case.inputs.tokens = some_tokens(choices, vocabulary)

        kinds = [None, *PEFT_KINDS]
        # transformers goes on with the frequencies of the longest text that a model has read, here the source.
        if " dynamic " not in description:
            kinds += [f"flare-{kind}" for kind in FLARE_KINDS]
        kind = choices.choice(kinds)
        if kind is None:
            return case
        options = dict(
            r=choices.choice([1, 3, 8]),
            lora_alpha=choices.choice([1, 4, 7.5]),
            use_rslora=choices.random() < 0.5,
            target_modules=choices.choice([ALL_LINEARS, ["q_proj", "v_proj"], ["q_proj", "k_proj", "down_proj"]]),
            dtype=choices.choice([torch.float32, torch.bfloat16, torch.float16]),
        )
        if kind.startswith("flare-"):
            options |= flare_options(kind.removeprefix("flare-"), options["r"], choices)
            case.give_source(kind, options, vocabulary, choices, directory)
        else:
            options |= peft_options(kind, config, options, choices)
            for position in choices.sample(range(len(case.inputs.tokens)), min(3, len(case.inputs.tokens))):
                if "new_tokens" in options:
                    case.inputs.tokens[position] = vocabulary + choices.randrange(options["new_tokens"])
        save_adapter(case.model, directory / "adapter", seed, **options)
        case.inputs.adapters = [directory / "adapter"]
        case.description += f" + {kind} r {options['r']} ({case.source_description()})"
        return case

    def give_source(
        self, kind: str, options: dict, vocabulary: int, choices: random.Random, directory: Path
    ) -> None:
        """A source most of the time, and the other alignment some of the time."""
        if choices.random() < 0.2:
            return
        self.inputs.alignment = choices.choice(["right", "right", "last"])
        if kind == "flare-mt":
            shape = (choices.randint(1, 70), options["encoder_width"])
            states = torch.randn(shape, generator=torch.Generator().manual_seed(choices.randrange(10**6)))
            self.inputs.source_states = directory / "states.safetensors"
            save_file({"states": states}, self.inputs.source_states)
        else:
            self.inputs.source_tokens = some_tokens(choices, vocabulary)

    def source_description(self) -> str:
        if self.inputs.source_states:
            length = len(load_file(self.inputs.source_states)["states"])
        elif self.inputs.source_tokens:
            length = len(self.inputs.source_tokens)
        else:
            return "no source"
        return f"{length} to {len(self.inputs.tokens)}, {self.inputs.alignment}"

    def run(self, flare: Path, output: Path) -> Comparison:
        command = [flare, "logits", self.model, *self.inputs.options(), "-o", output]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if finished.returncode != 0:
            raise RuntimeError(f"flare ended with {finished.returncode}: {finished.stderr.strip()}")
        return compare(self.model, output, self.inputs)


def some_tokens(choices: random.Random, vocabulary: int) -> list[int]:
    return [choices.randrange(vocabulary) for _ in range(choices.randint(1, 70))]


def flare_options(kind: str, rank: int, choices: random.Random) -> dict:
    if kind == "mt":
        functions = ["add", "mul", "add_relu", "cross-attention"]
        made = flare_options(choices.choice(functions), rank, choices)
        return {**made, "encoder_width": choices.choice([5, 20])}
    if kind == "cross-attention":
        return {"fusion": kind, "heads": choices.choice([count for count in (1, 2, 3, 4, 8) if rank % count == 0])}
    if kind.startswith("matmul"):  # sums over the prompt grow with it, and float32 rounding with them
        return {"fusion": kind, "lora_alpha": choices.choice([0.25, 0.5]), "use_rslora": False}
    return {"fusion": kind}


def peft_options(kind: str, config: dict, options: dict, choices: random.Random) -> dict:
    """What makes the adapter one of its kind; `config` is the model's."""
    linears, vocabulary = options["target_modules"], config["vocab_size"]
    if kind == "dora":
        return {"use_dora": True}
    if kind in ("embedding", "embedding-dora"):
        tying = kind == "embedding" and config["tie_word_embeddings"] and choices.random() < 0.5
        targets = ["embed_tokens", "q_proj"]
        return {"target_modules": targets, "use_dora": kind == "embedding-dora", "ensure_weight_tying": tying}
    if kind == "head":
        return {"target_modules": ["lm_head", "v_proj"], "use_dora": choices.random() < 0.3}
    if kind == "saved-head":
        return {"modules_to_save": ["lm_head"]}
    if kind == "saved-embeddings":
        return {"modules_to_save": choices.choice([["embed_tokens"], ["embed_tokens", "lm_head"]])}
    if kind == "saved-norm":
        return {"modules_to_save": choices.choice([["model.norm"], ["norm"], ["layers.0.post_attention_layernorm"]])}
    if kind == "trainable-tokens":
        tokens = choices.sample(range(vocabulary), choices.randint(1, 20))
        both = {"embed_tokens": tokens, "lm_head": choices.sample(range(vocabulary), 5)}
        return {"trainable_token_indices": choices.choice([tokens, both])}
    if kind == "resized":
        saved = {"modules_to_save": ["embed_tokens", "lm_head"]}
        adapted = {"target_modules": ["embed_tokens", "lm_head", "q_proj"]}
        return {"new_tokens": choices.randint(1, 5), **choices.choice([saved, adapted, {}])}
    if kind == "bias" and config.get("attention_bias"):
        attention = {"target_modules": ["q_proj", "v_proj"], "lora_bias": True}
        return choices.choice([{"bias": "all"}, {"bias": "lora_only"}, attention])
    return {"target_modules": linears}


def fuzz(flare: Path, count: int, first_seed: int) -> int:
    """Returns the number of cases that failed; `--seed N --count 1` repeats case N alone."""
    failures = 0
    for seed in range(first_seed, first_seed + count):
        with tempfile.TemporaryDirectory() as temporary:
            case = Case.write(seed, Path(temporary))
            try:
                comparison = case.run(flare, Path(temporary) / "logits.safetensors")
                passed, outcome = comparison.passed, str(comparison)
            except (RuntimeError, ValueError, KeyError, OSError, subprocess.TimeoutExpired) as error:
                passed, outcome = False, str(error)
        failures += not passed
        print(f"{seed:>4} {'ok  ' if passed else 'FAIL'} {outcome}  {case.description}", flush=True)
    print(f"{count - failures} of {count} checkpoints agree")
    return failures


# --- Command line -------------------------------------------------------------------------------------------------


def joined(tokens: list[int]) -> str:
    return ",".join(map(str, tokens))


def token_list(text: str) -> list[int]:
    return [int(token) for token in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("compare", help="compare one output of 'flare logits'")
    one.add_argument("model", type=Path)
    one.add_argument("output", type=Path)
    one.add_argument("--tokens", type=token_list, required=True)
    one.add_argument("--source-tokens", type=token_list)
    one.add_argument("--adapter", type=Path, action="append", default=[])
    one.add_argument("--source-alignment", choices=flare_reference.ALIGNMENTS, default="right")
    one.add_argument("--source-states", type=Path)
    unseen = commands.add_parser("random", help="write a random checkpoint")
    unseen.add_argument("architecture", choices=ARCHITECTURES)
    unseen.add_argument("directory", type=Path)
    unseen.add_argument("--seed", type=int, required=True)
    many = commands.add_parser("fuzz", help="compare on many random checkpoints")
    many.add_argument("--flare", type=Path, required=True)
    many.add_argument("--count", type=int, default=20)
    many.add_argument("--seed", type=int, default=0, help="seed of the first case")
    arguments = parser.parse_args()

    quiet()
    if arguments.command == "compare":
        inputs = Inputs(
            arguments.tokens, arguments.adapter, arguments.source_tokens, arguments.source_states,
            arguments.source_alignment,
        )  # fmt: skip
        comparison = compare(arguments.model, arguments.output, inputs)
        print(comparison)
        return 0 if comparison.passed else 1
    if arguments.command == "random":
        if arguments.directory.exists():
            parser.error(f"{arguments.directory}: already exists")
        print(write_random(arguments.architecture, arguments.seed, arguments.directory))
        return 0
    return 1 if fuzz(arguments.flare.resolve(), arguments.count, arguments.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
