// The products of weights in blocks of 256 columns, in registers of 128 bits: 4 rows, a quarter of
// a panel.

/// Four bytes, such as integer scales of 4 rows.
static inline uint8x8_t load_4_bytes(const uint8_t *bytes) {
  uint32_t word;
  memcpy(&word, bytes, sizeof word);
  return vcreate_u8(word);
}

/// d · scale of a group of 4 rows, those of quarter q.
static inline float32x4_t scale_q4_k(const uint8_t *scales, const uint8_t *block_scales, int q) {
  uint16x4_t words = vget_low_u16(vmovl_u8(load_4_bytes(scales + 4 * q)));
  return vmulq_f32(load_halves(block_scales + 8 * q), vcvtq_f32_u32(vmovl_u16(words)));
}

/// dmin · minimum of a group of 4 rows, which lie behind those of `scale_q4_k`.
static inline float32x4_t minimum_q4_k(const uint8_t *scales, const uint8_t *block_scales, int q) {
  return scale_q4_k(scales + FLARE_PANEL_ROWS, block_scales + 2 * FLARE_PANEL_ROWS, q);
}

/// The fifth bits of the quants of a chunk of q5_K, bit k of the plane behind all nibbles for chunk k.
static inline __attribute__((always_inline)) uint8x16_t fifth_bits(const uint8_t *weights, int q,
                                                                   int chunk) {
  uint8x16_t bits = vld1q_u8(weights + 256 + 16 * q);
  return vandq_u8(vshlq_u8(bits, vdupq_n_s8((int8_t)(4 - chunk))), vdupq_n_u8(0x10));
}

/// Quants −32…31 of 4 rows: the nibbles of load p, low ones for columns 0…15 and high ones for
/// 16…31, with their two bits from the plane behind all nibbles.
static inline __attribute__((always_inline)) int8x16_t quants_q6_k(const uint8_t *weights, int p,
                                                                   int q, int columns) {
  uint8x16_t pair = vld1q_u8(weights + 64 * p + 16 * q);
  uint8x16_t bits = vld1q_u8(weights + 256 + 64 * (p / 2) + 16 * q);
  // The bits have to come from their position to 4.
  bits = vshlq_u8(bits, vdupq_n_s8((int8_t)(4 - 4 * (p % 2) - 2 * columns)));
  uint8x16_t nibbles = columns ? vshrq_n_u8(pair, 4) : vandq_u8(pair, vdupq_n_u8(0x0F));
  uint8x16_t quants = vorrq_u8(nibbles, vandq_u8(bits, vdupq_n_u8(0x30)));
  return vsubq_s8(vreinterpretq_s8_u8(quants), vdupq_n_s8(32));
}

/// Sums in which the scales of the group, one for 16 columns each, are multiplied already.
static inline __attribute__((always_inline)) void sum_group_q6_k(
    int rows, const uint8_t *weights, const uint8_t *scales, const int8_t *quants,
    int32x4_t sums[SUBTILE_ROWS][QUARTERS]) {
  for (int q = 0; q < QUARTERS; q++) {
    for (int i = 0; i < rows; i++) sums[i][q] = vdupq_n_s32(0);
    for (int columns = 0; columns < 2; columns++) {
      int32x4_t parts[SUBTILE_ROWS];
      for (int i = 0; i < rows; i++) parts[i] = vdupq_n_s32(0);
      for (int p = 0; p < 4; p++) {
        int8x16_t weight = quants_q6_k(weights, p, q, columns);
        for (int i = 0; i < rows; i++) {
          const int8_t *x = quants + FLARE_GROUP_SIZE * i + 16 * columns + 4 * p;
          parts[i] = vdotq_s32(parts[i], weight, broadcast_chunk(x));
        }
      }
      uint8x8_t bytes = load_4_bytes(scales + FLARE_PANEL_ROWS * columns + 4 * q);
      int32x4_t scale = vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes))));
      for (int i = 0; i < rows; i++) sums[i][q] = vmlaq_s32(sums[i][q], parts[i], scale);
    }
  }
}
