"""Compares `flare tokenize` on generated strings with tokenizers, sentencepiece and llama.cpp.

    python tools/check_tokenizers.py --flare .build/release/flare [--count 200] [--seed 1] [--vocabulary FILE.gguf]

The tokenizers are those of Tests/Vectors, in every form: `tokenizer.json` beside Hugging Face's library, `tokenizer.model`
beside sentencepiece, and the GGUF file that `flare convert` makes of a tiny random model with the tokenizer, beside the ids
that the tokenizer gave before. llama.cpp (llama-cpp-python) reads the same GGUF files; where it differs from the tokenizer's
own library that is counted and no failure. `--vocabulary` adds a GGUF file with `.inp` and `.out` beside it, as llama.cpp's
repository has them: texts separated by a line `__ggml_vocab_test__`, and a line of ids for each.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2 as protobuf
from tokenizers import Tokenizer
from transformers import LlamaConfig

from make_tokenizer_vectors import random_text
from tiny_models import quiet, save_model

VECTORS = Path(__file__).resolve().parent.parent / "Tests" / "Vectors"
USER_DEFINED = 4  # sentencepiece's number of the type
LLAMA_CPP = """
import json, sys, llama_cpp as api
api.llama_backend_init()
parameters = api.llama_model_default_params()
parameters.vocab_only = True
model = api.llama_model_load_from_file(sys.argv[1].encode(), parameters)
vocabulary = api.llama_model_get_vocab(model)
for text in json.load(sys.stdin):
    data = text.encode()
    tokens = (api.llama_token * (len(data) + 16))()
    count = api.llama_tokenize(vocabulary, data, len(data), tokens, len(tokens), False, True)
    print(json.dumps(tokens[:count]))
"""


def flare_ids(flare: str, model: Path, texts: list[str]) -> list[list[int] | str]:
    """The ids of each text, or what the command said instead."""

    def one(text: str) -> list[int] | str:
        command = [flare, "tokenize", str(model), "--ids", "--no-special", "--", text]
        run = subprocess.run(command, capture_output=True, text=True)
        return [int(i) for i in run.stdout.split()] if run.returncode == 0 else run.stderr.strip()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, texts))


def llama_cpp_ids(model: Path, texts: list[str]) -> list[list[int]] | None:
    import json

    run = subprocess.run(
        [sys.executable, "-c", LLAMA_CPP, str(model)], input=json.dumps(texts), capture_output=True, text=True)  # fmt: skip
    return [json.loads(line) for line in run.stdout.splitlines()] if run.returncode == 0 else None


def compare(name: str, what: str, texts: list[str], ours: list, theirs: list) -> int:
    different = [(t, a, b) for t, a, b in zip(texts, ours, theirs, strict=True) if a != b]
    for text, a, b in different[:3]:
        print(f"  {text!r}\n    flare {a}\n    {what} {b}")
    print(f"{name}: {len(texts) - len(different)} of {len(texts)} as {what}", flush=True)
    return len(different)


def gguf_of(flare: str, directory: Path, size: int, scratch: Path) -> tuple[Path | None, str]:
    """A GGUF file with the tokenizer in `directory`; or none, and what the command said."""
    model = scratch / "model"
    config = LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=size,
        bos_token_id=None, eos_token_id=None)  # fmt: skip
    save_model(config, model, 1, torch.float32)
    for name in ("tokenizer.json", "tokenizer.model"):
        if (directory / name).exists():
            shutil.copy(directory / name, model)
    path = scratch / "model.gguf"
    run = subprocess.run([flare, "convert", str(model), "-o", str(path)], capture_output=True, text=True)
    return (path, "") if run.returncode == 0 else (None, run.stderr.strip())


def check(
    flare: str, directory: Path, size: int, encode: Callable[[str], list[int]], what: str, texts: list[str],
    symbols: Callable[[str], bool] = lambda _: False,
) -> int:  # fmt: skip
    """`symbols` says whether a text holds what GGUF cuts out of it before spaces are marked, and sentencepiece after."""
    expected = [encode(text) for text in texts]
    faults = compare(directory.name, what, texts, flare_ids(flare, directory, texts), expected)
    texts = [text for text in texts if not symbols(text)]
    expected = [encode(text) for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        path, refusal = gguf_of(flare, directory, size, Path(folder))
        if path is None:
            print(f"{directory.name}: no GGUF: {refusal}")
            return faults
        faults += compare(f"{directory.name} as GGUF", what, texts, flare_ids(flare, path, texts), expected)
        theirs = llama_cpp_ids(path, texts)
        same = "cannot load it" if theirs is None else f"{sum(a == b for a, b in zip(theirs, expected))} of {len(texts)}"
        print(f"{directory.name} in llama.cpp: {same}", flush=True)
    return faults


def check_vocabulary(flare: str, path: Path) -> int:
    texts = Path(f"{path}.inp").read_text().split("\n__ggml_vocab_test__\n")
    expected = [[int(i) for i in line.split()] for line in Path(f"{path}.out").read_text().splitlines()]
    return compare(path.name, ".out", texts[: len(expected)], flare_ids(flare, path, texts[: len(expected)]), expected)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flare", required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocabulary", type=Path)
    arguments = parser.parse_args()
    quiet()
    # A NUL cannot be an argument of a command.
    rng = random.Random(arguments.seed)
    texts = [random_text(rng).replace("\0", "") for _ in range(arguments.count)]
    faults = 0
    for directory in sorted((VECTORS / "tokenizers").iterdir()):
        if not (directory / "tokenizer.json").exists():
            continue
        library = Tokenizer.from_file(str(directory / "tokenizer.json"))
        encode = lambda text: library.encode(text, add_special_tokens=False).ids  # noqa: E731
        faults += check(arguments.flare, directory, library.get_vocab_size(), encode, "tokenizers", texts)
    # Control tokens in a text are Hugging Face's idea; sentencepiece reads them as characters.
    controls = ["<s>", "</s>", "<unk>", "<ctl>", "<pad>"]
    plain = [text for text in texts if not any(control in text for control in controls)]
    for path in sorted((VECTORS / "sentencepiece").glob("*/tokenizer.model")):
        library = sentencepiece.SentencePieceProcessor(str(path))
        defined = [p.piece for p in protobuf.ModelProto.FromString(path.read_bytes()).pieces if p.type == USER_DEFINED]
        symbols = lambda text: bool(defined) and any(s in text for s in ["▁", *defined])  # noqa: B023, E731
        faults += check(
            arguments.flare, path.parent, library.vocab_size(), library.encode, "sentencepiece", plain, symbols)  # fmt: skip
    if arguments.vocabulary:
        faults += check_vocabulary(arguments.flare, arguments.vocabulary)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
