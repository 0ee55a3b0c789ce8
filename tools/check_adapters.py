"""Runs every adapter of Tests/Vectors/models with `flare logits`, beside its base and merged, against the stored logits.

    python tools/check_adapters.py --flare .build/release/flare

The logits are peft's or, for FLARE, the reference's (formats/vectors.md). Merged means `flare merge --dtype f32`, opened
from disk. Prints a Markdown table of the largest difference of a logit and fails where one is over 1e-3.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

MODELS = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "models"
TOLERANCE = 1e-3
# Adapters that are another one in another layout.
SAME_AS = {"mlx-lora": "lora", "mlx-dora": "dora", "named-lora": "lora", "named-flare": "flare-add_relu"}


def joined(tokens: Tensor) -> str:
    return ",".join(map(str, tokens.tolist()))


class Witness:
    """A tiny model with what is expected of it."""

    def __init__(self, name: str, flare: Path, scratch: Path):
        self.model, self.flare, self.scratch = MODELS / name, flare, scratch
        self.expected = load_file(self.model / "expected.safetensors")
        self.expected |= load_file(self.model / "expected-adapters.safetensors")

    def adapters(self) -> list[str]:
        return sorted(path.parent.name for path in self.model.glob("*/adapter_config.json"))

    def source(self, name: str) -> list[str]:
        """What is given beside the tokens to an adapter that reads a source."""
        if name == "flare-mt":
            states = self.scratch / "states.safetensors"
            save_file({"states": self.expected["source_states"]}, states)
            return ["--source-states", str(states)]
        return ["--source-tokens", joined(self.expected["source_tokens"])] if "flare" in name else []

    def run(self, *arguments: str) -> None:
        finished = subprocess.run([self.flare, *arguments], capture_output=True, text=True)
        if finished.returncode != 0:
            raise RuntimeError(finished.stderr.strip())

    def error(self, name: str, model: Path, *options: str) -> float:
        """The largest difference of a logit of `model` to the witness's."""
        key = SAME_AS.get(name, name)
        expected = self.expected[f"logits.{key}"]
        tokens = self.expected["resized_tokens" if key.startswith("resized") else "tokens"]
        output = self.scratch / "logits.safetensors"
        self.run("logits", str(model), "--tokens", joined(tokens), *self.source(name), *options, "--overwrite", "-o", str(output))
        return (load_file(output)["logits"] - expected).abs().max().item()

    def effect(self, name: str) -> float:
        """How far the adapter moves a logit that the base has too."""
        expected = self.expected[f"logits.{SAME_AS.get(name, name)}"]
        base = self.expected["logits.base"]
        return (expected[:, : base.shape[1]] - base).abs().max().item()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flare", type=Path, required=True)
    flare = parser.parse_args().flare.resolve()
    failures = 0
    print("| model | adapter | run time | merged | moves a logit by |\n|---|---|---|---|---|")
    for name in ("llama", "gemma2", "llama-biased"):
        with tempfile.TemporaryDirectory() as temporary:
            witness = Witness(name, flare, Path(temporary))
            for adapter in witness.adapters():
                path, merged = str(witness.model / adapter), Path(temporary) / "merged"
                running = witness.error(adapter, witness.model, "--adapter", path)
                witness.run("merge", str(witness.model), "--adapter", path, "--dtype", "f32", "--overwrite", "-o", str(merged))
                errors = [running, witness.error(adapter, merged)]
                failures += sum(not error <= TOLERANCE for error in errors)
                cells = [name, adapter, *(f"{error:.1e}" for error in errors), f"{witness.effect(adapter):.1f}"]
                print(f"| {' | '.join(cells)} |", flush=True)
    print(f"{failures} differences over {TOLERANCE}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
