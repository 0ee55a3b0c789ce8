"""What the models in Tests/Vectors/pickle/trainer say: their parts put together again and run by flare_reference.

    python tools/trainer_logits.py

Part of make_pickle_vectors.py, and by itself enough to write these files again: of each checkpoint `expected.safetensors`,
and `original/config.json` of the model that was trained where none lies beside the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from flare_reference import Reference

PICKLES = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "pickle"
ALPHA = 12
TOKENS = [3, 14, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]
SOURCE_TOKENS = [2, 7, 1, 8, 2, 8, 1, 8, 4, 5]
SMALLEST_EFFECT = 0.05

# The name of each adapter, and its `fuse_config`; FLARE-MT's name does not say how it fuses.
CHECKPOINTS = {
    "add_relu": ("flare-add_relu", {"fusion_fn": "add_relu"}),
    "cross_attention": (
        "flare-cross_attention", {"fusion_fn": "cross-attention", "cross_attention_config": {"num_attention_heads": 2}},
    ),
    "fusemt": ("flare-fusemt", {"fusion_fn": "mul"}),
    "nf4-task": ("lora", None),
}  # fmt: skip


def configuration(folder: Path) -> LlamaConfig:
    beside = folder / "config.json"
    if beside.exists():
        return LlamaConfig.from_pretrained(folder)
    original = folder / "original"
    if not original.exists():
        shape = json.loads((folder.parent / "add_relu" / "config.json").read_text())
        changes = {"num_hidden_layers": 1, "tie_word_embeddings": folder.name == "fusemt"}
        LlamaConfig(**shape | changes).save_pretrained(original)
    return LlamaConfig.from_pretrained(original)


def model(folder: Path) -> LlamaForCausalLM:
    """The base in float32, every tensor of the file used and none missing."""
    config = configuration(folder)
    tensors = {name: tensor.float() for name, tensor in load_file(folder / "base.safetensors").items()}
    config.vocab_size = len(tensors["model.embed_tokens.weight"])
    config._attn_implementation = "eager"
    base = LlamaForCausalLM(config).float()
    if config.tie_word_embeddings:
        tensors.setdefault("lm_head.weight", tensors["model.embed_tokens.weight"])
    base.load_state_dict(tensors, strict=True)
    return base


def logits(folder: Path, **source) -> Tensor:
    _, fusion = CHECKPOINTS[folder.name]
    tensors = load_file(folder / "adapter.safetensors")
    rank = next(len(tensor) for name, tensor in tensors.items() if "lora_A" in name)
    with tempfile.TemporaryDirectory() as temporary:
        adapter = Path(temporary)
        shutil.copy(folder / "adapter.safetensors", adapter / "adapter_model.safetensors")
        fields = {"peft_type": "LORA", "r": rank, "lora_alpha": ALPHA, "fuse_config": fusion}
        (adapter / "adapter_config.json").write_text(json.dumps(fields))
        return Reference(model(folder), [adapter]).logits(TOKENS, **source)


def make_logits() -> None:
    for name, (_, fusion) in CHECKPOINTS.items():
        folder = PICKLES / "trainer" / name
        expected = {"tokens": torch.tensor(TOKENS)}
        with torch.no_grad():
            expected["logits.base"] = model(folder).eval()(torch.tensor([TOKENS])).logits[0]
        expected["logits.no-source"] = logits(folder)
        effects = {"adapter": (expected["logits.no-source"], expected["logits.base"])}
        if fusion:
            if name == "fusemt":
                width = load_file(folder / "adapter.safetensors")["proj.weight"].shape[1]
                states = torch.randn(len(TOKENS), width, generator=torch.Generator().manual_seed(7))
                source = {"source_states": states}
            else:
                source = {"source_tokens": SOURCE_TOKENS}
            expected |= {key: torch.as_tensor(value) for key, value in source.items()}
            expected["logits.source"] = logits(folder, **source)
            effects["source"] = (expected["logits.source"], expected["logits.no-source"])
        for what, (one, other) in effects.items():
            effect = (one - other).abs().max().item()
            print(f"  {name}: the {what} moves a logit by {effect:.3f}")
            assert effect > SMALLEST_EFFECT, f"{name}: the {what} does next to nothing"
        save_file({key: value.contiguous().clone() for key, value in expected.items()}, folder / "expected.safetensors")


def main() -> None:
    torch.set_num_threads(1)
    make_logits()
    manifest = PICKLES / "MANIFEST.json"
    fields = json.loads(manifest.read_text())
    files = sorted(path for path in PICKLES.rglob("*") if path.is_file() and path != manifest)
    fields["sha256"] = {str(path.relative_to(PICKLES)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    manifest.write_text(json.dumps(fields, indent=2) + "\n")


if __name__ == "__main__":
    main()
