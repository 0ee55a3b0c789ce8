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
#include "loops/tiles.h"

/// Registers of sums of a panel.
#define QUARTERS 4
/// Activation rows whose sums and totals fit in 32 registers beside the weights.
#define SUBTILE_ROWS 2

static inline int8x16_t broadcast_chunk(const int8_t *x) {
  int32_t chunk;
  memcpy(&chunk, x, sizeof chunk);
  return vreinterpretq_s8_s32(vdupq_n_s32(chunk));
}

/// Four rows of 16 float16 scales.
static inline float32x4_t load_halves(const uint8_t *halves) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(halves)));
}

#include "k_quants/neon.h"

/// The sums of a group that its scales multiply.
static inline __attribute__((always_inline)) void sum_group(
    weight_type type, int rows, const uint8_t *weights, const uint8_t *scales, const int8_t *quants,
    const int32_t *starts, int32x4_t sums[SUBTILE_ROWS][QUARTERS]) {
  if (type == Q6_K) {
    sum_group_q6_k(rows, weights, scales, quants, sums);
    return;
  }
  // Signed instructions: int8 weights lose their bias of 128 on the way, int4 ones keep it.
  for (int i = 0; i < rows; i++)
    for (int q = 0; q < QUARTERS; q++) sums[i][q] = vdupq_n_s32(type == INT4 ? starts[i] : 0);
  for (int load = 0; load < (type == INT8 ? 8 : 4); load++) {
    for (int q = 0; q < QUARTERS; q++) {
      uint8x16_t bytes = vld1q_u8(weights + 64 * load + 16 * q);
      uint8x16_t low = type == INT8 ? veorq_u8(bytes, vdupq_n_u8(0x80))
                                    : vandq_u8(bytes, vdupq_n_u8(0x0F));
      uint8x16_t high = vshrq_n_u8(bytes, 4);
      if (type == Q5_K) {
        low = vorrq_u8(low, fifth_bits(weights, q, load));
        high = vorrq_u8(high, fifth_bits(weights, q, load + 4));
      }
      for (int i = 0; i < rows; i++) {
        const int8_t *x = quants + FLARE_GROUP_SIZE * i + 4 * load;
        sums[i][q] = vdotq_s32(sums[i][q], vreinterpretq_s8_u8(low), broadcast_chunk(x));
        if (type != INT8)
          sums[i][q] = vdotq_s32(sums[i][q], vreinterpretq_s8_u8(high), broadcast_chunk(x + 16));
      }
    }
  }
}

/// The scales of quarter q of a group.
static inline float32x4_t group_scale(weight_type type, const uint8_t *scales,
                                      const uint8_t *block_scales, int q) {
  switch (type) {
    case INT8:
    case INT4: return load_halves(scales + 8 * q);
    case Q4_K:
    case Q5_K: return scale_q4_k(scales, block_scales, q);
    case Q6_K: return load_halves(block_scales + 8 * q);
  }
}

/// A panel times `rows` ≤ SUBTILE_ROWS of the `tile_rows` activations of a tile, all literals; `t`
/// begins with the first of them.
static inline __attribute__((always_inline)) void multiply_subtile(weight_type type, int rows,
                                                                   int tile_rows, tile_product t) {
  const uint8_t *weights = t.panel.quants, *scales = t.panel.scales;
  float32x4_t totals[SUBTILE_ROWS][QUARTERS];
  int32x4_t sums[SUBTILE_ROWS][QUARTERS];
  for (int i = 0; i < rows; i++)
    for (int q = 0; q < QUARTERS; q++) totals[i][q] = vdupq_n_f32(0);

  for (size_t g = 0; g < t.groups; g++) {
    const uint8_t *block_scales = t.panel.block_scales + g / BLOCK_GROUPS * block_scales_size(type);
    sum_group(type, rows, weights, scales, t.quants, t.starts, sums);
    for (int q = 0; q < QUARTERS; q++) {
      float32x4_t scale = group_scale(type, scales, block_scales, q);
      for (int i = 0; i < rows; i++) {
        float32x4_t product = vmulq_n_f32(scale, t.scales[i]);
        totals[i][q] = vfmaq_f32(totals[i][q], vcvtq_f32_s32(sums[i][q]), product);
        if (!has_minimums(type)) continue;
        float32x4_t minimum = minimum_q4_k(scales, block_scales, q);
        float sum = negative_sum(t.scales[i], t.starts[i]);
        totals[i][q] = vfmaq_n_f32(totals[i][q], minimum, sum);
      }
    }
    weights += group_size(type);
    scales += GROUP_SCALES_SIZE;
    t.quants += tile_rows * FLARE_GROUP_SIZE;
    t.scales += tile_rows;
    t.starts += tile_rows;
  }
  for (int i = 0; i < rows; i++) {
    float panel[FLARE_PANEL_ROWS];
    for (int q = 0; q < QUARTERS; q++) vst1q_f32(panel + 4 * q, totals[i][q]);
    memcpy(t.out + i * t.out_stride, panel, (size_t)t.stored * sizeof(float));
  }
}

static inline __attribute__((always_inline)) void multiply_tile(weight_type type, int rows,
                                                                tile_product t) {
  for (int i = 0; i < rows; i += SUBTILE_ROWS) {
    multiply_subtile(type, rows - i < SUBTILE_ROWS ? rows - i : SUBTILE_ROWS, rows, t);
    t.quants += SUBTILE_ROWS * FLARE_GROUP_SIZE;
    t.scales += SUBTILE_ROWS;
    t.starts += SUBTILE_ROWS;
    t.out += SUBTILE_ROWS * t.out_stride;
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
