#!/usr/bin/env python3
"""Writes Tests/Vectors/tokenizers: small trained tokenizers and what they make of difficult text.

The witness is the `tokenizers` package. Every tokenizer has the shape of one family's
`tokenizer.json`; the vocabularies are tiny and trained on the text in this file, so that the
folder stays small and every rule (merges, byte fallback, unknowns, added tokens) still fires.

    python tools/make_tokenizer_vectors.py
"""

import argparse
import collections
import hashlib
import json
import random
import sys
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

SEED = 20240607
VECTORS = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "tokenizers"

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SMALL, CAPITAL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{CAPITAL}*{SMALL}+|[^\r\n\p{{L}}\p{{N}}]?{CAPITAL}+{SMALL}*|\p{{N}}" + REST
)
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{CAPITAL}*{SMALL}+{CONTRACTION}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{CAPITAL}+{SMALL}*{CONTRACTION}|\p{{N}}{{1,3}}" + REST
)

CORPUS = """
The lighthouse keeper's daughter couldn't sleep, so she'd counted the ships until they'd gone.
We're told that 1,234 boats and 56.78 tonnes of rope were lost in 1987; I'm not sure they've said why.
Context: The old bridge was built in 1902 by Ana Wirawan. Question: Who built the bridge? Answer: Ana Wirawan.
THE HARBOUR ISN'T OPEN BEFORE 06:30, AND IT'LL CLOSE AT 22:15.
Jembatan tua itu dibangun pada tahun 1902. Pertanyaan: Siapa yang membangun jembatan itu? Jawaban: Ana.
Anak-anak berlari-lari di tepi pantai sambil membawa layang-layang berwarna merah dan putih.
Mtoto alikwenda sokoni kununua matunda na mboga kwa ajili ya familia yake.
Où est passée l'été? Près de la forêt, là où naît la rivière. Die Straße führt über die Brücke.
Старый мост стоит над рекой уже больше ста лет, и никто не помнит, кто его построил.
Η γέφυρα είναι παλιά και ο ποταμός βαθύς.
古い橋は百年前に建てられました。誰が建てたのですか。桥是一百年前建的。
الجسر القديم بُني قبل مئة عام ولا أحد يعرف من بناه.
पुराना पुल सौ साल पहले बनाया गया था। किसने बनाया?
def total(values):
    result = 0
    for value in values:
        result += value  # add it
    return result
"""

