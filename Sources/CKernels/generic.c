// The portable form: plain C for any CPU, and the meaning of every other form.

#include "forms.h"

#define FLARE_FORM generic
#define FLARE_VECTOR_SIZE 16
#include "loops/all.h"
#include "loops/weights.h"

/// Scale `row` of 16.
static inline float half_at(const uint8_t *scales, size_t row) {
  uint16_t half;
  memcpy(&half, scales + 2 * row, sizeof half);
  return float_from_f16(half);
}

/// The quant of a column of row r: a byte.
static inline int byte_at(const uint8_t *group, size_t r, size_t column) {
  return group[64 * (column / 4) + 4 * r + column % 4];
}

/// The quant of a column of row r: half a byte.
static inline int nibble_at(const uint8_t *group, size_t r, size_t column) {
  int pair = byte_at(group, r, column % 16);
  return column < 16 ? pair & 0x0F : pair >> 4;
}

/// Adds the products of 4 consecutive columns of 16 rows to their sums.
static inline void add_chunk(const uint8_t *weights, int shift, int mask, const int8_t *x,
                             int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
    for (size_t k = 0; k < 4; k++) sums[r] += (weights[4 * r + k] >> shift & mask) * x[k];
  }
}

static inline void sum_group_int8(const uint8_t *weights, const int8_t *x, int32_t start,
                                  int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) sums[r] = 16 * start;
  for (size_t c = 0; c < 8; c++) add_chunk(weights + 64 * c, 0, 0xFF, x + 4 * c, sums);
}

static inline void sum_group_int4(const uint8_t *weights, const int8_t *x, int32_t start,
                                  int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) sums[r] = start;
  for (size_t p = 0; p < 4; p++) {
    add_chunk(weights + 64 * p, 0, 0x0F, x + 4 * p, sums);
    add_chunk(weights + 64 * p, 4, 0x0F, x + 4 * (p + 4), sums);
  }
}

#include "k_quants/generic.h"

/// The sums of a group of 16 rows: what its scales multiply.
static inline void sum_group(weight_type type, const uint8_t *weights, const uint8_t *scales,
                             const int8_t *x, int32_t start, int32_t *sums) {
  switch (type) {
    case INT8: sum_group_int8(weights, x, start, sums); break;
    case INT4: sum_group_int4(weights, x, start, sums); break;
    case Q4_K: sum_group_int4(weights, x, 0, sums); break;
    case Q5_K: sum_group_q5_k(weights, x, sums); break;
    case Q6_K: sum_group_q6_k(weights, scales, x, sums); break;
  }
}

/// The scale of the sum of row r.
static inline float group_scale(weight_type type, const uint8_t *scales,
                                const uint8_t *block_scales, size_t r) {
  switch (type) {
    case INT8:
    case INT4: return half_at(scales, r);
    case Q4_K:
    case Q5_K: return scale_q4_k(scales, block_scales, r);
    case Q6_K: return half_at(block_scales, r);
  }
}

static inline void matmul(weight_type type, const flare_panels *w, const flare_activations *x,
                          float *out, size_t out_stride, size_t first, size_t end) {
  size_t groups = w->group_count;
  for (size_t panel = first; panel < end; panel++) {
    panel_parts parts = parts_of_panel(type, w, panel);
    size_t row_count = w->row_count - panel * FLARE_PANEL_ROWS;
    if (row_count > FLARE_PANEL_ROWS) row_count = FLARE_PANEL_ROWS;

    for (size_t row = 0; row < x->row_count; row++) {
      size_t tile = row / FLARE_TILE_ROWS * FLARE_TILE_ROWS, left = x->row_count - tile;
      size_t tile_rows = left < FLARE_TILE_ROWS ? left : FLARE_TILE_ROWS;
      float totals[FLARE_PANEL_ROWS] = {0};
      for (size_t g = 0; g < groups; g++) {
        const uint8_t *scales = parts.scales + g * GROUP_SCALES_SIZE;
        const uint8_t *block_scales =
            parts.block_scales + g / BLOCK_GROUPS * block_scales_size(type);
        size_t place = tile * groups + g * tile_rows + (row - tile);
        int32_t sums[FLARE_PANEL_ROWS];
        sum_group(type, parts.quants + g * group_size(type), scales,
                  x->quants + place * FLARE_GROUP_SIZE, x->starts[place], sums);
        for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
          float scale = group_scale(type, scales, block_scales, r) * x->scales[place];
          totals[r] = fmaf((float)sums[r], scale, totals[r]);
          if (!has_minimums(type)) continue;
          float sum = negative_sum(x->scales[place], x->starts[place]);
          totals[r] = fmaf(minimum_q4_k(scales, block_scales, r), sum, totals[r]);
        }
      }
      memcpy(out + row * out_stride + panel * FLARE_PANEL_ROWS, totals, row_count * sizeof(float));
    }
  }
}

