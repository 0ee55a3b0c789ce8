"""Compares the logits of `flare logits` with transformers and the FLARE reference, in float32.

    python tools/check_logits.py compare MODEL LOGITS.safetensors --tokens 1,2,3 [--source-tokens 4,5] [--adapter A ...]
    python tools/check_logits.py random llama --seed 7 DIRECTORY
    python tools/check_logits.py fuzz --flare .build/release/flare --count 20

`compare` checks one run. `random` writes a checkpoint nobody has seen: shapes, tying, biases, rotary scaling, caps,
window, number type, sharding and the age of config.json all follow from the seed. `fuzz` writes many of them, most with
an adapter, runs `flare logits` on each and fails if any logit is off.
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
from safetensors.torch import load_file
from torch import Tensor
from transformers import Gemma2Config, LlamaConfig

import flare_reference
from tiny_models import ALL_LINEARS, quiet, save_adapter, save_model, version_4_form, write_json

# Largest error allowed where the largest logit is 5; it grows with the logits, as float32 rounding does.
TOLERANCE = 1e-3
ARCHITECTURES = ("llama", "gemma2")


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


def compare(
    model: Path, output: Path, tokens: list[int], source_tokens: list[int] | None, adapters: list[Path]
) -> Comparison:
    actual = load_file(output)["logits"]
    return Comparison.of(actual, flare_reference.load(model, adapters).logits(tokens, source_tokens))


# --- Unseen checkpoints -------------------------------------------------------------------------------------------


def random_config(architecture: str, choices: random.Random) -> LlamaConfig | Gemma2Config:
    heads = choices.choice([1, 2, 3, 4, 6, 8])
    groups = choices.choice([count for count in range(1, heads + 1) if heads % count == 0])
    rope = {"rope_type": "default", "rope_theta": choices.choice([500.0, 10000.0, 500000.0])}
    shared = dict(
        vocab_size=choices.randint(40, 160),
        hidden_size=heads * choices.choice([8, 12, 16]),
        intermediate_size=choices.choice([36, 64, 90]),
        num_hidden_layers=choices.randint(1, 5),
        num_attention_heads=heads,
        num_key_value_heads=groups,
        max_position_embeddings=512,
        rms_norm_eps=choices.choice([1e-6, 1e-5, 1e-3]),
        rope_parameters=rope,
        attention_bias=choices.random() < 0.3,
        tie_word_embeddings=choices.random() < 0.5,
        bos_token_id=1,
        eos_token_id=choices.choice([2, [2, 3]]),
    )
    if architecture == "llama":
        kind = choices.choice(["default", "llama3", "linear"])
        rope["rope_type"] = kind
        if kind != "default":
            rope["factor"] = choices.choice([2.0, 4.0, 8.0])
        if kind == "llama3":
            rope |= {"low_freq_factor": 1.0, "high_freq_factor": choices.choice([2.0, 4.0])}
            rope["original_max_position_embeddings"] = choices.choice([16, 32, 64])
        head_dim = choices.choice([None, 6, 10, 16, 32])
        return LlamaConfig(**shared, head_dim=head_dim, mlp_bias=choices.random() < 0.3)
    return Gemma2Config(
        **shared,
        head_dim=choices.choice([6, 10, 16, 32]),
        query_pre_attn_scalar=choices.choice([8, 24, 40]),
        sliding_window=choices.choice([1, 3, 8, 100]),
        attn_logit_softcapping=choices.choice([None, 2.0, 10.0]),
        final_logit_softcapping=choices.choice([None, 4.0, 10.0]),
    )


def write_random(architecture: str, seed: int, directory: Path) -> str:
    """Writes a checkpoint and returns a line that describes it."""
    choices = random.Random(f"{architecture} {seed}")
    config = random_config(architecture, choices)
    dtype = choices.choice([torch.float32, torch.bfloat16, torch.float16])
    sharded, old_form = choices.random() < 0.5, choices.random() < 0.5
    save_model(config, directory, seed, dtype, max_shard_size="20KB" if sharded else "1GB")
    path = directory / "config.json"
    if old_form:
        fields = version_4_form(json.loads(path.read_text()))
        if fields["head_dim"] * fields["num_attention_heads"] == fields["hidden_size"] and architecture == "llama":
            del fields["head_dim"]
        write_json(path, fields)
    facts = [
        f"{config.num_hidden_layers}x{config.hidden_size}",
        f"heads {config.num_attention_heads}/{config.num_key_value_heads}x{config.head_dim}",
        f"vocab {config.vocab_size}",
        config.rope_parameters["rope_type"],
        "tied" if config.tie_word_embeddings else "untied",
        str(dtype).removeprefix("torch."),
        "v4" if old_form else "v5",
    ]
    facts += ["sharded"] * sharded + ["attention bias"] * config.attention_bias
    if architecture == "llama":
        facts += ["mlp bias"] * config.mlp_bias
    else:
        caps = [config.attn_logit_softcapping, config.final_logit_softcapping]
        facts.append(f"window {config.sliding_window} caps {caps}")
    return " ".join([architecture, *facts])


# --- Fuzzing ------------------------------------------------------------------------------------------------------


@dataclass
class Case:
    description: str
    model: Path
    tokens: list[int]
    source_tokens: list[int] | None = None
    adapters: list[Path] = field(default_factory=list)

    @classmethod
    def write(cls, seed: int, directory: Path) -> Case:
        choices = random.Random(f"case {seed}")
        architecture = ARCHITECTURES[seed % len(ARCHITECTURES)]
        case = cls(write_random(architecture, seed, directory / "model"), directory / "model", [])
        vocabulary = json.loads((case.model / "config.json").read_text())["vocab_size"]
        case.tokens = [choices.randrange(vocabulary) for _ in range(choices.randint(1, 70))]

        kind = choices.choice([None, "lora", "flare-add", "flare-add_relu"])
        if kind is None:
            return case
        options = dict(
            r=choices.choice([1, 3, 8]),
            lora_alpha=choices.choice([1, 4, 7.5]),
            use_rslora=choices.random() < 0.5,
            target_modules=choices.choice([ALL_LINEARS, ["q_proj", "v_proj"], ["q_proj", "k_proj", "down_proj"]]),
            dtype=choices.choice([torch.float32, torch.bfloat16, torch.float16]),
        )
        if kind != "lora":
            options["fusion"] = kind.removeprefix("flare-")
            if choices.random() < 0.8:
                case.source_tokens = [choices.randrange(vocabulary) for _ in range(choices.randint(1, 70))]
        save_adapter(case.model, directory / "adapter", seed, **options)
        case.adapters = [directory / "adapter"]
        lengths = f"{len(case.source_tokens)} to {len(case.tokens)}" if case.source_tokens else "no source"
        case.description += f" + {kind} r {options['r']} ({lengths})"
        return case

    def run(self, flare: Path, output: Path) -> Comparison:
        command = [flare, "logits", self.model, "--tokens", joined(self.tokens), "-o", output]
        if self.source_tokens:
            command += ["--source-tokens", joined(self.source_tokens)]
        for adapter in self.adapters:
            command += ["--adapter", adapter]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if finished.returncode != 0:
            raise RuntimeError(f"flare ended with {finished.returncode}: {finished.stderr.strip()}")
        return compare(self.model, output, self.tokens, self.source_tokens, self.adapters)


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
        comparison = compare(
            arguments.model, arguments.output, arguments.tokens, arguments.source_tokens, arguments.adapter
        )
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
