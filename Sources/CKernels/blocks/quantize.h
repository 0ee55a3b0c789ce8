// Floats to blocks of GGUF. Every form gives the same bytes: nothing here may be fused or reordered.

#pragma clang fp contract(off)

#include "quantize_simple.h"
#include "quantize_k.h"

/// Magnitudes from which no scale of a block fits float16, and squares would overflow.
#define LARGEST_ELEMENT 1e10f

static bool OP(quantize_blocks)(flare_block_type type, flare_float_type float_type,
                                const void *source, size_t first, size_t count, uint8_t *blocks) {
  float x[FLARE_BLOCK_SIZE];
  switch (type) {
#define QUANTIZE(TYPE, name, columns)                                                      \
  case FLARE_##TYPE:                                                                       \
    for (size_t i = 0; i < count; i++) {                                                   \
      OP(load_floats)(float_type, source, first + columns * i, columns, x);                \
      /* NaN is above all numbers. */                                                      \
      if (largest_magnitude_bits(x, columns) > bits_of_float(LARGEST_ELEMENT)) return false; \
      quantize_##name(x, (block_##name *)blocks + i);                                      \
    }                                                                                      \
    break;
    QUANTIZE(Q4_0, q4_0, 32)
    QUANTIZE(Q4_1, q4_1, 32)
    QUANTIZE(Q5_0, q5_0, 32)
    QUANTIZE(Q5_1, q5_1, 32)
    QUANTIZE(Q8_0, q8_0, 32)
    QUANTIZE(Q4_K, q4_k, 256)
    QUANTIZE(Q5_K, q5_k, 256)
    QUANTIZE(Q6_K, q6_k, 256)
#undef QUANTIZE
    default: return false;
  }
  return flare_blocks_are_finite(type, blocks, count);
}
