// The portable form: plain C for any CPU, and the meaning of every other form.

#include "forms.h"

#define FLARE_FORM generic
#define FLARE_VECTOR_SIZE 16
#include "loops/all.h"

static inline float panel_scale(const uint8_t *scales, size_t group, size_t row) {
  uint16_t half;
  memcpy(&half, scales + 2 * (group * FLARE_PANEL_ROWS + row), sizeof half);
  return float_from_f16(half);
}

/// Adds the products of 4 consecutive columns of 16 rows to their sums.
static inline void add_chunk(const uint8_t *weights, int shift, int mask, const int8_t *x,
                             int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
    for (size_t k = 0; k < 4; k++) sums[r] += (weights[4 * r + k] >> shift & mask) * x[k];
  }
}

static void add_group_int8(const uint8_t *weights, const int8_t *x, int32_t start, int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) sums[r] = 16 * start;
  for (size_t c = 0; c < 8; c++) add_chunk(weights + 64 * c, 0, 0xFF, x + 4 * c, sums);
}

static void add_group_int4(const uint8_t *weights, const int8_t *x, int32_t start, int32_t *sums) {
  for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) sums[r] = start;
  for (size_t p = 0; p < 4; p++) {
    add_chunk(weights + 64 * p, 0, 0x0F, x + 4 * p, sums);
    add_chunk(weights + 64 * p, 4, 0x0F, x + 4 * (p + 4), sums);
  }
}

typedef void add_group(const uint8_t *weights, const int8_t *x, int32_t start, int32_t *sums);

static inline void matmul(add_group *add, size_t group_size, const flare_panels *w,
                          const flare_activations *x, float *out, size_t out_stride, size_t first,
                          size_t end) {
  size_t groups = w->group_count;
  for (size_t panel = first; panel < end; panel++) {
    const uint8_t *weights = w->bytes + panel * w->panel_size;
    const uint8_t *scales = weights + groups * group_size;
    size_t row_count = w->row_count - panel * FLARE_PANEL_ROWS;
    if (row_count > FLARE_PANEL_ROWS) row_count = FLARE_PANEL_ROWS;

    for (size_t row = 0; row < x->row_count; row++) {
      size_t tile = row / FLARE_TILE_ROWS * FLARE_TILE_ROWS, left = x->row_count - tile;
      size_t tile_rows = left < FLARE_TILE_ROWS ? left : FLARE_TILE_ROWS;
      float totals[FLARE_PANEL_ROWS] = {0};
      for (size_t g = 0; g < groups; g++) {
        size_t place = tile * groups + g * tile_rows + (row - tile);
        int32_t sums[FLARE_PANEL_ROWS];
        add(weights + g * group_size, x->quants + place * FLARE_GROUP_SIZE, x->starts[place], sums);
        for (size_t r = 0; r < FLARE_PANEL_ROWS; r++) {
          float scale = panel_scale(scales, g, r) * x->scales[place];
          totals[r] = fmaf((float)sums[r], scale, totals[r]);
        }
      }
      memcpy(out + row * out_stride + panel * FLARE_PANEL_ROWS, totals, row_count * sizeof(float));
    }
  }
}

static void flare_matmul_int8_generic(const flare_panels *w, const flare_activations *x, float *out,
                                      size_t out_stride, size_t first, size_t end) {
  matmul(add_group_int8, FLARE_PANEL_ROWS * FLARE_GROUP_SIZE, w, x, out, out_stride, first, end);
}

static void flare_matmul_int4_generic(const flare_panels *w, const flare_activations *x, float *out,
                                      size_t out_stride, size_t first, size_t end) {
  matmul(add_group_int4, FLARE_PANEL_ROWS * FLARE_GROUP_SIZE / 2, w, x, out, out_stride, first,
         end);
}

void flare_dequantize_row_int8(const flare_panels *w, size_t row, float *out) {
  const uint8_t *panel = w->bytes + row / FLARE_PANEL_ROWS * w->panel_size;
  const uint8_t *scales = panel + w->group_count * FLARE_PANEL_ROWS * FLARE_GROUP_SIZE;
  size_t r = row % FLARE_PANEL_ROWS;
  for (size_t i = 0; i < w->group_count * FLARE_GROUP_SIZE; i++) {
    int quant = panel[64 * (i / 4) + 4 * r + i % 4] - 128;
    out[i] = panel_scale(scales, i / FLARE_GROUP_SIZE, r) * (float)quant;
  }
}

void flare_dequantize_row_int4(const flare_panels *w, size_t row, float *out) {
  const uint8_t *panel = w->bytes + row / FLARE_PANEL_ROWS * w->panel_size;
  const uint8_t *scales = panel + w->group_count * FLARE_PANEL_ROWS * FLARE_GROUP_SIZE / 2;
  size_t r = row % FLARE_PANEL_ROWS;
  for (size_t i = 0; i < w->group_count * FLARE_GROUP_SIZE; i++) {
    size_t group = i / FLARE_GROUP_SIZE, column = i % FLARE_GROUP_SIZE;
    uint8_t pair = panel[256 * group + 64 * (column % 16 / 4) + 4 * r + column % 4];
    int quant = (column < 16 ? pair & 0x0F : pair >> 4) - 8;
    out[i] = panel_scale(scales, group, r) * (float)quant;
  }
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
