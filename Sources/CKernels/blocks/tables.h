// Blocks whose quants are places in a small table, and the ternary ones.

/// Four bits on a curve that is denser around zero.
static const int8_t values_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

/// Twice the numbers of E2M1, a float of four bits.
static const int8_t values_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static inline void dequantize_nibbles(const int8_t *table, float scale, const uint8_t *quants,
                                      int count, float *out) {
  for (int j = 0; j < count; j++) {
    out[j] = scale * (float)table[quants[j] & 0x0F];
    out[j + count] = scale * (float)table[quants[j] >> 4];
  }
}

static inline void dequantize_iq4_nl(const block_iq4_nl *block, float *out) {
  dequantize_nibbles(values_iq4, half_in(block->d), block->quants, 16, out);
}

static inline void dequantize_iq4_xs(const block_iq4_xs *block, float *out) {
  float d = half_in(block->d);
  int high_scales = block->high_scales[0] | block->high_scales[1] << 8;
  for (int group = 0; group < 8; group++) {
    int low = block->low_scales[group / 2] >> group % 2 * 4 & 0x0F;
    int scale = (low | (high_scales >> 2 * group & 3) << 4) - 32;
    dequantize_nibbles(values_iq4, d * (float)scale, block->quants + 16 * group, 16,
                       out + 32 * group);
  }
}

/// Half of 2^(exponent − 127), since the table holds twice the numbers; the lowest two are
/// subnormal.
static inline float half_of_e8m0(uint8_t exponent) {
  return float_from_bits(exponent < 2 ? 0x00200000u << exponent : (uint32_t)(exponent - 1) << 23);
}

static inline void dequantize_mxfp4(const block_mxfp4 *block, float *out) {
  dequantize_nibbles(values_e2m1, half_of_e8m0(block->exponent), block->quants, 16, out);
}

/// Half of an E4M3 number without its sign; the pattern of NaN is zero, as ggml has it.
static inline float half_of_e4m3(uint8_t bits) {
  int exponent = bits >> 3 & 0x0F, mantissa = bits & 7;
  if (bits == 0x7F) return 0;
  if (exponent == 0) return (float)mantissa * 0x1p-10f;
  return (float)(8 + mantissa) * float_from_bits((uint32_t)(exponent + 127 - 7 - 3 - 1) << 23);
}

/// What the scale of the whole tensor, which is a tensor of its own in the file, multiplies.
static inline void dequantize_nvfp4(const block_nvfp4 *block, float *out) {
  for (int group = 0; group < 4; group++)
    dequantize_nibbles(values_e2m1, half_of_e4m3(block->scales[group]), block->quants + 8 * group,
                       8, out + 16 * group);
}

/// Digits 0…2 of base 3 in a byte, the first of which is its largest part: multiplying by a power
/// of 3 moves one to the front, and what overflows the byte on a further step is the digit.
static inline void dequantize_trits(float d, const uint8_t *bytes, int count, int digits,
                                    float *out) {
  uint8_t power = 1;
  for (int digit = 0; digit < digits; digit++, power *= 3)
    for (int j = 0; j < count; j++) {
      uint8_t moved = (uint8_t)(bytes[j] * power);
      out[digit * count + j] = d * (float)((moved * 3 >> 8) - 1);
    }
}

static inline void dequantize_tq1_0(const block_tq1_0 *block, float *out) {
  float d = half_in(block->d);
  dequantize_trits(d, block->quants, 32, 5, out);
  dequantize_trits(d, block->quants + 32, 16, 5, out + 160);
  dequantize_trits(d, block->last, 4, 4, out + 240);
}

static inline void dequantize_tq2_0(const block_tq2_0 *block, float *out) {
  float d = half_in(block->d);
  for (int half = 0; half < 2; half++)
    for (int digit = 0; digit < 4; digit++)
      for (int j = 0; j < 32; j++)
        out[128 * half + 32 * digit + j] =
            d * (float)((block->quants[32 * half + j] >> 2 * digit & 3) - 1);
}
