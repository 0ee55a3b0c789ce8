"""Times `flare merge` and peft's merge of the same adapter into the same checkpoint.

    python tools/bench_merge.py DIRECTORY --flare .build/release/flare [--runs 3]

DIRECTORY gets, unless they are there, a random BF16 checkpoint in the shape of Llama 3.2 1B (2.5 GB) and a rank-16 LoRA
of all its linears (45 MB), and needs room for two merged copies. Each merge runs in a process of its own, the two by
turns, and starts with the same warm files and nothing left to write. peft's part is the usual one: `from_pretrained` in
BF16, `merge_and_unload`, `save_pretrained`. After the first round the two results are compared, element by element.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_models import ALL_LINEARS, quiet, write_json
from transformers import LlamaConfig

HIDDEN, LAYERS, HEADS, KEY_VALUE_HEADS, HEAD_DIM, FEED_FORWARD, VOCABULARY = 2048, 16, 32, 8, 64, 8192, 128256
RANK, ALPHA = 16, 32
SAMPLING_INTERVAL = 0.005  # seconds between two looks at a process's memory


# --- What is merged -----------------------------------------------------------------------------------------------


def linears() -> dict[str, tuple[int, int]]:
    """Path and shape of every linear of the decoder layers."""
    queries, keys = HEADS * HEAD_DIM, KEY_VALUE_HEADS * HEAD_DIM
    shapes = {
        "self_attn.q_proj": (queries, HIDDEN), "self_attn.k_proj": (keys, HIDDEN), "self_attn.v_proj": (keys, HIDDEN),
        "self_attn.o_proj": (HIDDEN, queries), "mlp.gate_proj": (FEED_FORWARD, HIDDEN),
        "mlp.up_proj": (FEED_FORWARD, HIDDEN), "mlp.down_proj": (HIDDEN, FEED_FORWARD),
    }  # fmt: skip
    return {f"model.layers.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in shapes.items()}


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"model.layers.{layer}.{norm}.weight"] = (HIDDEN,)
    return shapes | {f"{path}.weight": shape for path, shape in linears().items()}


def write_checkpoint(directory: Path) -> None:
    """Writes the checkpoint piece by piece: noise from one block, begun at another place for each piece."""
    directory.mkdir(parents=True)
    rope = {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }  # fmt: skip
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=FEED_FORWARD, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KEY_VALUE_HEADS, head_dim=HEAD_DIM, rope_parameters=rope,
        max_position_embeddings=131072, rms_norm_eps=1e-5, tie_word_embeddings=True, dtype="bfloat16",
        architectures=["LlamaForCausalLM"], bos_token_id=128000, eos_token_id=128001,
    )  # fmt: skip
    config.save_pretrained(directory)

    generator = torch.Generator().manual_seed(1)
    noise = (0.02 * torch.randn(1 << 24, generator=generator)).bfloat16().view(torch.uint8).numpy().tobytes()
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensor_shapes().items():
        size = 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with (directory / "model.safetensors").open("wb") as file:
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


def write_adapter(directory: Path) -> None:
    directory.mkdir(parents=True)
    generator, tensors = torch.Generator().manual_seed(2), {}
    for path, (rows, columns) in linears().items():
        for key, shape, deviation in (("A", (RANK, columns), columns**-0.5), ("B", (rows, RANK), 0.01)):
            tensors[f"base_model.model.{path}.lora_{key}.weight"] = deviation * torch.randn(shape, generator=generator)
    save_file(tensors, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    fields = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "target_modules": ALL_LINEARS}
    write_json(directory / "adapter_config.json", {**fields, "bias": "none", "inference_mode": True})


# --- Merging ------------------------------------------------------------------------------------------------------


def merge_with_peft(base: Path, adapter: Path, output: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    quiet()
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(output)


@dataclass
class Usage:
    """What one process took: seconds and bytes."""

    wall: float
    processor: float  # user and system
    peak: int  # resident, mapped files included
    anonymous: int | None  # largest resident memory that is not a file's, as far as sampling saw it


def measure(command: list[str | Path]) -> Usage:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output: list[bytes] = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
    reader.start()
    largest, status = None, Path(f"/proc/{process.pid}/status")
    try:
        while True:
            pid, code, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            anonymous = anonymous_memory(status)
            largest = max(largest or 0, anonymous) if anonymous is not None else largest
            time.sleep(SAMPLING_INTERVAL)
    except BaseException:  # interrupted: leave nothing running
        process.kill()
        raise
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(code)
    reader.join()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {b''.join(output).decode()[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit, largest)


def anonymous_memory(status: Path) -> int | None:
    """RssAnon of a process, where the system tells."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), None)