#include "loops/matmul_forms.h"

/// One element of a group.
static inline float element(weight_type type, const uint8_t *group, const uint8_t *scales,
                            const uint8_t *block_scales, size_t r, size_t column) {
  switch (type) {
    case INT8: return half_at(scales, r) * (float)(byte_at(group, r, column) - 128);
    case INT4: return half_at(scales, r) * (float)(nibble_at(group, r, column) - 8);
    case Q4_K: return element_q4_k(nibble_at(group, r, column), scales, block_scales, r);
    case Q5_K: return element_q4_k(quant_q5_k(group, r, column), scales, block_scales, r);
    case Q6_K: return element_q6_k(group, scales, block_scales, r, column);
  }
}

static inline void dequantize_row(weight_type type, const flare_panels *w, size_t row, float *out) {
  panel_parts parts = parts_of_panel(type, w, row / FLARE_PANEL_ROWS);
  for (size_t g = 0; g < w->group_count; g++) {
    for (size_t column = 0; column < FLARE_GROUP_SIZE; column++) {
      out[g * FLARE_GROUP_SIZE + column] =
          element(type, parts.quants + g * group_size(type), parts.scales + g * GROUP_SCALES_SIZE,
                  parts.block_scales + g / BLOCK_GROUPS * block_scales_size(type),
                  row % FLARE_PANEL_ROWS, column);
    }
  }
}

/// The form's own step on a chunk that the compiler takes for new each time.
static size_t flare_multiply_registers_generic(bool narrow, size_t rounds) {
  if (narrow) return 0;
  uint8_t weights[4 * FLARE_PANEL_ROWS] = {0};
  int8_t quants[4] = {0};
  int32_t sums[FLARE_PANEL_ROWS] = {0};
  for (size_t round = 0; round < rounds; round++) {
    __asm__ volatile("" : : "r"(weights), "r"(quants) : "memory");
    add_chunk(weights, 0, 0xFF, quants, sums);
  }
  __asm__ volatile("" : : "r"(sums) : "memory");
  return rounds * sizeof weights;
}

void flare_dequantize_row_int8(const flare_panels *w, size_t row, float *out) {
  dequantize_row(INT8, w, row, out);
}

void flare_dequantize_row_int4(const flare_panels *w, size_t row, float *out) {
  dequantize_row(INT4, w, row, out);
}

void flare_dequantize_row_q4_k(const flare_panels *w, size_t row, float *out) {
  dequantize_row(Q4_K, w, row, out);
}

void flare_dequantize_row_q5_k(const flare_panels *w, size_t row, float *out) {
  dequantize_row(Q5_K, w, row, out);
}

void flare_dequantize_row_q6_k(const flare_panels *w, size_t row, float *out) {
  dequantize_row(Q6_K, w, row, out);
}

size_t flare_key_value_tile_size(flare_key_value_type type, size_t head_dimension) {
  size_t columns = head_dimension + rounded_up_to_panels(head_dimension);
  size_t scales = type == FLARE_KEY_VALUE_INT8 ? 2 * key_value_groups(head_dimension) : 0;
  return FLARE_KEY_VALUE_TILE * (columns * element_size(type) + scales * sizeof(uint16_t));
}

size_t flare_attention_partial_size(size_t head_dimension) {
  return rounded_up_to_panels(head_dimension) + FLARE_KEY_VALUE_PANEL;
}

const flare_kernels flare_kernels_generic = FLARE_KERNEL_TABLE;
