// Blocks of GGUF as floats, with the operations of formats/quantization.md in their order: every
// form gives the same bits.

#pragma clang fp contract(off)

#include "layouts.h"

#include "simple.h"
#include "k_blocks.h"
#include "tables.h"
#include "codebooks.h"

static void OP(dequantize_blocks)(flare_block_type type, const uint8_t *blocks, size_t count,
                                  float *out) {
  switch (type) {
#define DEQUANTIZE(TYPE, name, columns, bytes)                      \
  case FLARE_##TYPE:                                                \
    for (size_t i = 0; i < count; i++)                              \
      dequantize_##name((const block_##name *)blocks + i, out + columns * i); \
    break;
    EACH_BLOCK_TYPE(DEQUANTIZE)
#undef DEQUANTIZE
  }
}
