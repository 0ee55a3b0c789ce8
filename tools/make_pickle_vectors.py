"""Writes Tests/Vectors/pickle: files that PyTorch, peft, bitsandbytes and huggingface_hub save, and what is in them.

    python tools/make_pickle_vectors.py

Needs torch, transformers, peft, bitsandbytes, huggingface_hub and safetensors; a CPU is enough. Every expected tensor is
written by the safetensors package from the object in memory, before torch.save has seen it. formats/pickle.md and
formats/trainer-checkpoint.md describe the files.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import bitsandbytes
import torch
from huggingface_hub import save_torch_state_dict
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from make_safetensors_vectors import DTYPES, pattern
from trainer_logits import ALPHA, make_logits

DESTINATION = Path(__file__).resolve().parent.parent / "Tests" / "Vectors" / "pickle"
SEED = 21
RANK, HEADS, MT_SIZE = 4, 2, 24


def save_expected(tensors: dict[str, Tensor], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, path)


def save(value: object, path: Path, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(value, path, **options)


# --- What torch.save can do -------------------------------------------------------------------------------------------


def make_types() -> None:
    save({name: pattern(dtype, [2, 3]) for name, dtype in DTYPES.items()}, DESTINATION / "types.bin")


def make_views() -> None:
    """Tensors that are no run of their storage, share one, or are wrapped in something."""
    grid = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    tied = torch.randn(4, 3)
    tensors = {
        "transposed": grid.permute(2, 0, 1),
        "every other column": grid[:, :, ::2],
        "tail": grid[1:],
        "odd tail": torch.arange(9, dtype=torch.float16)[3:],
        "diagonal": torch.arange(16, dtype=torch.int64).reshape(4, 4).diagonal(),
        "column of ones": torch.ones(6, 1).t()[:, 1:],
        "expanded": torch.arange(4, dtype=torch.int16).expand(1, 4),
        "embed": tied,
        "head": tied,
        "parameter": nn.Parameter(torch.randn(2, 2, dtype=torch.bfloat16)),
        "scalar": torch.tensor(7, dtype=torch.int32),
        "empty": torch.empty(3, 0, 2, dtype=torch.float64),
        "flag": torch.tensor([True, False]),
        "naïve 名前": torch.tensor([1], dtype=torch.int8),
    }
    assert not any(tensors[name].is_contiguous() for name in ("transposed", "every other column", "diagonal"))
    save(tensors, DESTINATION / "views.bin")
    for protocol in (4, 5):
        save(tensors, DESTINATION / f"views-protocol{protocol}.bin", pickle_protocol=protocol)
    save_expected(tensors, DESTINATION / "views.safetensors")
    save({"repeated": torch.ones(1).expand(1000)}, DESTINATION / "repeated.bin")
    save({"conjugate": torch.ones(2, dtype=torch.complex64).conj()}, DESTINATION / "conjugate.bin")


def make_wrapped() -> None:
    module = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(3)).sum().backward()
    optimizer.step()
    state = {"epoch": 3, "loss": 0.5, "model": module.state_dict(), "optimizer": optimizer.state_dict(), "best": None}
    save(state, DESTINATION / "wrapped.bin")
    save_expected(module.state_dict(), DESTINATION / "wrapped.safetensors")
    save(module, DESTINATION / "module.bin")


# --- What peft and bitsandbytes make of it ----------------------------------------------------------------------------


def llama(**changes) -> LlamaForCausalLM:
    fields = dict(
        vocab_size=19, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False, bos_token_id=1, eos_token_id=0,
    )  # fmt: skip
    model = LlamaForCausalLM(LlamaConfig(**fields | changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.2)
    return model


def randomize(model: nn.Module, *marks: str) -> None:
    """Gives the parameters with one of `marks` in their name something else than zeros."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(mark in name for mark in marks):
                parameter.copy_(torch.randn(parameter.shape) * 0.1)


def lora_config(*targets: str) -> LoraConfig:
    return LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(targets), task_type="CAUSAL_LM")


