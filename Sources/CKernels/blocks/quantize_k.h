// Floats to Q4_K, Q5_K and Q6_K: a search for the scales that leave the least squared error.
//
// A group of a block is a lane of a vector, so that no sum crosses lanes and every form adds in the
// same order. For given quants the best scale and minimum of a group are those of least squares;
// what they explain of Σx² is found from sums, and the candidate that explains most wins.

/// One number for each of the 8 groups of a block.
typedef float group_lanes __attribute__((ext_vector_type(8)));
typedef int32_t group_mask __attribute__((ext_vector_type(8)));

enum {
  GROUPS = 8,
  GROUP_COLUMNS = 32,
  /// How often d and dmin follow the integers that were chosen for them, at most.
  REFITS = 1,
};

/// A block of Q4_K or Q5_K before its bits are packed.
typedef struct {
  float d, dmin;  // as float16 holds them
  group_lanes scales, minimums;  // 0…63
  group_lanes quants[GROUP_COLUMNS];
} k_groups;

/// What least squares needs of a group's quants q and columns x.
typedef struct {
  group_lanes q, qq, xq;
} quant_sums;

/// x ≈ scale · q − minimum.
typedef struct {
  group_lanes scale, minimum, explained;
} group_fit;

INLINE group_lanes nearest_quants(group_lanes x, group_lanes inverse, group_lanes minimum,
                                  float highest) {
  group_lanes quants = (x + minimum) * inverse;
  quants = quants < 0 ? (group_lanes)0 : quants;
  quants = quants > highest ? (group_lanes)highest : quants;
  return (quants + ROUNDER) - ROUNDER;
}

INLINE quant_sums sums_of_quants(const group_lanes *x, group_lanes inverse, group_lanes minimum,
                                 float highest) {
  quant_sums sums = {0, 0, 0};
  for (int c = 0; c < GROUP_COLUMNS; c++) {
    group_lanes quants = nearest_quants(x[c], inverse, minimum, highest);
    sums.q += quants;
    sums.qq += quants * quants;
    sums.xq += x[c] * quants;
  }
  return sums;
}

/// The best scale and minimum for given quants. A minimum cannot be negative; where it would be, it
/// is 0.
INLINE group_fit fit_of(quant_sums sums, group_lanes sum_x) {
  group_lanes determinant = GROUP_COLUMNS * sums.qq - sums.q * sums.q;
  group_lanes divisor = determinant > 0 ? determinant : (group_lanes)1;
  group_lanes scale = (GROUP_COLUMNS * sums.xq - sums.q * sum_x) / divisor;
  group_lanes minimum = (sums.q * sums.xq - sums.qq * sum_x) / divisor;
  group_lanes alone = sums.xq / (sums.qq > 0 ? sums.qq : (group_lanes)1);
  group_mask both = determinant > 0 && minimum >= 0;
  group_fit fit;
  fit.scale = both ? scale : alone;
  fit.minimum = both ? minimum : (group_lanes)0;
  fit.explained = fit.scale * sums.xq - fit.minimum * sum_x;
  return fit;
}

INLINE void keep_better(group_fit *best, group_fit fit) {
  group_mask better = fit.explained > best->explained && fit.scale >= 0;
  best->scale = better ? fit.scale : best->scale;
  best->minimum = better ? fit.minimum : best->minimum;
  best->explained = better ? fit.explained : best->explained;
}

INLINE group_lanes inverses_or_zero(group_lanes x) { return x > 0 ? 1 / x : (group_lanes)0; }

/// What is added to the number of steps when the range of a group is divided into them.
static const float step_offsets[] = {-2.5f, -1.8f, -1.3f, -0.9f, -0.5f, -0.2f, 0.2f, 0.6f, 1};

