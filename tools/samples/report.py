"""`expected.json`, `README.md` and `MANIFEST.json`: what was measured, said to a program and to a person."""

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

TEMPLATE = Path(__file__).parent / "README.template.md"
WRITTEN = ("data", "gemma", "llama")  # the directories whose files the manifest pins
PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors")

# Row name and what the table calls it; only the wording lives here, what a row runs is in `rows`.
TABLE = [
    ("base, English", "base alone, English text"),
    ("task LoRA, English", "task LoRA, English text: how well the skill is known"),
    ("zero-shot", "zero-shot: task LoRA, Indonesian text"),
    ("target-lora", "plain target LoRA"),
    ("flare-add_relu", "**FLARE `add_relu`** with the English translation"),
    ("flare-add", "FLARE `add` with the English translation"),
    ("flare-add_relu, no source", "FLARE `add_relu` without a source"),
    ("flare-add, no source", "FLARE `add` without a source"),
    ("flare-add_relu, wrong source", "FLARE `add_relu` with another item's translation"),
    ("flare-add, wrong source", "FLARE `add` with another item's translation"),
    ("reads-english", "plain LoRA that reads the translation as its prompt, answers in Indonesian"),
    ("target-lora, English", "English text after the target LoRA"),
    ("flare-add_relu, English", "English text after FLARE `add_relu`, no source"),
]


def write(samples: Path, scratch: Path, seed: int, seconds: int | None) -> None:
    """Gather both models' rows from `scratch`, if they are there, and write the three files."""
    expected_path = samples / "data" / "expected.json"
    expected = _merged(expected_path, scratch, "rows.json")
    stages = _merged(samples / "MANIFEST.json", scratch, "stages.json", key="stage_seconds")
    expected_path.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    seeds = {name: list(model["rows"]["flare-add_relu"]["exact_match_by_seed"]) for name, model in expected.items()}
    (samples / "README.md").write_text(readme(expected, max(seeds.values(), key=len), stages))
    write_manifest(samples, seed, seeds, seconds, stages)


def _merged(written: Path, scratch: Path, name: str, key: str | None = None) -> dict:
    """What an earlier run wrote, with each model that `scratch` knows anew in its place."""
    before = json.loads(written.read_text()) if written.exists() else {}
    before = before.get(key, {}) if key else before
    return before | {file.parent.name: json.loads(file.read_text()) for file in sorted(scratch.glob(f"*/{name}"))}


def readme(expected: dict, seeds: list[str], stages: dict[str, dict[str, int]]) -> str:
    slowest = max(sum(seconds.values()) for seconds in stages.values())
    others = "no other seed was run"
    if len(seeds) > 1:
        others = f"in brackets, the same trained with seed {' and '.join(seeds[1:])}"
    values = {"table": table(expected), "first_seed": seeds[0], "other_seeds": others,
              "minutes": f"{slowest / 60:.0f}"}
    text = TEMPLATE.read_text()
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def table(expected: dict) -> str:
    families = ["llama", "gemma"]
    lines = ["| | Llama | Gemma |", "|---|---|---|"]
    for name, words in TABLE:
        cells = [_cell(expected.get(family, {}).get("rows", {}).get(name)) for family in families]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: dict | None) -> str:
    if row is None:
        return "–"
    scores = list(row["exact_match_by_seed"].values())
    shown = f"{row['exact_match']:.4f}"
    others = ", ".join(f"{score:.3f}" for score in scores[1:])
    return f"{shown} ({others})" if others else shown


def write_manifest(samples: Path, seed: int, adapter_seeds: dict[str, list[str]], seconds: int | None,
                   stages: dict) -> None:
    path = samples / "MANIFEST.json"
    previous = json.loads(path.read_text()) if path.exists() else {}
    files = sorted(f for name in WRITTEN for f in (samples / name).rglob("*") if f.is_file())
    manifest = {
        "command": "python tools/train_samples.py",
        "seed": seed,
        "adapter_seeds": adapter_seeds,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "wall_seconds": seconds if seconds is not None else previous.get("wall_seconds"),
        "stage_seconds": stages,
        "files": {
            str(f.relative_to(samples)): {"bytes": f.stat().st_size,
                                          "sha256": hashlib.sha256(f.read_bytes()).hexdigest()}
            for f in files
        },
    }
    path.write_text(json.dumps(manifest, indent=1) + "\n")