def make_peft() -> None:
    """adapter_model.bin as peft wrote it until 2023, which torch.save of its own state dict is."""
    model = get_peft_model(llama(), lora_config("q_proj", "v_proj"))
    randomize(model, "lora_B")
    state = get_peft_model_state_dict(model)
    save(state, DESTINATION / "peft" / "adapter_model.bin")
    save_expected(state, DESTINATION / "peft" / "expected.safetensors")


def make_nf4() -> None:
    """bitsandbytes' 4-bit weights on the CPU, in each layout, and what it de-quantizes them to."""
    functional, packed, expected = bitsandbytes.functional, {}, {}
    for name, shape, dtype, options in (
        ("nested", [10, 96], torch.bfloat16, {"compress_statistics": True}),
        ("many blocks", [160, 128], torch.float16, {"compress_statistics": True}),
        ("plain", [6, 64], torch.float32, {"compress_statistics": False}),
        ("wide blocks", [4, 64], torch.bfloat16, {"compress_statistics": False, "blocksize": 128}),
        ("short last block", [3, 35], torch.float16, {"compress_statistics": False}),
    ):
        weight = torch.randn(shape, dtype=dtype)
        codes, state = functional.quantize_4bit(weight, quant_type="nf4", **options)
        packed[f"{name}.weight"] = codes
        packed |= {f"{name}.weight.{key}": value for key, value in state.as_dict(packed=True).items()}
        expected[f"{name}.weight"] = functional.dequantize_4bit(codes, state)
        assert expected[f"{name}.weight"].dtype == dtype
    packed["norm.weight"] = expected["norm.weight"] = torch.randn(5)
    save(packed, DESTINATION / "nf4.bin")
    save_expected(expected, DESTINATION / "nf4.safetensors")


# --- What FLARE's trainer saves ---------------------------------------------------------------------------------------


class CrossAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(RANK, RANK) for _ in range(3))


class Trained(nn.Module):
    """The nesting of the trainer's module: peft's LoraModel under `encoder`, what else it trains beside."""

    def __init__(self, model: LlamaForCausalLM, adapter: str, *targets: str):
        super().__init__()
        self.encoder = LoraModel(model, {adapter: lora_config(*targets)}, adapter)
        self.adapter = adapter
        randomize(self, "lora_B")

    def expected_adapter(self) -> dict[str, Tensor]:
        """What peft would have saved, and what FLARE adds to it."""
        state = get_peft_model_state_dict(self.encoder, adapter_name=self.adapter)
        tensors = {f"base_model.{name}": tensor for name, tensor in state.items()}
        for name, tensor in self.encoder.state_dict().items():
            if ".fuse_cross_attention." in name:
                tensors[f"base_model.{name}"] = tensor
        if hasattr(self, "proj"):
            tensors |= {f"proj.{name}": tensor for name, tensor in self.proj.state_dict().items()}
        return tensors


