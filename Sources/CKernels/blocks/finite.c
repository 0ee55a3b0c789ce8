// The scales of blocks, looked at before anything is computed with them.

#include "CKernels.h"
#include "layouts.h"

static inline bool is_finite_half(const uint8_t *bytes) { return (bytes[1] & 0x7C) != 0x7C; }

/// Checks the block's members at two places; one twice when there is one only.
#define CHECK(TYPE, name, first, second)                                            \
  case FLARE_##TYPE:                                                                \
    for (size_t i = 0; i < count; i++) {                                            \
      const block_##name *block = (const block_##name *)blocks + i;                 \
      if (!is_finite_half(block->first) || !is_finite_half(block->second)) return false; \
    }                                                                               \
    return true;

bool flare_blocks_are_finite(flare_block_type type, const uint8_t *blocks, size_t count) {
  switch (type) {
    CHECK(Q4_0, q4_0, d, d)
    CHECK(Q4_1, q4_1, d, m)
    CHECK(Q5_0, q5_0, d, d)
    CHECK(Q5_1, q5_1, d, m)
    CHECK(Q8_0, q8_0, d, d)
    CHECK(Q1_0, q1_0, d, d)
    CHECK(Q2_0, q2_0, d, d)
    CHECK(Q2_K, q2_k, d, dmin)
    CHECK(Q3_K, q3_k, d, d)
    CHECK(Q4_K, q4_k, d, dmin)
    CHECK(Q5_K, q5_k, d, dmin)
    CHECK(Q6_K, q6_k, d, d)
    CHECK(IQ4_NL, iq4_nl, d, d)
    CHECK(IQ4_XS, iq4_xs, d, d)
    CHECK(TQ1_0, tq1_0, d, d)
    CHECK(TQ2_0, tq2_0, d, d)
    CHECK(IQ1_S, iq1_s, d, d)
    CHECK(IQ2_XXS, iq2_xxs, d, d)
    CHECK(IQ2_XS, iq2_xs, d, d)
    CHECK(IQ2_S, iq2_s, d, d)
    CHECK(IQ3_XXS, iq3_xxs, d, d)
    CHECK(IQ3_S, iq3_s, d, d)
    case FLARE_IQ1_M:
      // The exponent of d is in the highest bits of the last two words of scales.
      for (size_t i = 0; i < count; i++) {
        const uint8_t *scales = ((const block_iq1_m *)blocks + i)->scales;
        if ((scales[7] & 0x70) == 0x70 && (scales[5] & 0xC0) == 0xC0) return false;
      }
      return true;
    case FLARE_MXFP4:
      for (size_t i = 0; i < count; i++)
        if (((const block_mxfp4 *)blocks + i)->exponent > 252) return false;  // 6 · 2^126
      return true;
    case FLARE_NVFP4: return true;  // every pattern is a number
  }
}
