#!/usr/bin/env python3
"""Writes Tests/Vectors/sentencepiece: tiny `tokenizer.model` files and what sentencepiece makes of text.

The models are trained here, one for every rule that a model file can ask for. `unigram_json` is a
`tokenizer.json` with a unigram model, whose witness is the `tokenizers` package.
"""

import base64
import hashlib
import io
import json
import random
import sys
import tempfile
from pathlib import Path

import sentencepiece
import tokenizers
from make_tokenizer_vectors import CORPUS, DIFFICULT, SEED, compact, random_text
from sentencepiece import sentencepiece_model_pb2 as protobuf
from tokenizers import Tokenizer

VECTORS = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "sentencepiece"

# A map small enough for the repository; sentencepiece's own nmt_nfkc has 230 kB.
RULES = {"ﬁ": "fi", "½": "1⁄2", "\u3000": " ", "\u00a0": " ", "\u200b": "", "e\u0301": "é", "A\u030a": "Å", "ſ": "s",
         "Ⅷ": "VIII", "\t": " ", "\n": " ", "…": "..."}  # fmt: skip

MODELS = {
    # Llama 2: every character is kept, what is unknown is spelled in bytes.
    "llama": dict(model_type="bpe", vocab_size=480, byte_fallback=True, remove_extra_whitespaces=False,
                  normalization_rule_name="identity"),
    # Gemma: no space in front, runs of spaces and line ends are symbols of their own.
    "gemma": dict(model_type="bpe", vocab_size=480, byte_fallback=True, remove_extra_whitespaces=False,
                  normalization_rule_name="identity", add_dummy_prefix=False, split_digits=True,
                  user_defined_symbols=["▁▁", "▁▁▁", "\n\n", "<mask>"]),
    # The defaults of the trainer, with a map and symbols.
    "plain": dict(model_type="bpe", vocab_size=240, rules=True, control_symbols=["<ctl>"],
                  user_defined_symbols=["<sep>", "Ana"]),
    # T5.
    "t5": dict(model_type="unigram", vocab_size=240, rules=True, user_defined_symbols=["<sep>", "bridge", "an", "ana"],
               pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
    "unigram": dict(model_type="unigram", vocab_size=480, byte_fallback=True, remove_extra_whitespaces=False,
                    normalization_rule_name="identity"),
}  # fmt: skip


def train(rules=False, **options):
    """A model trained on the corpus, as the bytes of its file."""
    lines = [line for line in CORPUS.strip().split("\n") for _ in range(2)]
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as table:
        if rules:
            for source, target in RULES.items():
                table.write("\t".join(" ".join(f"{ord(c):X}" for c in text) for text in (source, target)) + "\n")
            table.flush()
            options["normalization_rule_tsv"] = table.name
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, minloglevel=2, hard_vocab_limit=False,
            num_threads=1, character_coverage=0.98, **options)  # fmt: skip
    message = protobuf.ModelProto.FromString(model.getvalue())
    # The trainer notes the name of its temporary table.
    message.normalizer_spec.ClearField("normalization_rule_tsv")
    return message.SerializeToString(deterministic=True)


def unigram_json(model):
    """The model as `tokenizer.json` of a Hugging Face T5: by grapheme, word by word."""
    message = protobuf.ModelProto.FromString(model)
    normal = [piece for piece in message.pieces if piece.type != 3]
    charsmap = base64.b64encode(message.normalizer_spec.precompiled_charsmap).decode()
    unknown = next(i for i, piece in enumerate(normal) if piece.type == 2)
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap},
            {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
        ]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": None,
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": [[p.piece, p.score] for p in normal],
                  "byte_fallback": False},
    }  # fmt: skip


def rows(encode, texts):
    return {"encode": [{"text": text, "ids": encode(text), "before": [], "after": []} for text in texts], "decode": []}


def main():
    rng = random.Random(SEED)
    # Control tokens in the text are Hugging Face's idea; sentencepiece reads them as characters.
    controls = ["<s>", "</s>", "<unk>", "<ctl>", "<pad>"]
    texts = [t for t in DIFFICULT + [random_text(rng) for _ in range(80)] if not any(c in t for c in controls)]
    texts += ["a<sep>b", "<sep> Ana<sep>", "bridges", "Ananas wanita", "a    b", "x\n\n\ny", "<mask>x <mask>", "aaaaaaaaa", "\u200b", " \u200b "]
    files = {}
    for name, options in MODELS.items():
        model = train(**options)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        cases = rows(processor.encode, texts)
        cases["decode"] = [
            {"ids": row["ids"], "text": processor.decode(row["ids"]), "skipping": processor.decode(row["ids"])}
            for row in cases["encode"][::5]
        ]
        files[f"{name}/tokenizer.model"] = model
        files[f"{name}/cases.json"] = (compact(cases) + "\n").encode()
        if name == "t5":
            document = unigram_json(model)
            tokenizer = Tokenizer.from_str(json.dumps(document))
            encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
            files["unigram_json/tokenizer.json"] = (compact(document) + "\n").encode()
            files["unigram_json/cases.json"] = (compact(rows(encode, texts)) + "\n").encode()
    manifest = {
        "generator": "tools/make_sentencepiece_vectors.py",
        "source": {"sentencepiece": sentencepiece.__version__, "tokenizers": tokenizers.__version__,
                   "python": sys.version.split()[0]},
        "seed": SEED,
        "files": {n: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in files.items()},
    }  # fmt: skip
    files["MANIFEST.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    for name, data in files.items():
        path = VECTORS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{len(texts)} texts, {sum(map(len, files.values())):,} bytes in {VECTORS}")


if __name__ == "__main__":
    main()
