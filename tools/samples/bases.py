"""The two base models: their shapes, how they start, and the English (and a little Indonesian) they learn from.

At a million parameters the slow thing to learn is looking an answer up in the context. Everything here serves that:
the initial values, a curriculum from one to four facts, several questions on each story, and a loss that mostly
counts answers. The base asks in its own form (`Story:`, `Q:`, `A:`); the task adapter teaches the form of TyDiQA.
"""

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

from . import tokenization, world
from .training import Example, Segment, fit

FAMILIES = ("llama", "gemma")
HIDDEN, LAYERS = 128, 4


def blank(family: str, tokenizer: Tokenizer):
    """The model of `family` with its initial values."""
    special = tokenization.SPECIALS[family]
    shared = dict(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=HIDDEN, num_hidden_layers=LAYERS, intermediate_size=384,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        bos_token_id=tokenizer.token_to_id(special["bos_token"]),
        eos_token_id=tokenizer.token_to_id(special["eos_token"]), attn_implementation="eager",
    )
    if family == "llama":
        # The original length is short, so that the scaling changes the frequencies that these prompts use.
        rope = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                    original_max_position_embeddings=64)
        model = LlamaForCausalLM(LlamaConfig(**shared, head_dim=32, tie_word_embeddings=False, pad_token_id=None,
                                             rms_norm_eps=1e-5, rope_parameters=rope))
    else:
        model = Gemma2ForCausalLM(Gemma2Config(
            **shared, head_dim=64, query_pre_attn_scalar=HIDDEN // 4, sliding_window=16, rms_norm_eps=1e-6,
            attn_logit_softcapping=50.0, final_logit_softcapping=30.0, tie_word_embeddings=True,
            pad_token_id=tokenizer.token_to_id(special["pad_token"]),
            rope_parameters=dict(rope_type="default", rope_theta=10000.0)))
    _initialise(model)
    return model.float()


@torch.no_grad()
def _initialise(model) -> None:
    """Unit-sized embeddings, and half of the query heads equal to their keys: attention begins as 'same token'."""
    embedding = model.model.embed_tokens.weight
    embedding.normal_(0, HIDDEN**-0.5)
    if not model.config.tie_word_embeddings:
        model.lm_head.weight.copy_(embedding)
    head = model.config.head_dim
    queries_per_key = model.config.num_attention_heads // model.config.num_key_value_heads
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj, mlp.up_proj):
            linear.weight.normal_(0, HIDDEN**-0.5)
        for linear in (attention.o_proj, mlp.down_proj):
            linear.weight.normal_(0, 0.02)
        queries, keys = attention.q_proj.weight, attention.k_proj.weight
        for group in range(model.config.num_key_value_heads):
            first = group * queries_per_key * head
            queries[first : first + head] = keys[group * head : (group + 1) * head]


INDONESIAN_SHARE = 0.05
ANSWER_WEIGHT, TEXT_WEIGHT = 5.0, 0.1


def _document(rng: random.Random, sentences: int) -> list[Segment]:
    """An English story, perhaps retold in another order, with a question on every fact; or an Indonesian story."""
    facts = world.story(rng, sentences)
    if rng.random() < INDONESIAN_SHARE:
        return [Segment("Cerita: " + world.text(facts, world.INDONESIAN) + "\n", TEXT_WEIGHT)]
    opening = "Story: " + world.text(facts, world.ENGLISH) + "\n"
    if rng.random() < 0.25:
        retold = rng.sample(facts, len(facts))
        opening += "Story: " + " ".join(f.state(world.ENGLISH, 1 - f.variant) for f in retold) + "\n"
    segments = []
    for fact in rng.sample(facts, len(facts)):
        segments.append(Segment(f"{opening}Q: {fact.ask(world.ENGLISH)}\nA: ", TEXT_WEIGHT))
        segments.append(Segment(fact.answer(world.ENGLISH), ANSWER_WEIGHT))
        opening = "\n"
    return segments


STEPS, BATCH, RATE = 1800, 16, 4e-3


def train(family: str, directory: Path, seed: int, log) -> None:
    """Train a base from nothing and save it as a Hugging Face directory in bfloat16."""
    torch.manual_seed(seed)
    tokenizer = getattr(tokenization, family)()
    tokenization.check(tokenizer)
    model = blank(family, tokenizer)
    rng = random.Random(seed)
    level, recent = 1, []

    def batch(step: int) -> list[Example]:
        counts = [max(level - 1, 1) if rng.random() < 0.2 else level for _ in range(BATCH)]
        return [Example.of(tokenizer, _document(rng, n), ends=True) for n in counts]

    def watch(step: int, loss: float, accuracy: float) -> None:
        nonlocal level
        recent.append(accuracy)
        if level < 4 and len(recent) >= 20 and sum(recent[-20:]) / 20 > 0.9:
            level += 1
            recent.clear()
        if step % 50 == 0:
            shown = sum(recent[-20:]) / max(len(recent[-20:]), 1)
            log(f"{family} base step {step} level {level} loss {loss:.3f} answers {shown:.3f}")

    fit(model, list(model.parameters()), batch, steps=STEPS, rate=RATE, warm_up=50, hold=0.6, weight_decay=0.01,
        counted=ANSWER_WEIGHT, watch=watch)
    save(model, tokenizer, family, directory)


def save(model, tokenizer: Tokenizer, family: str, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    # The Llama base is sharded, as large checkpoints are.
    shard = "900KB" if family == "llama" else "50MB"
    model.to(torch.bfloat16).save_pretrained(directory, max_shard_size=shard)
    tokenization.save(tokenizer, family, directory)
    for file in directory.iterdir():
        file.chmod(0o644)
