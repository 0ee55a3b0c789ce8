// Float rows to int8 and int4. Every form gives the same bytes, so that a bundle does not depend on
// the machine that made it: nothing here may be fused or reordered.

#pragma clang fp contract(off)

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

static void OP(quantize_activation_group)(const float *x, int8_t *quants, float *scale,
                                          int32_t *start) {
  uint32_t bits = largest_magnitude_bits(x, FLARE_GROUP_SIZE);
  float largest = float_from_bits(bits), inverse = 127 / largest;
  // NaN and infinity cannot be quants: the scale carries them into every product.
  bool finite = bits < 0x7F800000;
  if (!finite || inverse > 3.4e38f) {
    memset(quants, 0, FLARE_GROUP_SIZE);
    *scale = finite ? 0 : NAN;
    *start = 0;
    return;
  }
  int32_t sum = 0;
  for (size_t i = 0; i < FLARE_GROUP_SIZE; i++) {
    int32_t quant = (int32_t)rounded(x[i] * inverse);
    quants[i] = (int8_t)quant;
    sum += quant;
  }
  *scale = largest / 127;
  *start = -8 * sum;
}

static void OP(quantize_activations)(const float *x, const flare_activations *out, size_t first,
                                     size_t end) {
  size_t groups = out->group_count;
  for (size_t tile = first; tile < end; tile++) {
    size_t row = tile * FLARE_TILE_ROWS, left = out->row_count - row;
    size_t rows = left < FLARE_TILE_ROWS ? left : FLARE_TILE_ROWS;
    for (size_t i = 0; i < rows; i++) {
      for (size_t g = 0; g < groups; g++) {
        size_t place = row * groups + g * rows + i;
        OP(quantize_activation_group)(x + ((row + i) * groups + g) * FLARE_GROUP_SIZE,
                                      out->quants + place * FLARE_GROUP_SIZE, out->scales + place,
                                      out->starts + place);
      }
    }
  }
}

/// One group of a panel with rows as lanes: [column][row]. Rows that do not exist are zero.
typedef float panel_group[FLARE_GROUP_SIZE][FLARE_PANEL_ROWS];
typedef float panel_lanes[FLARE_PANEL_ROWS];

static void OP(load_panel_group)(flare_float_type type, const void *rows, size_t row_count,
                                 size_t columns, size_t group, panel_group x) {
  memset(x, 0, sizeof(panel_group));
  for (size_t r = 0; r < row_count; r++) {
    float row[FLARE_GROUP_SIZE];
    OP(load_floats)(type, rows, r * columns + group * FLARE_GROUP_SIZE, FLARE_GROUP_SIZE, row);
    for (size_t c = 0; c < FLARE_GROUP_SIZE; c++) x[c][r] = row[c];
  }
}

static void largest_magnitudes(panel_group x, panel_lanes largest) {
  uint32_t bits[FLARE_PANEL_ROWS] = {0};
  for (size_t c = 0; c < FLARE_GROUP_SIZE; c++) {
    for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
      uint32_t magnitude = bits_of_float(x[c][r]) & 0x7FFFFFFF;
      bits[r] = magnitude > bits[r] ? magnitude : bits[r];
    }
  }
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) largest[r] = float_from_bits(bits[r]);
}

/// Stores scales as float16 and gives back what was stored and its inverse (0 for a zero scale).
static bool store_scales(const panel_lanes scales, uint8_t *out, panel_lanes inverses) {
  bool finite = true;
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
    uint16_t half = f16_from_float(scales[r]);
    float stored = float_from_f16(half);
    finite = finite && stored - stored == 0;
    inverses[r] = stored != 0 ? 1 / stored : 0;
    memcpy(out + 2 * r, &half, sizeof half);
  }
  return finite;
}

static inline float clamped_quant(float x, float inverse, float lowest, float highest) {
  float scaled = x * inverse;
  scaled = scaled < lowest ? lowest : scaled;
  scaled = scaled > highest ? highest : scaled;
  return rounded(scaled);
}

