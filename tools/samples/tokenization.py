"""The two tokenizers: byte-level BPE as Llama 3 has it, and SentencePiece-style BPE as Gemma has it.

Both are trained on the world's words alone, until every word is one token, answers both after a space and without
one: an answer follows the prompt's trailing space and therefore begins a token sequence of its own.
"""

import json
import re
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from . import world

# Llama 3's own pre-tokenizer, letter for letter.
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
UNLIMITED = 10_000  # training stops by itself, once every word form is one token


LABELS = ["Context", "Question", "Answer", "Story", "Cerita", "Q", "A"]


def _forms(space: str = " ") -> list[str]:
    """The word forms that texts of this world contain: labels bare, answers bare and spaced, all others spaced."""
    answers, others = set(), set(world.PEOPLE)
    for kind in world.KINDS.values():
        for language in kind.values():
            answers.update(language.words)
            for template in (*language.statements, language.question):
                others.update(re.findall(r"[A-Za-z]+", re.sub(r"\{.\}", "", template)))
    return LABELS + sorted(answers) + [space + word for word in sorted(answers | others)]


def _corpus(space: str = " ") -> list[str]:
    return _forms(space) + [".\n", "?\n"]


def llama() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=UNLIMITED, min_frequency=1, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(_corpus(), trainer)
    specials = ["<|begin_of_text|>", "<|end_of_text|>"]
    _add(tokenizer, specials, "<|reserved_special_token_{}|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        _bos_template(tokenizer, specials[0]),
    ])
    return tokenizer


def gemma() -> Tokenizer:
    # Pieces carry their space in front and never cross punctuation. The finished tokenizer needs no pre-tokenizer
    # for that: no merge that would cross exists.
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Split(Regex(r"▁?[A-Za-z]+|[^A-Za-z]"), behavior="isolated")
    alphabet = sorted({chr(c) for c in range(33, 127)} | {"▁", "\n"})
    learner.train_from_iterator(_corpus("▁"), trainers.BpeTrainer(
        vocab_size=UNLIMITED, min_frequency=1, show_progress=False, initial_alphabet=alphabet))
    learned = json.loads(learner.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    vocabulary = {piece: i for i, piece in enumerate([*specials, *(f"<0x{b:02X}>" for b in range(256)), *pieces])}
    merges = [tuple(pair) for pair in learned["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    _add(tokenizer, specials, "<unused{}>")
    tokenizer.post_processor = _bos_template(tokenizer, "<bos>")
    return tokenizer


def _add(tokenizer: Tokenizer, specials: list[str], reserved: str) -> None:
    """Add the special tokens, and reserved ones up to a multiple of 16, the row tile of quantized kernels."""
    size = len(tokenizer.get_vocab().keys() | set(specials))
    names = specials + [reserved.format(i) for i in range(-size % 16)]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])


def _bos_template(tokenizer: Tokenizer, bos: str) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1",
                                         special_tokens=[(bos, tokenizer.token_to_id(bos))])


SPECIALS = {"llama": {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
            "gemma": {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}}


def save(tokenizer: Tokenizer, family: str, directory: Path) -> None:
    tokenizer.save(str(directory / "tokenizer.json"))
    configuration = {**SPECIALS[family], "add_bos_token": True, "clean_up_tokenization_spaces": False,
                     "model_max_length": 512, "tokenizer_class": "PreTrainedTokenizerFast"}
    (directory / "tokenizer_config.json").write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n")


def check(tokenizer: Tokenizer) -> None:
    """Every word form is one token: the claim the training rests on."""
    for form in _forms():
        encoding = tokenizer.encode(form, add_special_tokens=False)
        assert len(encoding.ids) == 1, f"{form!r} is {len(encoding.ids)} tokens: {encoding.tokens}"
