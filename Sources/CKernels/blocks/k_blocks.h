// ggml's k-quants: 256 columns in groups of 16 or 32, whose small integer scales are multiplied by
// float16 scales of the block.

#include "k_scales.h"

static inline void dequantize_q2_k(const block_q2_k *block, float *out) {
  float d = half_in(block->d), dmin = half_in(block->dmin);
  for (int group = 0; group < 16; group++) {
    float scale = d * (float)(block->scales[group] & 0x0F);
    float minimum = dmin * (float)(block->scales[group] >> 4);
    // 32 bytes hold two groups in each of their four pairs of bits.
    const uint8_t *quants = block->quants + group / 8 * 32 + group % 2 * 16;
    int shift = group % 8 / 2 * 2;
    for (int j = 0; j < 16; j++)
      out[16 * group + j] = scale * (float)(quants[j] >> shift & 3) - minimum;
  }
}

static inline void dequantize_q3_k(const block_q3_k *block, float *out) {
  float d = half_in(block->d);
  for (int group = 0; group < 16; group++) {
    float scale = d * (float)scale_in_q3_k(block->scales, group);
    int quants[16];
    load_quants_q3_k(block, group, quants);
    for (int j = 0; j < 16; j++) out[16 * group + j] = scale * (float)quants[j];
  }
}

static inline void dequantize_q4_k(const block_q4_k *block, float *out) {
  float d = half_in(block->d), dmin = half_in(block->dmin);
  for (size_t group = 0; group < 8; group++) {
    uint8_t scale_quant, minimum_quant;
    unpack_scale_q4_k(block->scales, group, &scale_quant, &minimum_quant);
    float scale = d * (float)scale_quant, minimum = dmin * (float)minimum_quant;
    const uint8_t *quants = block->quants + group / 2 * 32;
    int shift = group % 2 * 4;
    for (size_t j = 0; j < 32; j++)
      out[32 * group + j] = scale * (float)(quants[j] >> shift & 0x0F) - minimum;
  }
}

static inline void dequantize_q5_k(const block_q5_k *block, float *out) {
  float d = half_in(block->d), dmin = half_in(block->dmin);
  for (size_t group = 0; group < 8; group++) {
    uint8_t scale_quant, minimum_quant;
    unpack_scale_q4_k(block->scales, group, &scale_quant, &minimum_quant);
    float scale = d * (float)scale_quant, minimum = dmin * (float)minimum_quant;
    const uint8_t *quants = block->quants + group / 2 * 32;
    int shift = group % 2 * 4;
    for (size_t j = 0; j < 32; j++) {
      int quant = (quants[j] >> shift & 0x0F) | (block->high[j] >> group & 1) << 4;
      out[32 * group + j] = scale * (float)quant - minimum;
    }
  }
}

static inline void dequantize_q6_k(const block_q6_k *block, float *out) {
  float d = half_in(block->d);
  for (int group = 0; group < 16; group++) {
    float scale = d * (float)(int8_t)block->scales[group];
    // Half a block is 128 columns: low nibbles of 64 bytes, then their high ones.
    int half = group / 8, part = group % 8;
    const uint8_t *quants = block->quants + 64 * half + part % 4 * 16;
    const uint8_t *high = block->high + 32 * half + part % 2 * 16;
    int shift = part / 4 * 4, high_shift = part / 2 * 2;
    for (int j = 0; j < 16; j++) {
      int quant = (quants[j] >> shift & 0x0F) | (high[j] >> high_shift & 3) << 4;
      out[16 * group + j] = scale * (float)(quant - 32);
    }
  }
}
