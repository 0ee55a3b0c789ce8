// Blocks whose quants name vectors of 8 or 4 columns in a codebook, with scales for 16 or 32 columns
// and, in IQ2 and IQ3, a sign for each column.

#include "codebook_tables.h"

static inline uint32_t word16_in(const uint8_t *bytes, int index) {
  return (uint32_t)(bytes[2 * index] | bytes[2 * index + 1] << 8);
}

static inline uint32_t word32_in(const uint8_t *bytes, int index) {
  return word16_in(bytes, 2 * index) | word16_in(bytes, 2 * index + 1) << 16;
}

static inline int nibble_in(const uint8_t *bytes, int index) {
  return bytes[index / 2] >> index % 2 * 4 & 0x0F;
}

/// Eight signs of which 7 bits are stored: the number of negative ones is even.
static inline uint32_t even_signs(uint32_t bits) {
  bits &= 0x7F;
  return bits | (uint32_t)__builtin_parity(bits) << 7;
}

/// `count` columns of a vector with `bits` bits a column, scaled; bit i of `signs` negates column i.
static inline void dequantize_vector(uint32_t vector, int bits, int count, const uint8_t *values,
                                     float scale, uint32_t signs, float *out) {
  for (int i = 0; i < count; i++) {
    float value = scale * (float)values[vector >> bits * i & ((1u << bits) - 1)];
    out[i] = signs >> i & 1 ? -value : value;
  }
}

/// A vector of −1, 0 and 1, moved by an eighth.
static inline void dequantize_vector_iq1(uint32_t vector, float scale, float delta, float *out) {
  for (int i = 0; i < 8; i++) out[i] = scale * ((float)((int)(vector >> 2 * i & 3) - 1) + delta);
}

static inline void dequantize_iq1_s(const block_iq1_s *block, float *out) {
  float d = half_in(block->d);
  for (int part = 0; part < 32; part++) {
    uint32_t high = word16_in(block->high, part / 4);  // 3 bits an index, 3 of the scale, a sign
    float scale = d * (float)(2 * (high >> 12 & 7) + 1);
    uint32_t index = block->quants[part] | (high >> part % 4 * 3 & 7) << 8;
    dequantize_vector_iq1(codebook_iq1_s[index], scale, high & 0x8000 ? -0.125f : 0.125f,
                          out + 8 * part);
  }
}

static inline void dequantize_iq1_m(const block_iq1_m *block, float *out) {
  uint32_t half = 0;  // d, in the highest four bits of each word of scales
  for (int i = 0; i < 4; i++) half |= word16_in(block->scales, i) >> 12 << 4 * i;
  float d = float_from_f16((uint16_t)half);
  for (int part = 0; part < 32; part++) {
    uint32_t bits = word16_in(block->scales, part / 8) >> part % 8 / 2 * 3 & 7;
    uint32_t high = (uint32_t)nibble_in(block->high, part);  // 3 bits of the index, a sign
    uint32_t index = block->quants[part] | (high & 7) << 8;
    dequantize_vector_iq1(codebook_iq1_s[index], d * (float)(2 * bits + 1),
                          high & 8 ? -0.125f : 0.125f, out + 8 * part);
  }
}

static const uint8_t values_iq2[4] = {8, 25, 43};

static inline void dequantize_iq2_xxs(const block_iq2_xxs *block, float *out) {
  float d = half_in(block->d);
  for (int part = 0; part < 32; part++) {
    const uint8_t *group = block->words + part / 4 * 8;  // 4 indices, then 4 × 7 signs and the scale
    uint32_t word = word32_in(group, 1);
    dequantize_vector(codebook_iq2_xxs[group[part % 4]], 2, 8, values_iq2,
                      d * (0.5f + (float)(word >> 28)) * 0.25f, even_signs(word >> part % 4 * 7),
                      out + 8 * part);
  }
}

static inline void dequantize_iq2_xs(const block_iq2_xs *block, float *out) {
  float d = half_in(block->d);
  for (int part = 0; part < 32; part++) {
    uint32_t word = word16_in(block->words, part);
    float scale = d * (0.5f + (float)nibble_in(block->scales, part / 2)) * 0.25f;
    dequantize_vector(codebook_iq2_xs[word & 511], 2, 8, values_iq2, scale, even_signs(word >> 9),
                      out + 8 * part);
  }
}

static inline void dequantize_iq2_s(const block_iq2_s *block, float *out) {
  float d = half_in(block->d);
  for (int part = 0; part < 32; part++) {
    int index = block->quants[part] | (block->high[part / 4] >> part % 4 * 2 & 3) << 8;
    float scale = d * (0.5f + (float)nibble_in(block->scales, part / 2)) * 0.25f;
    dequantize_vector(codebook_iq2_s[index], 2, 8, values_iq2, scale, block->signs[part],
                      out + 8 * part);
  }
}

static inline void dequantize_iq3_xxs(const block_iq3_xxs *block, float *out) {
  static const uint8_t values[16] = {4, 12, 20, 28, 36, 44, 52, 62};
  float d = half_in(block->d);
  for (int part = 0; part < 64; part++) {
    uint32_t word = word32_in(block->words, part / 8);  // 4 × 7 signs and the scale
    uint32_t signs = even_signs(word >> part % 8 / 2 * 7) >> part % 2 * 4;
    dequantize_vector(codebook_iq3_xxs[block->quants[part]], 4, 4, values,
                      d * (0.5f + (float)(word >> 28)) * 0.5f, signs, out + 4 * part);
  }
}

static inline void dequantize_iq3_s(const block_iq3_s *block, float *out) {
  static const uint8_t values[16] = {1, 3, 5, 7, 9, 11, 13, 15};
  float d = half_in(block->d);
  for (int part = 0; part < 64; part++) {
    int index = block->quants[part] | (block->high[part / 8] >> part % 8 & 1) << 8;
    uint32_t signs = (uint32_t)nibble_in(block->signs, part);
    float scale = d * (float)(1 + 2 * nibble_in(block->scales, part / 8));
    dequantize_vector(codebook_iq3_s[index], 4, 4, values, scale, signs, out + 4 * part);
  }
}