DIFFICULT = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "\t\n", " \r\n \r\n", "a", "A", "▁", " ▁", "▁a ▁",
    "Hello world", " Hello world", "  Hello  world  ", "Hello\nworld", "Hello \n\n world\n", "x\r\n\r\ny", "tabs\t\tand\tmore\t",
    "the bridge was built in 1902", "Who built the bridge?", "1", "12", "123", "1234", "12345", "1234567", "1,234.56", "3.14e-10",
    "x1y22z333", "½ ⅔ ² Ⅷ ௧௨௩ ٣٤٥", "١٢٣٤٥", "can't won't they're we've I'm it'll she'd", "CAN'T WON'T THEY'RE WE'VE I'M IT'LL SHE'D",
    "'s 'S 'ſ 'sſ 'Ll 'lL 're 'Re", "o'clock 'tis 'em ''s '", "it’s don’t", "x'", "'x", " 's", "  's", "'\ns", "a'sb 'd1",
    "naïve café", "cafe\u0301 nai\u0308ve", "e\u0301\u0301\u0302", "\u0301 alone", "A\u030a Å Å", "한국어 각 \u1112\u1161\u11ab",
    "古い橋は百年前に建てられました。", "桥是一百年前建的", "全角　空白", "アイウ ｱｲｳ ﾞ", "الجسر القديم بُني", "مئة عام", "پل قدیمی\u200cها",
    "पुराना पुल सौ साल", "क्षत्रिय ज्ञान", "தமிழ் மொழி", "ไทยภาษา", "Старый мост", "Η γέφυρα", "שלום עולם", "ភាសាខ្មែរ",
    "Jembatan tua itu dibangun pada tahun 1902.", "layang-layang berwarna merah", "Mtoto alikwenda sokoni",
    "😀", "😀😃", "👩‍👩‍👧‍👦 family", "👍🏽👍🏿", "🏳️‍🌈", "🇮🇩🇰🇪", "❤️ ❤", "☃", "a😀b", " 😀 ", "𝓗𝓮𝓵𝓵𝓸", "𐍈𐍉", "\U0001F9FF\U000E0067",
    "\u0000", "a\u0000b", "\u0001\u0002\u001f", "\u007f\u0080\u0085\u00a0x", "\u00adsoft", "\ufeffbom", "\u200b\u200d\u2060", "\u2028\u2029x",
    "\u1680\u2000\u2003\u202f\u205f\u3000x", "x\u0085\u0085y", "x \u00a0 y", "\x1c\x1d\x1e\x1f x", "\x0b\x0c x", "\ufffd\ufffe\uffff", "\ue000",
    "<s>", "</s>", "<bos>hello<eos>", "<|begin_of_text|>", "<|eot_id|>hi<|eot_id|>", "a<|end_of_text|>b", " <|eot_id|> ", "<|eot_id|",
    "<|endoftext|>x<|endoftext|><|endoftext|>", "<mask>", "a  <mask>  b", "  <mask><mask>  ", "<end>   x", "<end> <mask> <end>\n\n y", "x <s> y</s> ",
    "flare", "a flare!", "flares flare aflare", "flareflare", "flare flare", "Flare", "_flare flare_", "éflare flaré", "Soft Token", "soft token SOFT TOKEN",
    "a soft token b", "<s>soft token", "Ünder under", "<0x41>", "<0x0A>", "<unk>", "x<unk>y", "<unk> <unk>", "!!!", "...", "?!\n", " ?!\r\n\r\n z", "-- --",
    "a.b.c", "foo_bar-baz", "http://example.com/a?b=c&d=%20", "user@example.com", "{\"key\": [1, 2.5, null]}", "#include <stdio.h>\n",
    "def f(x):\n    return x  # add\n", "\tif x:\n\t\tpass", "x=1;y=2", "a+b=c", "<p class='x'>it's</p>", "C:\\dir\\file", "$1,000.00", "€5 £6 ¥7",
    "a" * 40, "ab" * 20, " " * 33, "\n" * 12, "=" * 20, "e\u0301" * 6, "😀" * 5, "the " * 8, "9" * 17, "aaaa bbbb", "İstanbul ıI ǅ ẞß ŉ", "ΣΑΣ σας",
    "ſ ſt ﬆ ﬁ ﬃ", "Ⓐⓑ ㎏ ㍿", "ªº ʰ", "ⅷ Ⅷ", "߀ ᠐ 𝟘", "…—–‘’“”", "x̲ y̅", "\u0640\u0640", "ᄀᄀ가각", "\u034f\u035f", "A\u200dB", "🤦🏼‍♂️",
]  # fmt: skip

POOLS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJ", "0123456789", "     \n\t\r", " \u00a0\u3000\u2003", ".,;:!?'\"-_()[]{}<>/|\\@#%&*+=",
    "éèüßñçåøıİſŉ", "бгджзийкл", "αβγδς", "古い橋は桥百年。", "الجسرقديمُ", "पुरानालसौि", "한국어각", "😀👍🏽‍️🇮🇩", "\u0301\u0308\u0327\u200d\u00ad",
    "½²Ⅷ٣௧", "▁", "'s't're've'm'll'd'S'LL",
]  # fmt: skip
WORDS = CORPUS.split() + ["<s>", "</s>", "<bos>", "<mask>", "<end>", "<|eot_id|>", "<|endoftext|>", "flare", "soft token", "<unk>"]


