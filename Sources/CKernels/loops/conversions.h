// Float rows of every element type, read and written as float32.

/// Elements that loops over mixed types convert at a time, in a buffer on the stack.
#define CHUNK 256

static inline float float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_from_bf16(uint16_t value) {
  return float_from_bits((uint32_t)value << 16);
}

static inline uint16_t bf16_from_float(float value) {
  uint32_t bits = bits_of_float(value);
  uint16_t rounded = (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  uint16_t quieted = (uint16_t)(bits >> 16 | 0x40);
  return (bits & 0x7FFFFFFF) > 0x7F800000 ? quieted : rounded;
}

#ifdef FLARE_HARDWARE_F16

// The instruction set converts; the compiler turns these into whole vectors.
static inline float float_from_f16(uint16_t value) {
  _Float16 half;
  memcpy(&half, &value, sizeof half);
  return (float)half;
}

static inline uint16_t f16_from_float(float value) {
  _Float16 half = (_Float16)value;
  uint16_t bits;
  memcpy(&bits, &half, sizeof bits);
  return bits;
}

#else

static inline float float_from_f16(uint16_t value) {
  uint32_t magnitude = value & 0x7FFF;
  // Shifting moves the exponent into place, and the product corrects its bias; subnormals become
  // normal on the way because the multiplication normalizes.
  uint32_t finite = bits_of_float(float_from_bits(magnitude << 13) * 0x1p112f);
  uint32_t special = magnitude << 13 | 0x7F800000 | (magnitude > 0x7C00 ? 0x400000 : 0);
  uint32_t bits = magnitude >= 0x7C00 ? special : finite;
  return float_from_bits(bits | (uint32_t)(value & 0x8000) << 16);
}

static inline uint16_t f16_from_float(float value) {
  uint32_t magnitude = bits_of_float(value) & 0x7FFFFFFF;
  uint32_t normal = (magnitude + 0xFFF + (magnitude >> 13 & 1) - 0x38000000) >> 13;
  // A float near 0.5 has the spacing of subnormal halves, so the addition rounds for us.
  uint32_t subnormal = bits_of_float(float_from_bits(magnitude) + 0.5f) - 0x3F000000;
  uint32_t nan = 0x7E00 | (magnitude >> 13 & 0x1FF);
  uint32_t bits = magnitude < 0x38800000 ? subnormal : normal;
  bits = magnitude >= 0x477FF000 ? 0x7C00 : bits;  // 65520 and more round to infinity
  bits = magnitude > 0x7F800000 ? nan : bits;
  return (uint16_t)(bits | (bits_of_float(value) >> 16 & 0x8000));
}

#endif

static void OP(load_floats)(flare_float_type type, const void *source, size_t first, size_t count,
                            float *out) {
  const uint16_t *halves = (const uint16_t *)source + first;
  switch (type) {
    case FLARE_F32:
      memcpy(out, (const float *)source + first, count * sizeof(float));
      break;
    case FLARE_F16:
      for (size_t i = 0; i < count; i++) out[i] = float_from_f16(halves[i]);
      break;
    case FLARE_BF16:
      for (size_t i = 0; i < count; i++) out[i] = float_from_bf16(halves[i]);
      break;
  }
}

static void OP(store_floats)(flare_float_type type, const float *source, size_t count, void *out) {
  uint16_t *halves = out;
  switch (type) {
    case FLARE_F32:
      memcpy(out, source, count * sizeof(float));
      break;
    case FLARE_F16:
      for (size_t i = 0; i < count; i++) halves[i] = f16_from_float(source[i]);
      break;
    case FLARE_BF16:
      for (size_t i = 0; i < count; i++) halves[i] = bf16_from_float(source[i]);
      break;
  }
}

/// Adding and subtracting 1.5 · 2^23 rounds to the nearest even integer, for |x| < 2^22.
#define ROUNDER 12582912.0f

static inline float rounded(float x) { return (x + ROUNDER) - ROUNDER; }

/// The bits of the largest magnitude. As integers, infinity is above all numbers and NaN above it.
static inline uint32_t largest_magnitude_bits(const float *x, size_t count) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = bits_of_float(x[i]) & 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}
