"""Merges and converts every adapter of Tests/Vectors/models with Flare, and lets other programs run what came of it.

    python tools/check_round_trips.py --flare .build/release/flare [--only NAME ...]

Every number is the largest difference of a logit to what peft or, for FLARE, the reference computed for the original:

    transformers  `flare merge --dtype f32`, in transformers, which must take every tensor and miss none
    peft          `flare convert` to PEFT's layout: LoRA in peft, FLARE in flare_reference
    gguf          `flare convert` to GGUF, which the gguf package reads as PEFT's updates, in `flare logits`
    via gguf      that file converted to PEFT's layout, in peft

Fails where one is over 1e-3, and where Flare converts what it should refuse or refuses what it should convert.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import gguf
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM

import flare_reference
from check_adapters import SAME_AS, TOLERANCE, Witness
from check_gguf import compare_adapter
from tiny_models import quiet

COLUMNS = ("transformers", "peft", "gguf", "via gguf")


class RoundTrip:
    """One adapter and a folder to convert it in."""

    def __init__(self, witness: Witness, name: str):
        self.witness, self.name, self.model, self.scratch = witness, name, witness.model, witness.scratch
        self.adapter = self.model / name
        self.config = json.loads((self.adapter / "adapter_config.json").read_text())
        key = SAME_AS.get(name, name)
        self.expected = witness.expected[f"logits.{key}"]
        self.tokens = witness.expected["resized_tokens" if key.startswith("resized") else "tokens"].tolist()

    @property
    def is_flare(self) -> bool:
        return bool(self.config.get("fuse_config"))

    @property
    def fits_peft(self) -> bool:
        """Whether Flare writes it in PEFT's layout: no tensor is whole, but base weights that the base has itself."""
        if "fine_tune_type" in self.config:
            return True
        whole = any(self.config[key] for key in ("modules_to_save", "trainable_token_indices"))
        return not whole and self.config["bias"] == "none" and "resized" not in self.name

    @property
    def fits_gguf(self) -> bool:
        # A head that is tied to the embeddings has no name of its own there.
        tied = json.loads((self.model / "config.json").read_text())["tie_word_embeddings"]
        if tied and "lm_head" in self.config.get("target_modules", ()) or self.config.get("ensure_weight_tying"):
            return False
        more = ("fuse_config", "use_dora", "lora_bias")
        is_plain = not any(self.config.get(key) for key in more) and self.config.get("fine_tune_type") != "dora"
        return self.fits_peft and is_plain

    def convert(self, source: Path, destination: Path, is_possible: bool) -> bool:
        command = [self.witness.flare, "convert", source, "--base", self.model, "-o", destination]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if (finished.returncode == 0) != is_possible:
            raise RuntimeError(f"{destination.name}: exit {finished.returncode}, {finished.stderr.strip() or 'no error'}")
        return is_possible

    def difference(self, logits: Tensor) -> float:
        return (logits - self.expected).abs().max().item()

    @torch.no_grad()
    def in_transformers(self, directory: Path) -> float:
        model, info = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        odd = {key: sorted(map(str, names)) for key, names in info.items() if names}
        if odd:
            raise RuntimeError(f"transformers does not take every tensor: {odd}")
        return self.difference(model.eval()(torch.tensor([self.tokens])).logits[0])

    @torch.no_grad()
    def in_peft(self, directory: Path) -> float:
        if self.is_flare:
            is_mt = self.name == "flare-mt"
            given = self.witness.expected["source_states" if is_mt else "source_tokens"]
            source = {"source_states": given} if is_mt else {"source_tokens": given.tolist()}
            return self.difference(flare_reference.load(self.model, [directory]).logits(self.tokens, **source))
        base = AutoModelForCausalLM.from_pretrained(self.model, dtype=torch.float32, attn_implementation="eager")
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*missing adapter keys.*")
            adapted = PeftModel.from_pretrained(base, directory).eval()
        return self.difference(adapted(torch.tensor([self.tokens])).logits[0])

    def results(self) -> dict[str, float]:
        found = {}
        merged, peft, file, back = (self.scratch / name for name in ("merged", "peft", "adapter.gguf", "back"))
        self.witness.run("merge", str(self.model), "--adapter", str(self.adapter), "--dtype", "f32", "-o", str(merged))
        if not (merged / "adapters").exists():  # nothing is left to run time
            found["transformers"] = self.in_transformers(merged)
        if self.convert(self.adapter, peft, self.fits_peft):
            found["peft"] = self.in_peft(peft)
        if self.convert(self.adapter, file, self.fits_gguf):
            # With PEFT's own file where it has the usual keys and no base weights, else with what Flare made of it.
            usual = self.name not in (*SAME_AS, "embedding", "head")
            problems, _ = compare_adapter(self.model, self.adapter if usual else peft, gguf.GGUFReader(file))
            if problems:
                raise RuntimeError("; ".join(problems))
            found["gguf"] = self.witness.error(self.name, self.model, "--adapter", str(file))
            self.convert(file, back, True)
            found["via gguf"] = self.in_peft(back)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flare", type=Path, required=True)
    parser.add_argument("--only", nargs="+", help="names of adapters")
    arguments = parser.parse_args()
    quiet()
    failures = count = 0
    print(f"| model | adapter | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
    for model in ("llama", "gemma2", "llama-biased"):
        for name in Witness(model, arguments.flare, Path()).adapters():
            if arguments.only and name not in arguments.only:
                continue
            count += 1
            with tempfile.TemporaryDirectory() as temporary:
                witness = Witness(model, arguments.flare.resolve(), Path(temporary))
                try:
                    found = RoundTrip(witness, name).results()
                except (RuntimeError, ValueError, KeyError, OSError, UserWarning) as error:
                    found, cells = {"failure": float("nan")}, [f"FAILED {error}"]
                else:
                    cells = [f"{found[column]:.1e}" if column in found else "" for column in COLUMNS]
            failures += not all(value <= TOLERANCE for value in found.values())
            print(f"| {' | '.join([model, name, *cells])} |", flush=True)
    print(f"{count - failures} of {count} adapters agree within {TOLERANCE:g}")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main())
