"""Exact match with the normalisation of SQuAD and TyDiQA, on models exactly as they are saved."""

import re
import string
from pathlib import Path

from tokenizers import Tokenizer

import flare_reference
from .training import end_token

NEW_TOKENS = 16


def normalised(answer: str) -> str:
    """Lower case, no punctuation, no English articles, single spaces."""
    answer = "".join(c for c in answer.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", answer).split())


def exact_match(predictions: list[str], answers: list[str]) -> float:
    """The share of predictions that equal their answers after normalisation."""
    assert len(predictions) == len(answers)
    return sum(normalised(p) == normalised(a) for p, a in zip(predictions, answers)) / len(answers)


class Reader:
    """A base and its adapters read from disk in float32, answering prompts greedily."""

    def __init__(self, base: Path, adapters: list[Path]):
        self.tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        self.reference = flare_reference.load(base, adapters)

    def answer(self, prompt: str, source: str | None = None) -> str:
        """The text up to the end token or the first new line."""
        tokens = self.generate(prompt, source, NEW_TOKENS, end_token(self.tokenizer))
        return self.tokenizer.decode(tokens, skip_special_tokens=True).split("\n")[0]

    def generate(self, prompt: str, source: str | None, count: int, end: int | None) -> list[int]:
        encode = lambda text: None if text is None else self.tokenizer.encode(text).ids
        return self.reference.generate(encode(prompt), encode(source), count, end)
