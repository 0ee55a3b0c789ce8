"""The rows of the table: which adapters, which prompt, which source, which answer counts as right."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .evaluation import Reader, exact_match
from .world import Item

GREEDY_COUNT, GREEDY_PROMPTS = 64, 3


@dataclass(frozen=True)
class Row:
    name: str
    adapters: tuple[str, ...]  # after the base, in order
    prompt: str  # "target" or "source"
    source: str | None  # None, "own" or "next": the same item's English prompt, or that of the item after it
    answer: str  # "target" or "source"


def target(name: str, *adapters: str, source: str | None = None) -> Row:
    return Row(name, adapters, "target", source, "target")


def english(name: str, *adapters: str) -> Row:
    return Row(name, adapters, "source", None, "source")


TASK_ROWS = [
    english("base, English"), english("task LoRA, English", "task-lora"),
    target("base, Indonesian"), target("zero-shot", "task-lora"),
]


def _fusion_rows(adapter: str) -> list[Row]:
    stack = ("task-lora", adapter)
    return [target(adapter, *stack, source="own"), target(f"{adapter}, no source", *stack),
            target(f"{adapter}, wrong source", *stack, source="next"), english(f"{adapter}, English", *stack)]


ADAPTER_ROWS = {
    "target-lora": [target("target-lora", "task-lora", "target-lora"),
                    english("target-lora, English", "task-lora", "target-lora")],
    "flare-add_relu": _fusion_rows("flare-add_relu"),
    "flare-add": _fusion_rows("flare-add"),
    "reads-english": [Row("reads-english", ("task-lora", "reads-english"), "source", None, "target")],
}


class Measured:
    """Runs rows and gathers `result`, the content of `expected.json` for one model."""

    def __init__(self, base: Path, task: Path, items: list[Item], log: Callable[[str], None]):
        self.base, self.task, self.items, self.log = base, task, items, log
        self.result: dict = {"rows": {}, "greedy": []}

    def task_rows(self) -> None:
        for row in TASK_ROWS:
            self._measure(row, Reader(self.base, [self.task] if row.adapters else []), seed=None)

    def adapter_rows(self, trained: dict[str, Path], seed: int) -> None:
        for name, directory in trained.items():
            reader = Reader(self.base, [self.task, directory])
            for row in ADAPTER_ROWS[name]:
                self._measure(row, reader, seed)

    def _measure(self, row: Row, reader: Reader, seed: int | None) -> None:
        """Predictions are kept for the first seed only: those are the adapters that are on disk."""
        prompts = [i.target_prompt if row.prompt == "target" else i.source_prompt for i in self.items]
        answers = [i.answer if row.answer == "target" else i.source_answer for i in self.items]
        shift = {None: None, "own": 0, "next": 1}[row.source]
        source = lambda i: None if shift is None else self.items[(i + shift) % len(self.items)].source_prompt
        predictions = [reader.answer(prompt, source(i)) for i, prompt in enumerate(prompts)]
        score = exact_match(predictions, answers)
        entry = self.result["rows"].setdefault(row.name, {
            "adapters": list(row.adapters), "prompt": row.prompt, "source": row.source, "answer": row.answer,
            "exact_match": score, "exact_match_by_seed": {}, "predictions": predictions})
        if seed is not None:
            entry["exact_match_by_seed"][str(seed)] = score
        self.log(f"{row.name} seed {seed}: {score:.4f} {predictions[:4]}")

    def greedy(self, flare: Path) -> None:
        """The first greedy tokens of a few prompts, EOS ignored: golden continuations for another implementation."""
        stacks = [([], False), ([self.task], False), ([self.task, flare], True)]
        for stack, fused in stacks:
            reader = Reader(self.base, stack)
            for item in self.items[:GREEDY_PROMPTS]:
                source = item.source_prompt if fused else None
                tokens = reader.generate(item.target_prompt, source, GREEDY_COUNT, end=None)
                self.result["greedy"].append({
                    "adapters": [directory.name for directory in stack], "prompt": item.target_prompt,
                    "source": source, "tokens": tokens,
                    "text": reader.tokenizer.decode(tokens, skip_special_tokens=False)})
