// AVX2: `vpmaddubsw` multiplies unsigned by signed bytes and adds pairs in 16 bits, 8 rows at a
// time. With FLARE_AVX_VNNI, which x86_avxvnni.c defines, `vpdpbusd` adds four in 32 bits.

#if defined(__x86_64__)

#include <immintrin.h>

#include "forms.h"

#ifdef FLARE_AVX_VNNI
#define FLARE_FORM avxvnni
#pragma clang attribute push(__attribute__((target("avx2,avxvnni,fma,f16c"))), apply_to = function)
#else
#define FLARE_FORM avx2
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#endif

#define FLARE_VECTOR_SIZE 32
#define FLARE_HARDWARE_F16
#include "loops/all.h"
#include "loops/weights.h"
#include "loops/tiles.h"

/// Rows of a register of sums: half a panel.
#define HALF_PANEL 8
/// The sums that stay in registers: one for each activation row and each half of the panel.
#define MAXIMUM_SUMS 8

/// Unrolled, the loads of all steps are moved up and push the sums out of their registers.
#define KEEP_ROLLED _Pragma("clang loop unroll(disable)")

static inline __m256i broadcast_chunk(const int8_t *x) {
  int32_t chunk;
  memcpy(&chunk, x, sizeof chunk);
  return _mm256_set1_epi32(chunk);
}

#ifdef FLARE_AVX_VNNI

static inline __attribute__((always_inline)) void sum_group_int8(int rows, const uint8_t *weights,
                                                                 const int8_t *quants,
                                                                 const int32_t *starts,
                                                                 __m256i *sums) {
  for (int i = 0; i < rows; i++) sums[i] = _mm256_set1_epi32(16 * starts[i]);
  KEEP_ROLLED for (int load = 0; load < 8; load++) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(weights + 64 * load));
    for (int i = 0; i < rows; i++) {
      __m256i chunk = broadcast_chunk(quants + FLARE_GROUP_SIZE * i + 4 * load);
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], bytes, chunk);
    }
  }
}

static inline __attribute__((always_inline)) void sum_group_int4(int rows, const uint8_t *weights,
                                                                 const int8_t *quants,
                                                                 const int32_t *starts,
                                                                 __m256i *sums) {
  const __m256i nibble = _mm256_set1_epi8(0x0F);
  for (int i = 0; i < rows; i++) sums[i] = _mm256_set1_epi32(starts[i]);
  KEEP_ROLLED for (int load = 0; load < 4; load++) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(weights + 64 * load));
    __m256i low = _mm256_and_si256(bytes, nibble);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble);
    for (int i = 0; i < rows; i++) {
      const int8_t *x = quants + FLARE_GROUP_SIZE * i + 4 * load;
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], low, broadcast_chunk(x));
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], high, broadcast_chunk(x + 16));
    }
  }
}

#else

/// Sums of a group of int8 weights. Their unsigned form would overflow 16 bits (2 · 255 · 127), so
/// the sign goes to the activation: |w| · (a · sign w) is at most 2 · 128 · 127.
static inline __attribute__((always_inline)) void sum_group_int8(int rows, const uint8_t *weights,
                                                                 const int8_t *quants,
                                                                 const int32_t *starts,
                                                                 __m256i *sums) {
  (void)starts;  // signed weights have no bias to take off
  const __m256i bias = _mm256_set1_epi8((char)0x80), ones = _mm256_set1_epi16(1);
  for (int i = 0; i < rows; i++) sums[i] = _mm256_setzero_si256();
  KEEP_ROLLED for (int load = 0; load < 8; load++) {
    __m256i signed_weights =
        _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(weights + 64 * load)), bias);
    __m256i magnitudes = _mm256_abs_epi8(signed_weights);
    for (int i = 0; i < rows; i++) {
      __m256i chunk = broadcast_chunk(quants + FLARE_GROUP_SIZE * i + 4 * load);
      __m256i pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(chunk, signed_weights));
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
    }
  }
}

/// Sums of a group of int4 weights. Eight pairs of at most 2 · 15 · 127 still fit in 16 bits, so
/// they are widened once.
static inline __attribute__((always_inline)) void sum_group_int4(int rows, const uint8_t *weights,
                                                                 const int8_t *quants,
                                                                 const int32_t *starts,
                                                                 __m256i *sums) {
  const __m256i nibble = _mm256_set1_epi8(0x0F), ones = _mm256_set1_epi16(1);
  for (int i = 0; i < rows; i++) sums[i] = _mm256_setzero_si256();
  KEEP_ROLLED for (int load = 0; load < 4; load++) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(weights + 64 * load));
    __m256i low = _mm256_and_si256(bytes, nibble);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble);
    for (int i = 0; i < rows; i++) {
      const int8_t *x = quants + FLARE_GROUP_SIZE * i + 4 * load;
      sums[i] = _mm256_add_epi16(sums[i], _mm256_maddubs_epi16(low, broadcast_chunk(x)));
      sums[i] = _mm256_add_epi16(sums[i], _mm256_maddubs_epi16(high, broadcast_chunk(x + 16)));
    }
  }
  for (int i = 0; i < rows; i++)
    sums[i] = _mm256_add_epi32(_mm256_madd_epi16(sums[i], ones), _mm256_set1_epi32(starts[i]));
}