/// The best scale and minimum of each group, by themselves.
INLINE group_fit search_groups(const group_lanes *x, group_lanes sum_x, float highest) {
  group_lanes lowest = 0, largest = x[0];
  for (int c = 0; c < GROUP_COLUMNS; c++) {
    lowest = x[c] < lowest ? x[c] : lowest;
    largest = x[c] > largest ? x[c] : largest;
  }
  // Without a single quant: what a minimum explains alone.
  group_lanes mean = sum_x * (1.0f / GROUP_COLUMNS);
  group_fit best = {0, mean < 0 ? -mean : (group_lanes)0, 0};
  best.explained = -best.minimum * sum_x;
  group_lanes range_inverse = inverses_or_zero(largest - lowest);
  for (size_t i = 0; i < sizeof step_offsets / sizeof *step_offsets; i++) {
    group_lanes inverse = (highest + step_offsets[i]) * range_inverse;
    group_fit fit = fit_of(sums_of_quants(x, inverse, -lowest, highest), sum_x);
    keep_better(&best, fit);
  }
  // The quants that the best scale leads to may have a better one yet.
  for (int i = 0; i < 2; i++)
    keep_better(&best, fit_of(sums_of_quants(x, inverses_or_zero(best.scale), best.minimum, highest),
                              sum_x));
  return best;
}

