// Floats to blocks with one scale: the bits of ggml's reference, whose operations these are in their
// order.

static inline void store_half(float value, uint8_t *bytes) {
  uint16_t half = f16_from_float(value);
  memcpy(bytes, &half, sizeof half);
}

/// 1 / d, or 0 where that is infinite: such a scale is 0 as float16.
static inline float inverse_or_zero(float d) {
  float inverse = 1 / d;
  return inverse - inverse == 0 ? inverse : 0;
}

/// The first of the elements whose magnitude is largest, with its sign.
static inline float extreme_of(const float *x, size_t count) {
  uint32_t largest = largest_magnitude_bits(x, count);
  size_t i = 0;
  while (i + 1 < count && (bits_of_float(x[i]) & 0x7FFFFFFF) != largest) i++;
  return x[i];
}

typedef struct {
  float lowest, highest;
} float_range;

/// Of equal numbers the first, which decides the sign of a zero.
static inline float_range range_of(const float *x, size_t count) {
  float_range range = {x[0], x[0]};
  for (size_t i = 1; i < count; i++) {
    if (x[i] < range.lowest) range.lowest = x[i];
    if (x[i] > range.highest) range.highest = x[i];
  }
  return range;
}

/// floor((x − start) · inverse + bias) for 32 columns, none above `highest`.
static inline void floor_quants(const float *x, float start, float inverse, float bias, int highest,
                                int *quants) {
  for (int j = 0; j < 32; j++) {
    int quant = (int)((x[j] - start) * inverse + bias);
    quants[j] = quant < highest ? quant : highest;
  }
}

static inline void store_nibbles(const int *quants, uint8_t *out) {
  for (int j = 0; j < 16; j++) out[j] = (uint8_t)((quants[j] & 0x0F) | (quants[j + 16] & 0x0F) << 4);
}

/// The nibbles of 32 quants of 5 bits, and the bits above them.
static inline void store_quants_q5(const int *quants, uint8_t *high, uint8_t *out) {
  store_nibbles(quants, out);
  memset(high, 0, 4);
  for (int j = 0; j < 32; j++) high[j / 8] |= (uint8_t)(quants[j] >> 4 << j % 8);
}

static inline void quantize_q4_0(const float *x, block_q4_0 *block) {
  int quants[32];
  float d = extreme_of(x, 32) / -8;
  store_half(d, block->d);
  floor_quants(x, 0, inverse_or_zero(d), 8.5f, 15, quants);
  store_nibbles(quants, block->quants);
}

static inline void quantize_q4_1(const float *x, block_q4_1 *block) {
  int quants[32];
  float_range range = range_of(x, 32);
  float d = (range.highest - range.lowest) / 15;
  store_half(d, block->d);
  store_half(range.lowest, block->m);
  floor_quants(x, range.lowest, inverse_or_zero(d), 0.5f, 15, quants);
  store_nibbles(quants, block->quants);
}

static inline void quantize_q5_0(const float *x, block_q5_0 *block) {
  int quants[32];
  float d = extreme_of(x, 32) / -16;
  store_half(d, block->d);
  floor_quants(x, 0, inverse_or_zero(d), 16.5f, 31, quants);
  store_quants_q5(quants, block->high, block->quants);
}

static inline void quantize_q5_1(const float *x, block_q5_1 *block) {
  int quants[32];
  float_range range = range_of(x, 32);
  float d = (range.highest - range.lowest) / 31;
  store_half(d, block->d);
  store_half(range.lowest, block->m);
  floor_quants(x, range.lowest, inverse_or_zero(d), 0.5f, 31, quants);
  store_quants_q5(quants, block->high, block->quants);
}

/// Rounds halves away from zero, as C's roundf does.
static inline void quantize_q8_0(const float *x, block_q8_0 *block) {
  float d = float_from_bits(largest_magnitude_bits(x, 32)) / 127;
  float inverse = inverse_or_zero(d);
  store_half(d, block->d);
  for (int j = 0; j < 32; j++) {
    float scaled = x[j] * inverse, magnitude = fabsf(scaled);
    int quant = (int)magnitude;
    quant += magnitude - (float)quant >= 0.5f;
    block->quants[j] = (uint8_t)(scaled < 0 ? -quant : quant);
  }
}
