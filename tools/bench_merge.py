"""Times `flare merge` and peft's merge of the same adapter into the same checkpoint.

    python tools/bench_merge.py DIRECTORY --flare .build/release/flare [--runs 3]

DIRECTORY gets, unless they are there, a random BF16 checkpoint in the shape of Llama 3.2 1B (2.5 GB) and a rank-16 LoRA
of all its linears (45 MB), and needs room for two merged copies. Each merge runs in a process of its own, the two by
turns, and starts with the same warm files and nothing left to write. peft's part is the usual one: `from_pretrained` in
BF16, `merge_and_unload`, `save_pretrained`. After the first round the two results are compared, element by element.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from statistics import median

import torch
from big_models import SHAPES, ensure_model
from processes import Usage, measure, regular_files, warm
from safetensors import safe_open
from tiny_models import quiet

# --- Merging ------------------------------------------------------------------------------------------------------


def merge_with_peft(base: Path, adapter: Path, output: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    quiet()
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(output)


def peft_command(directory: Path, output: Path) -> list[str | Path]:
    """A process that merges the `adapter` in a folder into its `base`."""
    return [sys.executable, __file__, directory, "--peft-only", output]


def compare(one: Path, other: Path) -> str:
    """How many elements of two merged checkpoints differ."""
    differing = count = 0
    with Checkpoint(one) as left, Checkpoint(other) as right:
        if left.keys() != right.keys():
            return f"the two hold different tensors: {sorted(left.keys() ^ right.keys())[:5]}"
        for name in sorted(left.keys()):
            ours, theirs = left.tensor(name), right.tensor(name)
            if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
                return f"{name}: {ours.dtype} {list(ours.shape)} and {theirs.dtype} {list(theirs.shape)}"
            count += ours.numel()
            differing += int((ours.view(torch.int16) != theirs.view(torch.int16)).sum())
    return f"{differing:,} of {count:,} merged elements differ"


class Checkpoint:
    """The tensors of all safetensors files of a directory."""

    def __init__(self, directory: Path):
        self.files = [safe_open(path, "pt") for path in sorted(directory.glob("*.safetensors"))]

    def __enter__(self) -> Checkpoint:
        self.places = {name: file.__enter__() for file in self.files for name in file.keys()}
        return self

    def __exit__(self, *error: object) -> None:
        for file in self.files:
            file.__exit__(*error)

    def keys(self) -> set[str]:
        return set(self.places)

    def tensor(self, name: str) -> torch.Tensor:
        return self.places[name].get_tensor(name)


# --- The table ----------------------------------------------------------------------------------------------------


def report(usages: dict[str, list[Usage]]) -> None:
    """Medians of all runs, with the range where there are several, and how many times peft's are flare's."""
    rows = [
        ("wall time, s", lambda usage: usage.wall),
        ("user + system, s", lambda usage: usage.processor),
        ("peak resident, MiB", lambda usage: usage.peak / 2**20),
        ("peak anonymous, MiB", lambda usage: None if usage.anonymous is None else usage.anonymous / 2**20),
    ]
    print(f"{'':<20} {'flare':>24} {'peft':>24} {'peft / flare':>14}")
    for label, value in rows:
        numbers = {name: [value(usage) for usage in used] for name, used in usages.items()}
        if any(number is None for column in numbers.values() for number in column):
            continue
        ratio = median(numbers["peft"]) / max(median(numbers["flare"]), 1e-9)
        columns = [f"{median(column):,.1f} ({min(column):,.1f}–{max(column):,.1f})" for column in numbers.values()]
        print(f"{label:<20} {columns[0]:>24} {columns[1]:>24} {ratio:>14.1f}")


def run(directory: Path, flare: Path, runs: int) -> None:
    base, adapter = ensure_model(directory, SHAPES["llama-3.2-1b"])
    outputs = {name: directory / f"merged-{name}" for name in ("flare", "peft")}
    commands = {
        "flare": [flare, "merge", base, "--adapter", adapter, "-o", outputs["flare"]],
        "peft": peft_command(directory, outputs["peft"]),
    }
    usages: dict[str, list[Usage]] = {name: [] for name in commands}
    for turn in range(runs):
        for name, command in commands.items():
            shutil.rmtree(outputs[name], ignore_errors=True)
            os.sync()
            warm([*regular_files(base), *regular_files(adapter)])
            usages[name].append(measure(command))
            print(f"run {turn + 1}: {name} {usages[name][-1].wall:.1f} s", flush=True)
        if turn == 0:
            print(compare(outputs["flare"], outputs["peft"]), flush=True)
        for output in outputs.values():
            shutil.rmtree(output)
    report(usages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="a scratch folder; what it holds already is used again")
    parser.add_argument("--flare", type=Path, help="the flare command")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peft-only", type=Path, metavar="OUTPUT", help="merge with peft, once, and measure nothing")
    arguments = parser.parse_args()
    if arguments.peft_only:
        merge_with_peft(arguments.directory / "base", arguments.directory / "adapter", arguments.peft_only)
    elif arguments.flare is None:
        parser.error("--flare is missing")
    else:
        run(arguments.directory, arguments.flare.resolve(), arguments.runs)


if __name__ == "__main__":
    main()