#endif

static inline __m256 load_halves(const uint8_t *halves) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
}

#include "k_quants/avx2.h"

/// The sums of a group that its scales multiply.
static inline __attribute__((always_inline)) void sum_group(weight_type type, int rows,
                                                            const uint8_t *weights,
                                                            const uint8_t *scales, int half,
                                                            const int8_t *quants,
                                                            const int32_t *starts, __m256i *sums) {
  static const int32_t no_starts[FLARE_TILE_ROWS] = {0};
  switch (type) {
    case INT8: sum_group_int8(rows, weights, quants, starts, sums); break;
    case INT4: sum_group_int4(rows, weights, quants, starts, sums); break;
    case Q4_K: sum_group_int4(rows, weights, quants, no_starts, sums); break;
    case Q5_K: sum_group_q5_k(rows, weights, quants, sums); break;
    case Q6_K: sum_group_q6_k(rows, weights, scales, half, quants, sums); break;
  }
}

static inline __m256 group_scale(weight_type type, const uint8_t *scales,
                                 const uint8_t *block_scales, int half) {
  switch (type) {
    case INT8:
    case INT4: return load_halves(scales + 16 * half);
    case Q4_K:
    case Q5_K: return scale_q4_k(scales, block_scales, half);
    case Q6_K: return load_halves(block_scales + 16 * half);
  }
}

/// `halves` halves of a panel, from `first_half`, times a tile; all of them literals, with at most
/// MAXIMUM_SUMS sums. The totals are in the first cache.
static inline __attribute__((always_inline)) void multiply_halves(weight_type type, int first_half,
                                                                  int halves, int rows,
                                                                  tile_product t) {
  const uint8_t *weights = t.panel.quants, *scales = t.panel.scales;
  __m256 totals[2][FLARE_TILE_ROWS];
  __m256i sums[FLARE_TILE_ROWS];
  for (int h = 0; h < halves; h++)
    for (int i = 0; i < rows; i++) totals[h][i] = _mm256_setzero_ps();
  for (size_t g = 0; g < t.groups; g++) {
    // Where a weight serves so few activations, its way from memory is what takes time.
    if (halves == 2) prefetch_ahead(type, weights, scales, g, t);
    const uint8_t *block_scales = t.panel.block_scales + g / BLOCK_GROUPS * block_scales_size(type);
    for (int h = 0; h < halves; h++) {
      int half = first_half + h;
      sum_group(type, rows, weights + 32 * half, scales, half, t.quants, t.starts, sums);
      __m256 scale = group_scale(type, scales, block_scales, half);
      for (int i = 0; i < rows; i++) {
        __m256 product = _mm256_mul_ps(scale, _mm256_set1_ps(t.scales[i]));
        totals[h][i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[i]), product, totals[h][i]);
      }
      if (!has_minimums(type)) continue;
      __m256 minimum = minimum_q4_k(scales, block_scales, half);
      for (int i = 0; i < rows; i++) {
        __m256 sum = _mm256_set1_ps(negative_sum(t.scales[i], t.starts[i]));
        totals[h][i] = _mm256_fmadd_ps(minimum, sum, totals[h][i]);
      }
    }
    weights += group_size(type);
    scales += GROUP_SCALES_SIZE;
    t.quants += rows * FLARE_GROUP_SIZE;
    t.scales += rows;
    t.starts += rows;
  }
  for (int h = 0; h < halves; h++) {
    int first_row = HALF_PANEL * (first_half + h);
    __m256i row = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i stored = _mm256_cmpgt_epi32(_mm256_set1_epi32(t.stored - first_row), row);
    for (int i = 0; i < rows; i++)
      _mm256_maskstore_ps(t.out + i * t.out_stride + first_row, stored, totals[h][i]);
  }
}

static inline __attribute__((always_inline)) void multiply_tile(weight_type type, int rows,
                                                                tile_product t) {
  if (2 * rows <= MAXIMUM_SUMS) {
    multiply_halves(type, 0, 2, rows, t);
  } else {
    multiply_halves(type, 0, 1, rows, t);
    multiply_halves(type, 1, 1, rows, t);
  }
}

#include "loops/matmul_forms.h"

typedef __m256i sum_register;

#ifdef FLARE_AVX_VNNI

static inline __m256i add_products(bool narrow, __m256i sum, __m256i weights, __m256i quants) {
  return _mm256_dpbusd_avx_epi32(sum, weights, quants);
}

#else

static inline __m256i add_products(bool narrow, __m256i sum, __m256i weights, __m256i quants) {
  __m256i pairs = _mm256_maddubs_epi16(weights, quants);
  if (narrow) return _mm256_add_epi16(sum, pairs);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#define FLARE_NARROW_SUMS
#endif

#include "loops/limits_forms.h"

#pragma clang attribute pop

const flare_kernels JOIN(kernels, FLARE_FORM) = FLARE_KERNEL_TABLE;

#endif
