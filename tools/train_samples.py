#!/usr/bin/env python3
"""Trains everything in `samples/`: two tiny bases, their adapters, the test set and PyTorch's figures on it.

    python tools/train_samples.py                  everything: one process per model, then the tables
    python tools/train_samples.py --stage tables   only README.md and MANIFEST.json from what is on disk

Needs torch, transformers, peft, tokenizers and safetensors. The same seed on the same machine with the same versions
gives the same files. What the samples are and what they show is in `samples/README.md`, which this program writes.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

from samples import adapters, bases, report, rows, world

SEED = 1
ADAPTER_SEEDS = (1, 2)
TEST_COUNT, PAIR_COUNT, TASK_COUNT = 400, 1024, 1024
TASK_RECIPES = {
    "llama": adapters.Recipe(steps=300, rate=1e-3),
    "gemma": adapters.Recipe(steps=300, rate=1e-3, hold=0.5),
}
# What all second-stage adapters of a model share. Chosen by looking at FLARE, as samples/README.md tells.
RECIPES = {
    "llama": adapters.Recipe(steps=900, rate=4e-3),
    "gemma": adapters.Recipe(steps=1200, rate=4e-3, hold=0.5),
}
FUSIONS = {"llama": ("add_relu", "add"), "gemma": ("add_relu",)}


def data() -> dict[str, list[world.Item]]:
    """The three sets, from one stream; no context of the test set occurs in the others."""
    rng = random.Random(f"{SEED} questions")  # a stream that the bases, seeded alike, do not share
    test = world.items(rng, TEST_COUNT)
    held_out = frozenset(item.context for item in test)
    return {"test": test, "pairs": world.items(rng, PAIR_COUNT, held_out),
            "task": world.items(rng, TASK_COUNT, held_out)}


def write_test_set(items: list[world.Item], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": f"test-{i:03}", **vars(item)}, ensure_ascii=False) for i, item in enumerate(items)]
    path.write_text("\n".join(lines) + "\n")


class Trainer:
    """One family's whole way, from an empty directory to its measured rows."""

    def __init__(self, family: str, samples: Path, scratch: Path):
        self.family, self.home, self.scratch = family, samples / family, scratch / family
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.base, self.task = self.home / "base", self.home / "task-lora"
        self.sets, self.began = data(), time.time()
        times = self.scratch / "stages.json"
        self.stages: dict[str, int] = json.loads(times.read_text()) if times.exists() else {}

    def log(self, line: str) -> None:
        with open(self.scratch / "log.txt", "a") as file:
            print(f"{time.time() - self.began:6.0f} s  {line}", file=file)

    def timed(self, name: str, work, *arguments, **options):
        start = time.time()
        result = work(*arguments, **options)
        self.stages[name] = round(time.time() - start)
        (self.scratch / "stages.json").write_text(json.dumps(self.stages))
        self.log(f"{name} took {self.stages[name]} s")
        return result

    def run(self, keep_base: bool) -> None:
        if not keep_base:
            self.timed("base", bases.train, self.family, self.base, SEED, self.log)
        self.timed("task-lora", self.train_task)
        self.second_stage_and_rows()

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.base / "tokenizer.json"))

    def train_task(self) -> None:
        tokenizer = self.tokenizer()
        examples = [adapters.example(tokenizer, i.source_prompt, i.source_answer) for i in self.sets["task"]]
        adapters.train(adapters.merged(self.base, []), examples, self.task, SEED, self.log, TASK_RECIPES[self.family])

    def train_second_stage(self, seed: int) -> dict[str, Path]:
        """Target LoRA, FLARE and the LoRA that reads English, alike in all but what they see; by row-name prefix."""
        merged, tokenizer, pairs = adapters.merged(self.base, [self.task]), self.tokenizer(), self.sets["pairs"]
        jobs = {"target-lora": (None, [adapters.example(tokenizer, i.target_prompt, i.answer) for i in pairs])}
        for fusion in FUSIONS[self.family]:
            examples = [adapters.example(tokenizer, i.target_prompt, i.answer, i.source_prompt) for i in pairs]
            jobs[f"flare-{fusion}"] = (fusion, examples)
        jobs["reads-english"] = (None, [adapters.example(tokenizer, i.source_prompt, i.answer) for i in pairs])
        trained = {}
        for name, (fusion, examples) in jobs.items():
            # The first seed's adapters are the samples; the other seeds serve the table only.
            kept = seed == ADAPTER_SEEDS[0] and name != "reads-english"
            trained[name] = (self.home if kept else self.scratch / f"seed-{seed}") / name
            self.timed(f"{name} seed {seed}", adapters.train, merged, examples, trained[name], seed, self.log,
                       RECIPES[self.family], fusion)
        return trained

    def second_stage_and_rows(self) -> None:
        """Train the second stage seed by seed; what a seed measures is on disk before the next one begins."""
        measured = rows.Measured(self.base, self.task, self.sets["test"], self.log)
        measured.task_rows()
        for seed in ADAPTER_SEEDS:
            trained = self.train_second_stage(seed)
            self.timed(f"rows seed {seed}", measured.adapter_rows, trained, seed)
            if seed == ADAPTER_SEEDS[0]:
                measured.greedy(self.home / "flare-add_relu")
            (self.scratch / "rows.json").write_text(json.dumps(measured.result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--scratch", type=Path, default=Path(".build-samples"), help="logs and adapters not kept")
    parser.add_argument("--stage", choices=["all", "train", "tables"], default="all")
    parser.add_argument("--only", choices=bases.FAMILIES, help="train one model (with --stage train)")
    parser.add_argument("--keep-bases", action="store_true", help="train on the bases already in place")
    options = parser.parse_args()
    began = time.time()

    if options.stage == "all":
        write_test_set(data()["test"], options.out / "data" / "test.jsonl")
        command = [sys.executable, __file__, "--stage", "train", "--out", options.out, "--scratch", options.scratch]
        command += ["--keep-bases"] if options.keep_bases else []
        running = [subprocess.Popen([*command, "--only", family]) for family in bases.FAMILIES]
        if any([process.wait() for process in running]):
            sys.exit("train_samples: a model failed to train; its log is in the scratch directory")
    elif options.stage == "train":
        torch.set_num_threads(1)
        for family in [options.only] if options.only else bases.FAMILIES:
            Trainer(family, options.out, options.scratch).run(options.keep_bases)
    if options.stage != "train":
        took = round(time.time() - began) if options.stage == "all" else None
        report.write(options.out, options.scratch, SEED, took)


if __name__ == "__main__":
    main()
