"""Writes Sources/CKernels/blocks/codebook_tables.h: the vectors that ggml's IQ1, IQ2 and IQ3 types name.

    python tools/make_codebooks.py

Needs the packages gguf and numpy. An entry of a table is one vector, its first column in the lowest
bits: 8 columns of 2 bits, or 4 columns of 4. What the numbers 0, 1, 2… of a column stand for is in
`codebooks.h`.
"""

import pathlib

import numpy as np
from gguf import quants

DESTINATION = (
    pathlib.Path(__file__).resolve().parent.parent
    / "Sources/CKernels/blocks/codebook_tables.h"
)

# Types that have a table of their own, and the bits of a column. IQ1_M has that of IQ1_S.
TABLES = {"IQ1_S": 2, "IQ2_XXS": 2, "IQ2_XS": 2, "IQ2_S": 2, "IQ3_XXS": 4, "IQ3_S": 4}

PER_LINE = 12


def entries(name, bits):
    kind = getattr(quants, name)
    kind.init_grid()
    vectors = kind.grid.reshape(kind.grid_shape)
    places = {value: place for place, value in enumerate(kind.grid_map)}
    for vector in vectors:
        yield sum(places[int(value)] << bits * i for i, value in enumerate(vector))


def table(name, bits):
    numbers = [f"0x{entry:04X}" for entry in entries(name, bits)]
    lines = [
        "    " + ", ".join(numbers[i : i + PER_LINE]) + ","
        for i in range(0, len(numbers), PER_LINE)
    ]
    head = f"static const uint16_t codebook_{name.lower()}[{len(numbers)}] = {{"
    return "\n".join([head, *lines, "};"])


def main():
    text = "// Written by tools/make_codebooks.py.\n\n"
    text += "\n\n".join(table(name, bits) for name, bits in TABLES.items())
    DESTINATION.write_text(text + "\n")


if __name__ == "__main__":
    main()
