// AVX2: `vpmaddubsw` multiplies unsigned by signed bytes and adds pairs in 16 bits, 8 rows at a
// time.

#if defined(__x86_64__)

#include <immintrin.h>

#include "forms.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define FLARE_FORM avx2
#define FLARE_VECTOR_SIZE 32
#define FLARE_HARDWARE_F16
#include "loops/all.h"
#include "loops/weights.h"

/// Rows of a register of sums: half a panel.
#define HALF_PANEL 8
/// Activation rows whose sums and totals fit in 16 registers beside the weights.
#define SUBTILE_ROWS 4

static inline __m256i broadcast_chunk(const int8_t *x) {
  int32_t chunk;
  memcpy(&chunk, x, sizeof chunk);
  return _mm256_set1_epi32(chunk);
}

/// Sums of a group of int8 weights. Their unsigned form would overflow 16 bits (2 · 255 · 127), so
/// the sign goes to the activation: |w| · (a · sign w) is at most 2 · 128 · 127.
static inline __attribute__((always_inline)) void sum_group_int8(int rows, const uint8_t *weights,
                                                                 const int8_t *quants,
                                                                 __m256i *sums) {
  const __m256i bias = _mm256_set1_epi8((char)0x80), ones = _mm256_set1_epi16(1);
  for (int i = 0; i < rows; i++) sums[i] = _mm256_setzero_si256();
  for (int load = 0; load < 8; load++) {
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
  for (int load = 0; load < 4; load++) {
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

/// 8 weight rows times `rows` ≤ 4 of the `tile_rows` activations of a tile; `type` and `rows` are
/// literals, so that the sums stay in registers.
static inline __attribute__((always_inline)) void multiply_subtile(
    weight_type type, int rows, int tile_rows, const uint8_t *weights, const uint8_t *scales,
    size_t groups, const int8_t *quants, const float *activation_scales, const int32_t *starts,
    __m256i stored, float *out, size_t out_stride) {
  __m256 totals[SUBTILE_ROWS];
  __m256i sums[SUBTILE_ROWS];
  for (int i = 0; i < rows; i++) totals[i] = _mm256_setzero_ps();
  for (size_t g = 0; g < groups; g++) {
    if (type == INT4)
      sum_group_int4(rows, weights, quants, starts, sums);
    else
      sum_group_int8(rows, weights, quants, sums);
    __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)scales));
    for (int i = 0; i < rows; i++) {
      __m256 product = _mm256_mul_ps(scale, _mm256_set1_ps(activation_scales[i]));
      totals[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[i]), product, totals[i]);
    }
    weights += group_size(type);
    scales += 2 * FLARE_PANEL_ROWS;
    quants += tile_rows * FLARE_GROUP_SIZE;
    activation_scales += tile_rows;
    starts += tile_rows;
  }
  for (int i = 0; i < rows; i++) _mm256_maskstore_ps(out + i * out_stride, stored, totals[i]);
}

static inline __attribute__((always_inline)) void matmul(weight_type type, const flare_panels *w,
                                                         const flare_activations *x, float *out,
                                                         size_t out_stride, size_t first,
                                                         size_t end) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  size_t groups = w->group_count;
  for (size_t half = 2 * first; half < 2 * end && half * HALF_PANEL < w->row_count; half++) {
    const uint8_t *panel = w->bytes + half / 2 * w->panel_size;
    const uint8_t *weights = panel + half % 2 * 32;
    const uint8_t *weight_scales = panel + groups * group_size(type) + half % 2 * 16;
    size_t rows_left = w->row_count - half * HALF_PANEL;
    int stored_rows = rows_left < HALF_PANEL ? (int)rows_left : HALF_PANEL;
    __m256i stored = _mm256_cmpgt_epi32(_mm256_set1_epi32(stored_rows), lane);

    for (size_t row = 0; row < x->row_count; row += SUBTILE_ROWS) {
      size_t tile = row / FLARE_TILE_ROWS * FLARE_TILE_ROWS, left = x->row_count - tile;
      int tile_rows = left < FLARE_TILE_ROWS ? (int)left : FLARE_TILE_ROWS;
      size_t place = tile * groups + (row - tile);
      const int8_t *quants = x->quants + place * FLARE_GROUP_SIZE;
      const float *scales = x->scales + place;
      const int32_t *starts = x->starts + place;
      float *corner = out + row * out_stride + half * HALF_PANEL;
#define SUBTILE(rows)                                                                          \
  multiply_subtile(type, rows, tile_rows, weights, weight_scales, groups, quants, scales, starts, \
                   stored, corner, out_stride);                                                \
  break
      switch (x->row_count - row) {
        case 1: SUBTILE(1);
        case 2: SUBTILE(2);
        case 3: SUBTILE(3);
        default: SUBTILE(4);
      }
#undef SUBTILE
    }
  }
}

#include "loops/matmul_forms.h"

typedef __m256i sum_register;

static inline __m256i add_products(bool narrow, __m256i sum, __m256i weights, __m256i quants) {
  __m256i pairs = _mm256_maddubs_epi16(weights, quants);
  if (narrow) return _mm256_add_epi16(sum, pairs);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#define FLARE_NARROW_SUMS
#include "loops/limits_forms.h"

#pragma clang attribute pop

const flare_kernels flare_kernels_avx2 = FLARE_KERNEL_TABLE;

#endif
