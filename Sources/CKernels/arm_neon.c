// 64-bit ARM with dot products: `sdot` takes 4 columns of 4 rows at a time, so a 64-byte load of
// the layout is four registers.

#if defined(__aarch64__)

#include <arm_neon.h>

#include "forms.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define FLARE_FORM neon
#define FLARE_VECTOR_SIZE 16
#define FLARE_HARDWARE_F16
#include "loops/all.h"
#include "loops/weights.h"

/// Registers of sums of a panel.
#define QUARTERS 4
/// Activation rows whose sums and totals fit in 32 registers beside the weights.
#define SUBTILE_ROWS 2

static inline int8x16_t broadcast_chunk(const int8_t *x) {
  int32_t chunk;
  memcpy(&chunk, x, sizeof chunk);
  return vreinterpretq_s8_s32(vdupq_n_s32(chunk));
}

/// 16 weight rows times `rows` ≤ 2 of the `tile_rows` activations of a tile; `type` and `rows` are
/// literals, so that the sums stay in registers. `stored` rows of the panel are written.
static inline __attribute__((always_inline)) void multiply_subtile(
    weight_type type, int rows, size_t tile_rows, const uint8_t *weights, size_t groups,
    const int8_t *quants, const float *activation_scales, const int32_t *starts, size_t stored,
    float *out, size_t out_stride) {
  const uint8_t *scales = weights + groups * group_size(type);
  float32x4_t totals[SUBTILE_ROWS][QUARTERS];
  int32x4_t sums[SUBTILE_ROWS][QUARTERS];
  for (int i = 0; i < rows; i++)
    for (int q = 0; q < QUARTERS; q++) totals[i][q] = vdupq_n_f32(0);

  for (size_t g = 0; g < groups; g++) {
    // Signed instructions: int8 weights lose their bias of 128 on the way, int4 ones keep it.
    for (int i = 0; i < rows; i++)
      for (int q = 0; q < QUARTERS; q++) sums[i][q] = vdupq_n_s32(type == INT4 ? starts[i] : 0);
    for (int load = 0; load < (type == INT4 ? 4 : 8); load++) {
      for (int q = 0; q < QUARTERS; q++) {
        uint8x16_t bytes = vld1q_u8(weights + 64 * load + 16 * q);
        uint8x16_t low = type == INT4 ? vandq_u8(bytes, vdupq_n_u8(0x0F))
                                      : veorq_u8(bytes, vdupq_n_u8(0x80));
        for (int i = 0; i < rows; i++) {
          const int8_t *x = quants + FLARE_GROUP_SIZE * i + 4 * load;
          sums[i][q] = vdotq_s32(sums[i][q], vreinterpretq_s8_u8(low), broadcast_chunk(x));
          if (type == INT4) {
            int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
            sums[i][q] = vdotq_s32(sums[i][q], high, broadcast_chunk(x + 16));
          }
        }
      }
    }
    for (int q = 0; q < QUARTERS; q++) {
      float16x4_t halves = vreinterpret_f16_u8(vld1_u8(scales + 8 * q));
      float32x4_t scale = vcvt_f32_f16(halves);
      for (int i = 0; i < rows; i++) {
        float32x4_t product = vmulq_n_f32(scale, activation_scales[i]);
        totals[i][q] = vfmaq_f32(totals[i][q], vcvtq_f32_s32(sums[i][q]), product);
      }
    }
    weights += group_size(type);
    scales += 2 * FLARE_PANEL_ROWS;
    quants += tile_rows * FLARE_GROUP_SIZE;
    activation_scales += tile_rows;
    starts += tile_rows;
  }
  for (int i = 0; i < rows; i++) {
    float panel[FLARE_PANEL_ROWS];
    for (int q = 0; q < QUARTERS; q++) vst1q_f32(panel + 4 * q, totals[i][q]);
    memcpy(out + i * out_stride, panel, stored * sizeof(float));
  }
}

static inline __attribute__((always_inline)) void matmul(weight_type type, const flare_panels *w,
                                                         const flare_activations *x, float *out,
                                                         size_t out_stride, size_t first,
                                                         size_t end) {
  size_t groups = w->group_count;
  for (size_t panel = first; panel < end; panel++) {
    const uint8_t *weights = w->bytes + panel * w->panel_size;
    size_t rows_left = w->row_count - panel * FLARE_PANEL_ROWS;
    size_t stored = rows_left < FLARE_PANEL_ROWS ? rows_left : FLARE_PANEL_ROWS;
    for (size_t row = 0; row < x->row_count; row += SUBTILE_ROWS) {
      size_t tile = row / FLARE_TILE_ROWS * FLARE_TILE_ROWS, left = x->row_count - tile;
      size_t tile_rows = left < FLARE_TILE_ROWS ? left : FLARE_TILE_ROWS;
      size_t place = tile * groups + (row - tile);
      const int8_t *quants = x->quants + place * FLARE_GROUP_SIZE;
      const float *scales = x->scales + place;
      const int32_t *starts = x->starts + place;
      float *corner = out + row * out_stride + panel * FLARE_PANEL_ROWS;
      if (x->row_count - row == 1)
        multiply_subtile(type, 1, tile_rows, weights, groups, quants, scales, starts, stored,
                         corner, out_stride);
      else
        multiply_subtile(type, 2, tile_rows, weights, groups, quants, scales, starts, stored,
                         corner, out_stride);
    }
  }
}

#include "loops/matmul_forms.h"

typedef int32x4_t sum_register;

static inline int32x4_t add_products(bool narrow, int32x4_t sum, int32x4_t weights,
                                     int32x4_t quants) {
  return vdotq_s32(sum, vreinterpretq_s8_s32(weights), vreinterpretq_s8_s32(quants));
}

#include "loops/limits_forms.h"

#pragma clang attribute pop

const flare_kernels flare_kernels_neon = FLARE_KERNEL_TABLE;

#endif
