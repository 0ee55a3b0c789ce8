"""Examples, batches and the one training loop that bases and adapters share.

Batches are padded on the right. Attention is causal, so padding is never seen by a real token and needs no mask.
"""

import math
from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer


@dataclass(frozen=True)
class Segment:
    """Text that is encoded by itself, and the weight of its tokens in the loss."""

    text: str
    weight: float


@dataclass
class Example:
    tokens: list[int]
    weights: list[float]  # of predicting each token; the first is never predicted
    source: list[int] | None = None  # the source prompt's tokens
    prompt_length: int = 0  # where the answer begins

    @staticmethod
    def of(tokenizer: Tokenizer, segments: list[Segment], ends: bool) -> "Example":
        """BOS once, the segments' tokens one after another, EOS with the last segment's weight."""
        tokens, weights = [], []
        for i, segment in enumerate(segments):
            ids = tokenizer.encode(segment.text, add_special_tokens=i == 0).ids
            tokens += ids
            weights += [segment.weight] * len(ids)
        if ends:
            tokens.append(end_token(tokenizer))
            weights.append(segments[-1].weight)
        return Example(tokens, weights)


def end_token(tokenizer: Tokenizer) -> int:
    for name in ("<|end_of_text|>", "<eos>"):
        if (found := tokenizer.token_to_id(name)) is not None:
            return found
    raise ValueError("tokenizer: has no end-of-text token")


def padded(rows: list[list], fill=0) -> torch.Tensor:
    """Rows of different lengths as one tensor, [rows, longest]."""
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def logits_of(model, hidden: torch.Tensor) -> torch.Tensor:
    """The output head on chosen positions only, [positions, hidden] -> [positions, vocabulary]."""
    logits = model.lm_head(hidden)
    cap = getattr(model.config, "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


def schedule(step: int, steps: int, warm_up: int, hold: float) -> float:
    """Linear warm-up, constant until the share `hold` of the steps, then linear decay to zero."""
    if step < warm_up:
        return (step + 1) / warm_up
    begin = max(hold * steps, warm_up)
    return 1.0 if step < begin else (steps - step) / (steps - begin)


def fit(model, parameters: list[torch.nn.Parameter], batch: Callable[[int], list[Example]], *, steps: int, rate: float,
        warm_up: int, hold: float = 0.0, weight_decay: float = 0.0, counted: float = 1.0,
        prepare: Callable[[list[Example]], None] = lambda examples: None,
        watch: Callable[[int, float, float], None] = lambda step, loss, accuracy: None) -> None:
    """AdamW on the weighted cross entropy of `batch(step)`.

    `prepare` sees each batch before its forward pass. `watch` gets the loss and the accuracy on tokens that weigh at
    least `counted`.
    """
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=weight_decay)
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * schedule(step, steps, warm_up, hold)
        examples = batch(step)
        prepare(examples)
        tokens, weights = padded([e.tokens for e in examples]), padded([e.weights for e in examples], 0.0)[:, 1:]
        hidden = model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
        matters = weights > 0
        logits, wanted, weight = logits_of(model, hidden[matters]), tokens[:, 1:][matters], weights[matters]
        loss = (F.cross_entropy(logits, wanted, reduction="none") * weight).sum() / weight.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        answers = weight >= counted
        right = (logits.argmax(-1) == wanted)[answers].float().mean().item() if answers.any() else math.nan
        watch(step, loss.item(), right)
    model.eval()
