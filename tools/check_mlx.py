"""Runs adapters that `flare convert --to mlx` wrote in mlx-lm and compares the logits with peft's.

    pip install "mlx[cpu]" mlx-lm
    python tools/check_mlx.py --flare .build/release/flare

Takes plain LoRA and DoRA adapters of Tests/Vectors/models, and checks that each moves the logits.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
from mlx_lm.tuner.utils import load_adapters
from mlx_lm.utils import load_model

MODELS = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "models"
# Gemma 2 is left out because mlx-lm runs it without its sliding window, BF16 models because it computes in BF16.
CASES = {"llama": ["lora", "rslora-patterns", "dora", "head", "regex-targets"]}
TOLERANCE = 1e-3


def old_form(model: Path, directory: Path) -> Path:
    """A copy of the model with its rotary scaling where mlx-lm looks for it, which is transformers 4's place."""
    shutil.copytree(model, directory, ignore=lambda _, names: [name for name in names if (model / name).is_dir()])
    for file in directory.glob("expected*"):
        file.unlink()  # mlx-lm would take it for weights
    path = directory / "config.json"
    config = json.loads(path.read_text())
    if rope := config.pop("rope_parameters", None):
        config |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
    path.write_text(json.dumps(config))
    return directory


def logits(model: Path, tokens: list[int], adapter: Path | None) -> mx.array:
    network, _ = load_model(model)
    if adapter:
        network = load_adapters(network, str(adapter))
    network.eval()
    return network(mx.array([tokens]))[0].astype(mx.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flare", type=Path, required=True)
    flare = parser.parse_args().flare.resolve()
    mx.set_default_device(mx.cpu)
    failures = 0
    for model, names in CASES.items():
        expected = {}
        for file in ("expected", "expected-adapters"):
            expected |= mx.load(str(MODELS / model / f"{file}.safetensors"))
        tokens = expected["tokens"].tolist()
        scratch = tempfile.TemporaryDirectory()
        copy = old_form(MODELS / model, Path(scratch.name) / model)
        base = logits(copy, tokens, None)
        own = mx.abs(base - expected["logits.base"]).max().item()
        print(f"{model:<7} {'no adapter':<16} differs from transformers by {own:.1e}")
        for name in names:
            written = Path(scratch.name) / name
            command = [flare, "convert", MODELS / model / name, "--base", MODELS / model, "--to", "mlx", "-o", written]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            adapted = logits(copy, tokens, written)
            error = mx.abs(adapted - expected[f"logits.{name}"]).max().item()
            effect = mx.abs(adapted - base).max().item()
            passed = error <= TOLERANCE and effect > 0.1
            failures += not passed
            print(f"{model:<7} {name:<16} differs from peft by {error:.1e}, moves a logit by {effect:.2f}{'' if passed else '  FAIL'}")
        scratch.cleanup()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