static bool OP(quantize_panel_int8)(flare_float_type type, const void *rows, size_t row_count,
                                    size_t group_count, uint8_t *panel) {
  uint8_t *scales = panel + group_count * FLARE_PANEL_ROWS * FLARE_GROUP_SIZE;
  bool finite = true;
  for (size_t g = 0; g < group_count; g++, scales += 2 * FLARE_PANEL_ROWS) {
    panel_group x;
    panel_lanes scale, inverse;
    OP(load_panel_group)(type, rows, row_count, group_count * FLARE_GROUP_SIZE, g, x);
    largest_magnitudes(x, scale);
    for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) scale[r] /= 127;
    if (!store_scales(scale, scales, inverse)) finite = false;
    for (size_t c = 0; finite && c < FLARE_GROUP_SIZE; c++) {
      for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
        int quant = (int)clamped_quant(x[c][r], inverse[r], -127, 127) + 128;
        panel[64 * (c / 4) + 4 * r + c % 4] = (uint8_t)quant;
      }
    }
    panel += FLARE_PANEL_ROWS * FLARE_GROUP_SIZE;
  }
  return finite;
}

/// Divisors of the largest magnitude that are tried as scales.
///
/// Both signs, since the stored range −8…7 is not symmetric; some beyond 8, since clipping the
/// extreme often serves the other 31 elements. Picked one by one from 220, each time the one that
/// lowers the error of normal weights most: together they leave 0.1 % more than all 220 do.
static const float int4_divisors[] = {-7.8f, 8.2f,  -8.5f, 7.2f, 8.7f, 7.8f,
                                      -8.2f, -8.8f, 6.8f,  8.4f, 6.2f, 9.0f};

/// The scale of each row that leaves the least squared error.
///
/// For given quants q the best scale is Σxq / Σqq, and what it explains of Σxx is (Σxq)² / Σqq; the
/// candidate that explains most wins.
static void OP(search_int4_scales)(panel_group x, panel_lanes scales) {
  panel_lanes largest, best = {0};
  largest_magnitudes(x, largest);
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) scales[r] = largest[r] / 8;
  for (size_t d = 0; d < sizeof int4_divisors / sizeof int4_divisors[0]; d++) {
    panel_lanes inverse, xq = {0}, qq = {0};
    for (size_t r = 0; r < FLARE_PANEL_ROWS; r++)
      inverse[r] = largest[r] > 1e-30f ? int4_divisors[d] / largest[r] : 0;
    for (size_t c = 0; c < FLARE_GROUP_SIZE; c++) {
      for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
        float quant = clamped_quant(x[c][r], inverse[r], -8, 7);
        xq[r] += x[c][r] * quant;
        qq[r] += quant * quant;
      }
    }
    for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
      float explained = xq[r] / (qq[r] > 0 ? qq[r] : 1) * xq[r];
      bool better = explained > best[r];
      best[r] = better ? explained : best[r];
      scales[r] = better ? xq[r] / qq[r] : scales[r];
    }
  }
}

static bool OP(quantize_panel_int4)(flare_float_type type, const void *rows, size_t row_count,
                                    size_t group_count, uint8_t *panel) {
  uint8_t *scales = panel + group_count * FLARE_PANEL_ROWS * FLARE_GROUP_SIZE / 2;
  bool finite = true;
  for (size_t g = 0; g < group_count; g++, scales += 2 * FLARE_PANEL_ROWS) {
    panel_group x;
    panel_lanes scale, inverse;
    OP(load_panel_group)(type, rows, row_count, group_count * FLARE_GROUP_SIZE, g, x);
    largest_magnitudes(x, scale);
    for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) finite = finite && scale[r] - scale[r] == 0;
    if (finite) OP(search_int4_scales)(x, scale);
    if (!store_scales(scale, scales, inverse)) finite = false;
    for (size_t c = 0; finite && c < FLARE_GROUP_SIZE / 2; c++) {
      for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
        int low = (int)clamped_quant(x[c][r], inverse[r], -8, 7) + 8;
        int high = (int)clamped_quant(x[c + 16][r], inverse[r], -8, 7) + 8;
        panel[64 * (c / 4) + 4 * r + c % 4] = (uint8_t)(low | high << 4);
      }
    }
    panel += FLARE_PANEL_ROWS * FLARE_GROUP_SIZE / 2;
  }
  return finite;
}
