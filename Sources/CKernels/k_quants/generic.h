// The portable products of weights in blocks of 256 columns, ggml's k-quants: groups have integer
// scales, which float16 scales of the block multiply.

/// d · scale of a group of row r.
static inline float scale_q4_k(const uint8_t *scales, const uint8_t *block_scales, size_t r) {
  return half_at(block_scales, r) * (float)scales[r];
}

/// dmin · minimum of a group of row r: what is subtracted from every element.
static inline float minimum_q4_k(const uint8_t *scales, const uint8_t *block_scales, size_t r) {
  return half_at(block_scales, FLARE_PANEL_ROWS + r) * (float)scales[FLARE_PANEL_ROWS + r];
}

static inline float element_q4_k(int quant, const uint8_t *scales, const uint8_t *block_scales,
                                 size_t r) {
  float positive = scale_q4_k(scales, block_scales, r) * (float)quant;
  return positive - minimum_q4_k(scales, block_scales, r);
}

/// A quant of 5 bits: its nibble and, from the plane behind all nibbles, bit k of a byte for chunk k.
static inline int quant_q5_k(const uint8_t *group, size_t r, size_t column) {
  int bits = byte_at(group + 256, r, column % 4);
  return nibble_at(group, r, column) | (bits >> column / 4 & 1) << 4;
}

static inline void sum_group_q5_k(const uint8_t *weights, const int8_t *x, int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
    sums[r] = 0;
    for (size_t c = 0; c < FLARE_GROUP_SIZE; c++) sums[r] += quant_q5_k(weights, r, c) * x[c];
  }
}

/// A quant of 6 bits: its nibble and, from the plane behind all nibbles, the two bits above.
static inline int quant_q6_k(const uint8_t *group, size_t r, size_t column) {
  size_t half = column / 16, pair = column % 16 / 4;
  int bits = byte_at(group + 256, r, 4 * (pair / 2) + column % 4);
  int high = bits >> (4 * (pair % 2) + 2 * half) & 3;
  return (nibble_at(group, r, column) | high << 4) - 32;
}

/// The scale of 16 columns of row r.
static inline int scale_q6_k(const uint8_t *scales, size_t r, size_t column) {
  return (int8_t)scales[column / 16 * FLARE_PANEL_ROWS + r];
}

static inline float element_q6_k(const uint8_t *group, const uint8_t *scales,
                                 const uint8_t *block_scales, size_t r, size_t column) {
  float scale = half_at(block_scales, r) * (float)scale_q6_k(scales, r, column);
  return scale * (float)quant_q6_k(group, r, column);
}

/// Sums in which the two integer scales of the group are multiplied already: at most
/// 2 · 128 · 16 · 32 · 127, which is below 2^24, so that a float holds them.
static inline void sum_group_q6_k(const uint8_t *weights, const uint8_t *scales, const int8_t *x,
                                  int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
    sums[r] = 0;
    for (size_t c = 0; c < FLARE_GROUP_SIZE; c++)
      sums[r] += scale_q6_k(scales, r, c) * quant_q6_k(weights, r, c) * x[c];
  }
}