def random_text(rng):
    """Words, and runs of characters from a few scripts, in any order."""
    parts = []
    for _ in range(rng.randint(1, 7)):
        if rng.random() < 0.4:
            parts.append(rng.choice(WORDS))
        else:
            pool = rng.choice(POOLS)
            parts.append("".join(rng.choice(pool) for _ in range(rng.randint(1, 6))))
        if rng.random() < 0.4:
            parts.append(rng.choice([" ", "  ", "\n", " \n"]))
    return "".join(parts)


def trainer(size, specials, **options):
    return BpeTrainer(vocab_size=size, special_tokens=specials, show_progress=False, **options)


def train(tokenizer, size, specials, **options):
    """Trains on the corpus; every line occurs twice so that words longer than a pair are learned."""
    lines = [line for line in CORPUS.strip().split("\n") for _ in range(2)]
    tokenizer.train_from_iterator(lines, trainer(size, specials, **options))
    return tokenizer


def alphabet(size, text=CORPUS):
    """The `size` most frequent characters. The trainer's own choice among equals changes by run."""
    counts = collections.Counter("".join(text.split()) + "▁")
    ordered = sorted(counts, key=lambda character: (-counts[character], character))
    return {"initial_alphabet": ordered[: size - 1] + ["▁"], "limit_alphabet": size}


def byte_level(size, specials, pre_tokenizer, **model):
    tokenizer = Tokenizer(BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    return train(tokenizer, size, specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
    ])  # fmt: skip


def llama3():
    tokenizer = byte_level(430, [], split_then_bytes(LLAMA3), ignore_merges=True)
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    add_tokens_with_options(tokenizer)
    begin = ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True, add_prefix_space=False),
        processors.TemplateProcessing("<|begin_of_text|> $A", "<|begin_of_text|> $A $B", [begin]),
    ])  # fmt: skip
    document = json.loads(tokenizer.to_str())
    # Words that no chain of merges reaches: only `ignore_merges` finds them whole.
    del document["model"]["merges"][40:60]
    return document


def gpt2():
    tokenizer = byte_level(400, ["<|endoftext|>"], pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    add_tokens_with_options(tokenizer)
    document = json.loads(tokenizer.to_str())
    # The older spelling of a merge, which most published files still have.
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    return document


def qwen2():
    tokenizer = byte_level(360, [], split_then_bytes(QWEN2))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|eot_id|>"])
    return json.loads(tokenizer.to_str())


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def sentence_piece(size, specials):
    """A SentencePiece-like model: spaces are '▁', unseen characters are spelled in bytes."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    train(tokenizer, size, specials + BYTES, **alphabet(90))
    tokenizer.pre_tokenizer = None
    return tokenizer


def without_added_bytes(tokenizer):
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] not in BYTES]
    return document


def fallback_decoder(*after):
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *after])


def template(tokenizer, token):
    pair = (token, tokenizer.token_to_id(token))
    return processors.TemplateProcessing(f"{token} $A", f"{token} $A {token} $B", [pair])


def gemma():
    tokenizer = sentence_piece(520, ["<pad>", "<eos>", "<bos>", "<unk>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous", invert=False)
    tokenizer.decoder = fallback_decoder()
    tokenizer.add_tokens([AddedToken("\n" * n, normalized=False) for n in (2, 3)])
    tokenizer.add_tokens([AddedToken("▁" * n, normalized=False) for n in (2, 3, 4)])
    add_tokens_with_options(tokenizer)
    tokenizer.post_processor = template(tokenizer, "<bos>")
    return without_added_bytes(tokenizer)


def llama2():
    tokenizer = sentence_piece(500, ["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = fallback_decoder(decoders.Strip(" ", 1, 0))
    add_tokens_with_options(tokenizer)
    tokenizer.post_processor = template(tokenizer, "<s>")
    return without_added_bytes(tokenizer)


def mistral():
    tokenizer = sentence_piece(470, ["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    tokenizer.decoder = fallback_decoder(decoders.Strip(" ", 1, 0))
    tokenizer.post_processor = template(tokenizer, "<s>")
    return without_added_bytes(tokenizer)


def assorted():
    """Every remaining option: unknown tokens one by one, words split off, both ends framed."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>", fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Strip(), normalizers.Lowercase(), normalizers.Replace("--", "—"),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(",", "removed"), pre_tokenizers.Split("-", "contiguous"),
        pre_tokenizers.Metaspace("▁", prepend_scheme="always", split=True),
        pre_tokenizers.Digits(individual_digits=True),
    ])  # fmt: skip
    train(tokenizer, 260, ["<unk>", "<s>", "</s>"], **alphabet(70, CORPUS.lower()))
    tokenizer.decoder = decoders.Metaspace("▁", prepend_scheme="always", split=True)
    add_tokens_with_options(tokenizer)
    frame = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> $B </s>", frame)
    return json.loads(tokenizer.to_str())


