// Float rows to int8 and int4. Every form gives the same bytes, so that a bundle does not depend on
// the machine that made it: nothing here may be fused or reordered.

#pragma clang fp contract(off)

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

/// One number for each row of a panel. Wider than the registers of most forms, which then use
/// several; operations are element by element, so the results are the same.
typedef float panel_lanes __attribute__((ext_vector_type(16)));
typedef uint32_t panel_words __attribute__((ext_vector_type(16)));

/// One group of a panel: [column][row]. Rows that do not exist are zero.
typedef panel_lanes panel_group[FLARE_GROUP_SIZE];

static void OP(load_panel_group)(flare_float_type type, const void *rows, size_t row_count,
                                 size_t columns, size_t group, panel_group x) {
  memset(x, 0, sizeof(panel_group));
  for (size_t r = 0; r < row_count; r++) {
    float row[FLARE_GROUP_SIZE];
    OP(load_floats)(type, rows, r * columns + group * FLARE_GROUP_SIZE, FLARE_GROUP_SIZE, row);
    for (size_t c = 0; c < FLARE_GROUP_SIZE; c++) x[c][r] = row[c];
  }
}

static void OP(largest_magnitudes)(const panel_lanes *x, panel_lanes *largest) {
  panel_words bits = 0;
  for (size_t c = 0; c < FLARE_GROUP_SIZE; c++) {
    panel_words magnitude;
    memcpy(&magnitude, &x[c], sizeof magnitude);
    magnitude &= 0x7FFFFFFF;
    bits = magnitude > bits ? magnitude : bits;
  }
  memcpy(largest, &bits, sizeof bits);
}

/// Stores scales as float16 and turns them into the inverses of what was stored, 0 for a zero.
/// Returns false when one is not finite.
static bool OP(store_scales)(panel_lanes *scales, uint8_t *out) {
  bool finite = true;
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
    uint16_t half = f16_from_float((*scales)[r]);
    float stored = float_from_f16(half);
    finite = finite && stored - stored == 0;
    (*scales)[r] = stored != 0 ? 1 / stored : 0;
    memcpy(out + 2 * r, &half, sizeof half);
  }
  return finite;
}

INLINE panel_lanes clamped_quants(panel_lanes x, panel_lanes inverse, float lowest,
                                  float highest) {
  panel_lanes scaled = x * inverse;
  scaled = scaled < lowest ? (panel_lanes)lowest : scaled;
  scaled = scaled > highest ? (panel_lanes)highest : scaled;
  return (scaled + ROUNDER) - ROUNDER;
}

/// The quants of one column as stored, in the low bits of each word.
INLINE panel_words stored_quants(panel_lanes x, panel_lanes inverse, float lowest, float highest,
                                 float bias) {
  return __builtin_convertvector(clamped_quants(x, inverse, lowest, highest) + bias, panel_words);
}

static bool OP(quantize_panel_int8)(flare_float_type type, const void *rows, size_t row_count,
                                    size_t group_count, uint8_t *panel) {
  uint8_t *scales = panel + group_count * FLARE_PANEL_ROWS * FLARE_GROUP_SIZE;
  for (size_t g = 0; g < group_count; g++) {
    panel_group x;
    panel_lanes scale;
    OP(load_panel_group)(type, rows, row_count, group_count * FLARE_GROUP_SIZE, g, x);
    OP(largest_magnitudes)(x, &scale);
    scale /= 127;
    if (!OP(store_scales)(&scale, scales)) return false;
    for (size_t chunk = 0; chunk < 8; chunk++) {
      panel_words words = 0;
      for (size_t j = 0; j < 4; j++)
        words |= stored_quants(x[4 * chunk + j], scale, -127, 127, 128) << 8 * j;
      memcpy(panel, &words, sizeof words);
      panel += sizeof words;
    }
    scales += 2 * FLARE_PANEL_ROWS;
  }
  return true;
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
static void OP(search_int4_scales)(const panel_lanes *x, const panel_lanes *magnitudes,
                                   panel_lanes *scales) {
  panel_lanes largest = *magnitudes, best = 0, chosen = 0;
  for (size_t d = 0; d < sizeof int4_divisors / sizeof int4_divisors[0]; d++) {
    panel_lanes inverse = largest > 1e-30f ? int4_divisors[d] / largest : (panel_lanes)0;
    panel_lanes xq = 0, qq = 0;
    for (size_t c = 0; c < FLARE_GROUP_SIZE; c++) {
      panel_lanes quants = clamped_quants(x[c], inverse, -8, 7);
      xq += x[c] * quants;
      qq += quants * quants;
    }
    // A candidate without a quant explains nothing: 0 / 1.
    panel_lanes scale = xq / (qq > 0 ? qq : (panel_lanes)1);
    panel_lanes explained = scale * xq;
    chosen = explained > best ? scale : chosen;
    best = explained > best ? explained : best;
  }
  *scales = chosen;
}

static bool OP(quantize_panel_int4)(flare_float_type type, const void *rows, size_t row_count,
                                    size_t group_count, uint8_t *panel) {
  uint8_t *scales = panel + group_count * FLARE_PANEL_ROWS * FLARE_GROUP_SIZE / 2;
  for (size_t g = 0; g < group_count; g++) {
    panel_group x;
    panel_lanes largest, scale;
    OP(load_panel_group)(type, rows, row_count, group_count * FLARE_GROUP_SIZE, g, x);
    OP(largest_magnitudes)(x, &largest);
    for (size_t r = 0; r < FLARE_PANEL_ROWS; r++)
      if (largest[r] - largest[r] != 0) return false;
    OP(search_int4_scales)(x, &largest, &scale);
    if (!OP(store_scales)(&scale, scales)) return false;
    for (size_t chunk = 0; chunk < 4; chunk++) {
      panel_words words = 0;
      for (size_t j = 0; j < 4; j++) {
        panel_words low = stored_quants(x[4 * chunk + j], scale, -8, 7, 8);
        panel_words high = stored_quants(x[4 * (chunk + 4) + j], scale, -8, 7, 8);
        words |= (low | high << 4) << 8 * j;
      }
      memcpy(panel, &words, sizeof words);
      panel += sizeof words;
    }
    scales += 2 * FLARE_PANEL_ROWS;
  }
  return true;
}
