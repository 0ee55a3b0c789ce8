"""The logits that llama.cpp gives for tokens, by the low-level API of llama-cpp-python.

    python tools/llama_cpp_logits.py MODEL.gguf 1,2,3 OUT.npy

Keys and values are kept in F32 and flash attention is off, so what differs from another program is the arithmetic of the
weights alone. A process of its own, because llama.cpp ends the process for some defects of a file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

F32 = 0  # ggml's number of the type
FLASH_ATTENTION_OFF = 0


class Refused(Exception):
    """llama.cpp did not take the file; the message is its own."""


def logits(model: Path, tokens: list[int], threads: int = 2) -> np.ndarray:
    """Logits [len(tokens), vocabulary] of all positions."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "logits.npy"
        command = [sys.executable, __file__, str(model), ",".join(map(str, tokens)), str(out), str(threads)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            lines = [line for line in run.stderr.splitlines() if "error" in line.lower()] or run.stderr.splitlines()
            raise Refused(lines[0] if lines else f"ended with {run.returncode}")
        return np.load(out)


def main() -> None:
    import llama_cpp as api

    path, tokens, out, threads = sys.argv[1], [int(t) for t in sys.argv[2].split(",")], sys.argv[3], int(sys.argv[4])
    api.llama_backend_init()
    model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
    if not model:
        sys.exit("error: llama.cpp could not load the model")
    parameters = api.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = max(64, len(tokens))
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.type_k = parameters.type_v = F32
    parameters.flash_attn_type = FLASH_ATTENTION_OFF
    context = api.llama_init_from_model(model, parameters)
    vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
    batch = api.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for position, token in enumerate(tokens):
        batch.token[position], batch.pos[position] = token, position
        batch.n_seq_id[position], batch.seq_id[position][0] = 1, 0
        batch.logits[position] = True
    if api.llama_decode(context, batch) != 0:
        sys.exit("error: llama_decode failed")
    rows = [np.ctypeslib.as_array(api.llama_get_logits_ith(context, i), (vocabulary,)).copy() for i in range(len(tokens))]
    np.save(out, np.stack(rows))


if __name__ == "__main__":
    main()