def compare(one: Path, other: Path) -> str:
    """How many elements of two merged checkpoints differ."""
    differing = count = 0
    with Checkpoint(one) as left, Checkpoint(other) as right:
        if left.keys() != right.keys():
            return f"the two hold different tensors: {sorted(left.keys() ^ right.keys())[:5]}"
        for name in sorted(left.keys()):
            ours, theirs = left.tensor(name), right.tensor(name)
            if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
                return f"{name}: {ours.dtype} {list(ours.shape)} and {theirs.dtype} {list(theirs.shape)}"
            count += ours.numel()
            differing += int((ours.view(torch.int16) != theirs.view(torch.int16)).sum())
    return f"{differing:,} of {count:,} merged elements differ"


class Checkpoint:
    """The tensors of all safetensors files of a directory."""

    def __init__(self, directory: Path):
        self.files = [safe_open(path, "pt") for path in sorted(directory.glob("*.safetensors"))]

    def __enter__(self) -> Checkpoint:
        self.places = {name: file.__enter__() for file in self.files for name in file.keys()}
        return self

    def __exit__(self, *error: object) -> None:
        for file in self.files:
            file.__exit__(*error)

    def keys(self) -> set[str]:
        return set(self.places)

    def tensor(self, name: str) -> torch.Tensor:
        return self.places[name].get_tensor(name)


# --- The table ----------------------------------------------------------------------------------------------------


def report(usages: dict[str, list[Usage]]) -> None:
    """Medians of all runs, with the range where there are several, and how many times peft's are flare's."""
    rows = [
        ("wall time, s", lambda usage: usage.wall),
        ("user + system, s", lambda usage: usage.processor),
        ("peak resident, MiB", lambda usage: usage.peak / 2**20),
        ("peak anonymous, MiB", lambda usage: None if usage.anonymous is None else usage.anonymous / 2**20),
    ]
    print(f"{'':<20} {'flare':>24} {'peft':>24} {'peft / flare':>14}")
    for label, value in rows:
        numbers = {name: [value(usage) for usage in used] for name, used in usages.items()}
        if any(number is None for column in numbers.values() for number in column):
            continue
        ratio = median(numbers["peft"]) / max(median(numbers["flare"]), 1e-9)
        columns = [f"{median(column):,.1f} ({min(column):,.1f}–{max(column):,.1f})" for column in numbers.values()]
        print(f"{label:<20} {columns[0]:>24} {columns[1]:>24} {ratio:>14.1f}")


def run(directory: Path, flare: Path, runs: int) -> None:
    base, adapter = directory / "base", directory / "adapter"
    for path, write in ((base, write_checkpoint), (adapter, write_adapter)):
        if not path.exists():
            start = time.perf_counter()
            write(path)
            print(f"{path.name} written in {time.perf_counter() - start:.1f} s", flush=True)
    outputs = {name: directory / f"merged-{name}" for name in ("flare", "peft")}
    commands = {
        "flare": [flare, "merge", base, "--adapter", adapter, "-o", outputs["flare"]],
        "peft": [sys.executable, __file__, directory, "--peft-only", outputs["peft"]],
    }
    usages: dict[str, list[Usage]] = {name: [] for name in commands}
    for turn in range(runs):
        for name, command in commands.items():
            shutil.rmtree(outputs[name], ignore_errors=True)
            os.sync()
            for file in (*base.glob("*.safetensors"), *adapter.glob("*.safetensors")):
                warm(file)
            usages[name].append(measure(command))
            print(f"run {turn + 1}: {name} {usages[name][-1].wall:.1f} s", flush=True)
        if turn == 0:
            print(compare(outputs["flare"], outputs["peft"]), flush=True)
        for output in outputs.values():
            shutil.rmtree(output)
    report(usages)


def warm(path: Path) -> None:
    """Reads a file once, so that every run finds it in memory."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="a scratch folder; what it holds already is used again")
    parser.add_argument("--flare", type=Path, help="the flare command")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peft-only", type=Path, metavar="OUTPUT", help="merge with peft, once, and measure nothing")
    arguments = parser.parse_args()
    if arguments.peft_only:
        merge_with_peft(arguments.directory / "base", arguments.directory / "adapter", arguments.peft_only)
    elif arguments.flare is None:
        parser.error("--flare is missing")
    else:
        run(arguments.directory, arguments.flare.resolve(), arguments.runs)


if __name__ == "__main__":
    main()