def make_trainer() -> None:
    everything = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    root = DESTINATION / "trainer"

    # One file in BF16. The trainer adds a <pad> row to the embeddings after reading config.json.
    model = llama(dtype="float32")
    model.config.save_pretrained(root / "add_relu")
    model.resize_token_embeddings(20, mean_resizing=False)
    expected = dict(model.to(torch.bfloat16).state_dict())
    trained = Trained(model, "flare-add_relu", *everything).to(torch.bfloat16)
    save(trained.state_dict(), root / "add_relu" / "pytorch_model.bin")
    save_expected(expected, root / "add_relu" / "base.safetensors")
    save_expected(trained.expected_adapter(), root / "add_relu" / "adapter.safetensors")

    (root / "cross_attention").mkdir()

    # Shards, a fusion with weights of its own, a head of the task, and peft's configuration beside them.
    model = llama(num_hidden_layers=1)
    expected = dict(model.state_dict())
    trained = Trained(model, "flare-cross_attention", "q_proj", "v_proj")
    for name, layer in list(trained.encoder.named_modules()):
        if name.endswith(("q_proj", "v_proj")):
            layer.fuse_cross_attention = CrossAttention()
    trained.qa_outputs = nn.Linear(32, 2)
    state = trained.state_dict()
    save_torch_state_dict(
        state, root / "cross_attention", filename_pattern="pytorch_model{suffix}.bin",
        max_shard_size="20KB", safe_serialization=False,
    )  # fmt: skip
    assert len(list((root / "cross_attention").glob("*.bin"))) > 1
    fuse = {"fusion_fn": "cross-attention", "cross_attention_config": {"num_attention_heads": HEADS, "hidden_size": RANK, "dropout": 0.0}}  # fmt: skip
    fields = trained.encoder.peft_config[trained.adapter].to_dict() | {"fuse_config": fuse}
    fields = {key: sorted(value) if isinstance(value, set) else value for key, value in fields.items()}
    (root / "cross_attention" / "adapter_config.json").write_text(json.dumps(fields, indent=2) + "\n")
    save_expected(expected, root / "cross_attention" / "base.safetensors")
    save_expected(trained.expected_adapter(), root / "cross_attention" / "adapter.safetensors")

    # The source from a translation model, through a projection; tied embeddings, which are two names of one tensor.
    model = llama(num_hidden_layers=1, tie_word_embeddings=True)
    expected = dict(model.state_dict())
    trained = Trained(model, "flare-fusemt", "q_proj", "v_proj")
    trained.proj = nn.Linear(MT_SIZE, 32)
    save(trained.state_dict(), root / "fusemt" / "pytorch_model.bin")
    save_expected(expected, root / "fusemt" / "base.safetensors")
    save_expected(trained.expected_adapter(), root / "fusemt" / "adapter.safetensors")

    # The task stage on a base that bitsandbytes quantized.
    model = llama(num_hidden_layers=1)
    for layer in model.model.layers:
        for parent in (layer.self_attn, layer.mlp):
            for name, linear in list(parent.named_children()):
                if isinstance(linear, nn.Linear):
                    quantized = bitsandbytes.nn.Linear4bit(
                        linear.in_features, linear.out_features, bias=False, compute_dtype=torch.bfloat16,
                        quant_type="nf4", compress_statistics=True,
                    )  # fmt: skip
                    quantized.weight = bitsandbytes.nn.Params4bit(
                        linear.weight.data.to(torch.bfloat16), requires_grad=False, quant_type="nf4",
                        compress_statistics=True,
                    )  # fmt: skip
                    setattr(parent, name, quantized.to("cpu"))
    expected = {
        name: parameter.data if parameter.dtype != torch.uint8
        else bitsandbytes.functional.dequantize_4bit(parameter.data, parameter.quant_state)
        for name, parameter in model.named_parameters()
    }  # fmt: skip
    trained = Trained(model, "lora", *everything)
    save(trained.state_dict(), root / "nf4-task" / "pytorch_model.bin")
    save_expected(expected, root / "nf4-task" / "base.safetensors")
    save_expected(trained.expected_adapter(), root / "nf4-task" / "adapter.safetensors")


def manifest() -> dict:
    files = sorted(path for path in DESTINATION.rglob("*") if path.is_file())
    packages = ("torch", "transformers", "peft", "bitsandbytes", "huggingface_hub", "safetensors")
    return {
        "generator": "python tools/make_pickle_vectors.py",
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
        "seed": SEED,
        "sha256": {str(path.relative_to(DESTINATION)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def main() -> None:
    torch.set_num_threads(1)
    shutil.rmtree(DESTINATION, ignore_errors=True)
    for make in (make_types, make_views, make_wrapped, make_peft, make_nf4, make_trainer):
        torch.manual_seed(SEED)
        make()
    make_logits()
    (DESTINATION / "MANIFEST.json").write_text(json.dumps(manifest(), indent=2) + "\n")
    print(f"{sum(path.stat().st_size for path in DESTINATION.rglob('*') if path.is_file()):,} bytes written")


if __name__ == "__main__":
    main()
