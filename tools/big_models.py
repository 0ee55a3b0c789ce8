"""Random checkpoints in the shape of published models, and adapters for them, written piece by piece."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_models import ALL_LINEARS, write_json
from transformers import LlamaConfig

RANK, ALPHA = 16, 32


@dataclass(frozen=True)
class Shape:
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    tied: bool
    rope_factor: float
    files: int  # that the checkpoint is split into

    def linears(self) -> dict[str, tuple[int, int]]:
        """Path and shape of every linear of the decoder layers."""
        queries, keys = self.heads * self.head_dim, self.key_value_heads * self.head_dim
        shapes = {
            "self_attn.q_proj": (queries, self.hidden), "self_attn.k_proj": (keys, self.hidden),
            "self_attn.v_proj": (keys, self.hidden), "self_attn.o_proj": (self.hidden, queries),
            "mlp.gate_proj": (self.feed_forward, self.hidden), "mlp.up_proj": (self.feed_forward, self.hidden),
            "mlp.down_proj": (self.hidden, self.feed_forward),
        }  # fmt: skip
        return {f"model.layers.{layer}.{name}": size for layer in range(self.layers) for name, size in shapes.items()}

    def tensors(self) -> dict[str, tuple[int, ...]]:
        embeddings = ["model.embed_tokens.weight"] + ["lm_head.weight"] * (not self.tied)
        shapes: dict[str, tuple[int, ...]] = {name: (self.vocabulary, self.hidden) for name in embeddings}
        shapes["model.norm.weight"] = (self.hidden,)
        for layer in range(self.layers):
            for norm in ("input_layernorm", "post_attention_layernorm"):
                shapes[f"model.layers.{layer}.{norm}.weight"] = (self.hidden,)
        return shapes | {f"{path}.weight": size for path, size in self.linears().items()}

    def byte_count(self) -> int:
        return sum(map(byte_count, self.tensors().values()))

    def configuration(self) -> LlamaConfig:
        rope = {
            "rope_type": "llama3", "rope_theta": 500000.0, "factor": self.rope_factor, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
        }  # fmt: skip
        return LlamaConfig(
            vocab_size=self.vocabulary, hidden_size=self.hidden, intermediate_size=self.feed_forward,
            num_hidden_layers=self.layers, num_attention_heads=self.heads, num_key_value_heads=self.key_value_heads,
            head_dim=self.head_dim, rope_parameters=rope, max_position_embeddings=131072, rms_norm_eps=1e-5,
            tie_word_embeddings=self.tied, dtype="bfloat16", architectures=["LlamaForCausalLM"],
            bos_token_id=min(128000, self.vocabulary - 2), eos_token_id=min(128001, self.vocabulary - 1),
        )  # fmt: skip


SHAPES = {
    "small": Shape(1024, 4, 16, 4, 64, 4096, 32000, tied=True, rope_factor=32.0, files=1),
    "llama-3.2-1b": Shape(2048, 16, 32, 8, 64, 8192, 128256, tied=True, rope_factor=32.0, files=1),
    "llama-3.1-8b": Shape(4096, 32, 32, 8, 128, 14336, 128256, tied=False, rope_factor=8.0, files=4),
}


def write_checkpoint(directory: Path, shape: Shape, files: int | None = None) -> None:
    """Writes a BF16 checkpoint: noise from one block, begun at another place for each piece."""
    directory.mkdir(parents=True)
    shape.configuration().save_pretrained(directory)
    generator = torch.Generator().manual_seed(1)
    noise = (0.02 * torch.randn(1 << 24, generator=generator)).bfloat16().view(torch.uint8).numpy().tobytes()
    parts = split(shape.tensors(), files or shape.files)
    places: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        name = "model.safetensors" if len(parts) == 1 else f"model-{number:05}-of-{len(parts):05}.safetensors"
        places |= dict.fromkeys(part, name)
        write_safetensors(directory / name, part, noise)
    if len(parts) > 1:
        index = {"metadata": {"total_size": shape.byte_count()}, "weight_map": places}
        write_json(directory / "model.safetensors.index.json", index)


def byte_count(shape: tuple[int, ...]) -> int:
    return 2 * torch.Size(shape).numel()


def split(tensors: dict[str, tuple[int, ...]], count: int) -> list[dict[str, tuple[int, ...]]]:
    """Parts of about the same number of bytes, in order."""
    total, end = sum(map(byte_count, tensors.values())), 0
    parts: list[dict[str, tuple[int, ...]]] = [{} for _ in range(count)]
    for name, shape in tensors.items():
        parts[min(end * count // total, count - 1)][name] = shape
        end += byte_count(shape)
    return [part for part in parts if part]


def write_safetensors(path: Path, tensors: dict[str, tuple[int, ...]], noise: bytes) -> None:
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors.items():
        size = byte_count(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for piece in pieces(end, noise):
            file.write(piece)


def pieces(count: int, noise: bytes) -> Iterator[memoryview]:
    view, start = memoryview(noise), 0
    while count > 0:
        piece = view[start : start + count]
        yield piece
        count -= len(piece)
        start = (start + 2 * 7919) % (len(noise) // 2)


def write_adapter(directory: Path, shape: Shape, kind: str = "lora") -> None:
    """Writes a LoRA of all linears, of peft's kind `lora`, `rslora` or `dora`."""
    directory.mkdir(parents=True)
    generator, tensors = torch.Generator().manual_seed(2), {}
    for path, (rows, columns) in shape.linears().items():
        prefix = f"base_model.model.{path}"
        for key, size, deviation in (("A", (RANK, columns), columns**-0.5), ("B", (rows, RANK), 0.01)):
            tensors[f"{prefix}.lora_{key}.weight"] = deviation * torch.randn(size, generator=generator)
        if kind == "dora":  # about the length of a row of noise
            spread = 1 + 0.05 * torch.randn(rows, generator=generator)
            tensors[f"{prefix}.lora_magnitude_vector"] = 0.02 * columns**0.5 * spread
    save_file(tensors, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    fields = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "target_modules": ALL_LINEARS}
    fields |= {"bias": "none", "inference_mode": True, "use_dora": kind == "dora", "use_rslora": kind == "rslora"}
    write_json(directory / "adapter_config.json", fields)


def ensure(path: Path, write: Callable[[Path], None]) -> Path:
    """A folder, written unless it is there."""
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        write(unfinished)
        unfinished.rename(path)
        print(f"{path} written", file=sys.stderr, flush=True)
    return path


def ensure_model(directory: Path, shape: Shape) -> tuple[Path, Path]:
    """Base and adapter in a scratch folder."""
    base = ensure(directory / "base", lambda path: write_checkpoint(path, shape))
    return base, ensure(directory / "adapter", lambda path: write_adapter(path, shape))