def add_tokens_with_options(tokenizer):
    tokenizer.add_special_tokens([
        AddedToken("<mask>", lstrip=True, normalized=False), AddedToken("<end>", rstrip=True, normalized=False),
    ])  # fmt: skip
    tokenizer.add_tokens([AddedToken("flare", single_word=True, normalized=False), AddedToken("soft token", normalized=True)])


def tekken():
    tokenizer = byte_level(360, ["<unk>", "<s>", "</s>"], split_then_bytes(TEKKEN), ignore_merges=True)
    tokenizer.post_processor = template(tokenizer, "<s>")
    return json.loads(tokenizer.to_str())


def llama4():
    tokenizer = byte_level(360, [], split_then_bytes(O200K))
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|eot|>"])
    return json.loads(tokenizer.to_str())


FAMILIES = [llama3, gpt2, qwen2, gemma, llama2, mistral, assorted, tekken, llama4]


def cases_of(tokenizer, texts, rng):
    encoded = []
    for text in texts:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        framed = tokenizer.encode(text, add_special_tokens=True).ids
        start = next((i for i in range(len(framed) - len(plain) + 1) if framed[i : i + len(plain)] == plain))
        encoded.append({"text": text, "ids": plain, "before": framed[:start], "after": framed[start + len(plain) :]})
    sequences = [tokenizer.encode(text, add_special_tokens=True).ids for text in texts[::3]]
    top = tokenizer.get_vocab_size() - 1
    sequences += [[rng.randint(0, top) for _ in range(rng.randint(1, 14))] for _ in range(60)]
    decoded = [
        {
            "ids": ids,
            "text": tokenizer.decode(ids, skip_special_tokens=False),
            "skipping": tokenizer.decode(ids, skip_special_tokens=True),
        }
        for ids in sequences
    ]
    return {"encode": encoded, "decode": decoded}


def compact(value):
    """One case per line: diffs stay readable and the files small."""
    if isinstance(value, dict) and set(value) == {"encode", "decode"}:
        groups = (f'"{key}": [\n' + ",\n".join(map(compact, rows)) + "\n]" for key, rows in value.items())
        return "{" + ",\n".join(groups) + "}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write():
    rng = random.Random(SEED)
    texts = DIFFICULT + [random_text(rng) for _ in range(80)]
    hashes = {}
    for family in FAMILIES:
        document = family()
        folder = VECTORS / family.__name__
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = Tokenizer.from_str(json.dumps(document))
        files = {"tokenizer.json": compact(document), "cases.json": compact(cases_of(tokenizer, texts, rng))}
        for name, text in files.items():
            data = (text + "\n").encode()
            (folder / name).write_bytes(data)
            hashes[f"{family.__name__}/{name}"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {
        "generator": "tools/make_tokenizer_vectors.py",
        "source": {"package": "tokenizers", "version": tokenizers.__version__, "python": sys.version.split()[0]},
        "seed": SEED,
        "files": hashes,
    }
    (VECTORS / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{len(texts)} texts, {sum(f['bytes'] for f in hashes.values()):,} bytes in {VECTORS}")


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    write()


if __name__ == "__main__":
    main()
