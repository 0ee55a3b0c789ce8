"""Quantizes a GGUF file with llama.cpp's own quantizer (llama-cpp-python), in a process of its own.

    python tools/llama_cpp_quantize.py SOURCE.gguf DESTINATION.gguf FILE_TYPE [--threads 2]

FILE_TYPE is a number of llama.cpp's `llama_ftype`: 2 is Q4_0, 7 Q8_0, 15 Q4_K_M, 32 BF16.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from pathlib import Path


def command(source: Path, destination: Path, file_type: int) -> list[str | Path]:
    return [sys.executable, __file__, source, destination, str(file_type)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("destination")
    parser.add_argument("file_type", type=int)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    import llama_cpp as api

    parameters = api.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = arguments.file_type, arguments.threads
    source, destination = arguments.source.encode(), arguments.destination.encode()
    return api.llama_model_quantize(source, destination, ctypes.byref(parameters))


if __name__ == "__main__":
    sys.exit(main())