static inline float sum_of_groups(group_lanes x) {
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

static inline float largest_group(group_lanes x) {
  float largest = x[0];
  for (int g = 1; g < GROUPS; g++) largest = x[g] > largest ? x[g] : largest;
  return largest;
}

static inline bool is_finite(float x) { return x - x == 0; }

static inline float as_half(float x) { return float_from_f16(f16_from_float(x)); }

/// x / d as the nearest of 0…63.
INLINE group_lanes six_bits(group_lanes x, float d) {
  group_lanes bits = x * (d > 0 ? 1 / d : 0);
  bits = bits > 63 ? (group_lanes)63 : bits;
  return (bits + ROUNDER) - ROUNDER;
}

/// For given integer scales and the quants they lead to, the d and dmin of least squares.
INLINE void refit_block(k_groups *out, const group_lanes *x, group_lanes sum_x, float highest) {
  quant_sums sums = sums_of_quants(x, inverses_or_zero(out->d * out->scales),
                                   out->dmin * out->minimums, highest);
  group_lanes s = out->scales, m = out->minimums;
  float aa = sum_of_groups(s * s * sums.qq), ab = sum_of_groups(s * m * sums.q);
  float bb = GROUP_COLUMNS * sum_of_groups(m * m);
  float ax = sum_of_groups(s * sums.xq), bx = sum_of_groups(m * sum_x);
  float determinant = aa * bb - ab * ab;
  if (determinant > 1e-6f * aa * bb) {
    out->d = as_half((ax * bb - bx * ab) / determinant);
    out->dmin = as_half((ax * ab - bx * aa) / determinant);
  } else if (aa > 0 && bb == 0) {
    out->d = as_half(ax / aa);
  }
}

/// What the nearest quants leave of each group.
INLINE group_lanes squared_errors(const group_lanes *x, group_lanes scale, group_lanes minimum,
                                  float highest) {
  group_lanes inverse = inverses_or_zero(scale), errors = 0;
  for (int c = 0; c < GROUP_COLUMNS; c++) {
    group_lanes difference =
        scale * nearest_quants(x[c], inverse, minimum, highest) - minimum - x[c];
    errors += difference * difference;
  }
  return errors;
}

/// Takes the best of each group's integer scale, minimum and their neighbors; gives what is left.
INLINE float choose_integers(k_groups *out, const group_lanes *x, float highest) {
  group_lanes scales = out->scales, minimums = out->minimums;
  group_lanes least = squared_errors(x, out->d * scales, out->dmin * minimums, highest);
  for (int i = 0; i < 9; i++) {
    if (i == 4) continue;  // where it started
    group_lanes scale = scales + (float)(i / 3 - 1), minimum = minimums + (float)(i % 3 - 1);
    group_lanes errors = squared_errors(x, out->d * scale, out->dmin * minimum, highest);
    group_mask better = errors < least && scale >= 0 && scale <= 63 && minimum >= 0 && minimum <= 63;
    out->scales = better ? scale : out->scales;
    out->minimums = better ? minimum : out->minimums;
    least = better ? errors : least;
  }
  return sum_of_groups(least);
}

/// A block with quants 0…highest, 15 or 31.
INLINE void search_block(const float *row, float highest, k_groups *out) {
  group_lanes x[GROUP_COLUMNS], sum_x = 0;
  for (int c = 0; c < GROUP_COLUMNS; c++) {
    for (int g = 0; g < GROUPS; g++) x[c][g] = row[GROUP_COLUMNS * g + c];
    sum_x += x[c];
  }
  group_fit fit = search_groups(x, sum_x, highest);
  out->d = as_half(largest_group(fit.scale) / 63);
  out->dmin = as_half(largest_group(fit.minimum) / 63);
  if (!(is_finite(out->d) && is_finite(out->dmin))) {  // the caller sees it in the block
    memset(out->quants, 0, sizeof out->quants);
    out->scales = out->minimums = 0;
    return;
  }
  out->scales = six_bits(fit.scale, out->d);
  out->minimums = six_bits(fit.minimum, out->dmin);
  float error = choose_integers(out, x, highest);
  for (int i = 0; i < REFITS; i++) {
    k_groups other = *out;
    refit_block(&other, x, sum_x, highest);
    float other_error = choose_integers(&other, x, highest);
    if (!(other_error < error)) break;
    error = other_error;
    *out = other;
  }
  group_lanes inverse = inverses_or_zero(out->d * out->scales);
  for (int c = 0; c < GROUP_COLUMNS; c++)
    out->quants[c] = nearest_quants(x[c], inverse, out->dmin * out->minimums, highest);
}

/// The inverse of `unpack_scale_q4_k`.
static inline void pack_scales(const k_groups *block, uint8_t *packed) {
  memset(packed, 0, 12);
  for (int g = 0; g < GROUPS; g++) {
    uint8_t scale = (uint8_t)block->scales[g], minimum = (uint8_t)block->minimums[g];
    if (g < 4) {
      packed[g] |= scale;
      packed[g + 4] |= minimum;
    } else {
      packed[g + 4] = (uint8_t)((scale & 0x0F) | minimum << 4);
      packed[g - 4] |= (uint8_t)(scale >> 4 << 6);
      packed[g] |= (uint8_t)(minimum >> 4 << 6);
    }
  }
}

static inline void quantize_q4_k(const float *x, block_q4_k *block) {
  k_groups groups;
  search_block(x, 15, &groups);
  store_half(groups.d, block->d);
  store_half(groups.dmin, block->dmin);
  pack_scales(&groups, block->scales);
  for (int g = 0; g < GROUPS; g += 2)
    for (int c = 0; c < GROUP_COLUMNS; c++)
      block->quants[GROUP_COLUMNS / 2 * g + c] =
          (uint8_t)((int)groups.quants[c][g] | (int)groups.quants[c][g + 1] << 4);
}

static inline void quantize_q5_k(const float *x, block_q5_k *block) {
  k_groups groups;
  search_block(x, 31, &groups);
  store_half(groups.d, block->d);
  store_half(groups.dmin, block->dmin);
  pack_scales(&groups, block->scales);
  memset(block->high, 0, sizeof block->high);
  for (int g = 0; g < GROUPS; g += 2)
    for (int c = 0; c < GROUP_COLUMNS; c++) {
      int even = (int)groups.quants[c][g], odd = (int)groups.quants[c][g + 1];
      block->quants[GROUP_COLUMNS / 2 * g + c] = (uint8_t)((even & 0x0F) | (odd & 0x0F) << 4);
      block->high[c] |= (uint8_t)(even >> 4 << g | odd >> 4 << (g + 1));
    }
}

// Q6_K has 16 groups of 16 columns, no minimums, and scales with a sign.

INLINE panel_lanes nearest_quants_q6(panel_lanes x, panel_lanes inverse) {
  return clamped_quants(x, inverse, -32, 31);
}

INLINE panel_lanes signed_inverses(panel_lanes x) {
  return x != 0 ? 1 / x : (panel_lanes)0;
}

static inline float sum_of_lanes(panel_lanes x) {
  float sum = 0;
  for (int g = 0; g < 16; g++) sum += x[g];
  return sum;
}

/// Divisors of the largest magnitude that are tried as scales; both signs, since −32…31 is not
/// symmetric.
static const float q6_divisors[] = {-32,   -31.3f, -30.5f, -32.5f, -33.2f,
                                   31.6f, 31,     30.4f,  32.4f,  33.1f};

INLINE panel_lanes search_scales_q6(const panel_lanes *x) {
  panel_lanes largest = 0, best = 0, chosen = 0;
  for (int c = 0; c < 16; c++) {
    panel_lanes magnitude = x[c] < 0 ? -x[c] : x[c];
    largest = magnitude > largest ? magnitude : largest;
  }
  panel_lanes unit = signed_inverses(largest);
  for (size_t i = 0; i < sizeof q6_divisors / sizeof *q6_divisors; i++) {
    panel_lanes inverse = q6_divisors[i] * unit, xq = 0, qq = 0;
    for (int c = 0; c < 16; c++) {
      panel_lanes quants = nearest_quants_q6(x[c], inverse);
      xq += x[c] * quants;
      qq += quants * quants;
    }
    panel_lanes scale = xq / (qq > 0 ? qq : (panel_lanes)1), explained = scale * xq;
    chosen = explained > best ? scale : chosen;
    best = explained > best ? explained : best;
  }
  return chosen;
}

static inline void quantize_q6_k(const float *row, block_q6_k *block) {
  panel_lanes x[16], quants[16];  // [column of the group][group]
  for (int c = 0; c < 16; c++)
    for (int g = 0; g < 16; g++) x[c][g] = row[16 * g + c];
  panel_lanes scales = search_scales_q6(x);
  float extreme = 0;
  for (int g = 0; g < 16; g++) extreme = fabsf(scales[g]) > fabsf(extreme) ? scales[g] : extreme;
  float d = as_half(extreme / -128);
  if (!is_finite(d)) {  // the caller sees it in the block
    memset(block, 0, sizeof *block);
    store_half(d, block->d);
    return;
  }
  panel_lanes bytes = clamped_quants(scales, (panel_lanes)(d != 0 ? 1 / d : 0), -128, 127);
  // The d that suits the quants of these integer scales best, then the quants that suit it.
  panel_lanes xq = 0, qq = 0, inverse = signed_inverses(d * bytes);
  for (int c = 0; c < 16; c++) {
    panel_lanes q = nearest_quants_q6(x[c], inverse);
    xq += x[c] * q;
    qq += q * q;
  }
  float square = sum_of_lanes(bytes * bytes * qq);
  if (square > 0) d = as_half(sum_of_lanes(bytes * xq) / square);
  inverse = signed_inverses(d * bytes);
  for (int c = 0; c < 16; c++) quants[c] = nearest_quants_q6(x[c], inverse) + 32;

  store_half(d, block->d);
  memset(block->quants, 0, sizeof block->quants);
  memset(block->high, 0, sizeof block->high);
  for (int g = 0; g < 16; g++) {
    block->scales[g] = (uint8_t)(int8_t)bytes[g];
    int half = g / 8, part = g % 8;
    for (int c = 0; c < 16; c++) {
      int quant = (int)quants[c][g];
      block->quants[64 * half + part % 4 * 16 + c] |= (uint8_t)((quant & 0x0F) << part / 4 * 4);
      block->high[32 * half + part % 2 * 16 + c] |= (uint8_t)(quant >> 4 << part / 2 * 2);
    }
  }
}
