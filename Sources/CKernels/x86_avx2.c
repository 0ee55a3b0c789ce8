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
/// The sums of a tile: a register for each of its activation rows and each half of the panel.
#define MAXIMUM_SUMS FLARE_TILE_ROWS

/// Unrolled, the loads of all steps are moved up and push the sums out of their registers.
#define KEEP_ROLLED _Pragma("clang loop unroll(disable)")

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

/// `halves` halves of a panel times `rows` activations of a tile. The type, `halves` and `rows` are
/// literals with at most MAXIMUM_SUMS sums, which then stay in registers; the totals are in the
/// first cache.
static inline __attribute__((always_inline)) void multiply_tile(
    weight_type type, int halves, int rows, const uint8_t *weights, const uint8_t *scales,
    size_t groups, const int8_t *quants, const float *activation_scales, const int32_t *starts,
    const __m256i *stored, float *out, size_t out_stride, size_t panel_size) {
  const size_t scales_size = panel_size - groups * group_size(type);
  __m256 totals[2][FLARE_TILE_ROWS];
  __m256i sums[2][FLARE_TILE_ROWS];
  for (int h = 0; h < halves; h++)
    for (int i = 0; i < rows; i++) totals[h][i] = _mm256_setzero_ps();
  for (size_t g = 0; g < groups; g++) {
    if (halves == 2)
      prefetch_ahead(type, weights, scales, groups - g, scales_size, panel_size);
    for (int h = 0; h < halves; h++) {
      if (type == INT4)
        sum_group_int4(rows, weights + 32 * h, quants, starts, sums[h]);
      else
        sum_group_int8(rows, weights + 32 * h, quants, sums[h]);
      __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(scales + 16 * h)));
      for (int i = 0; i < rows; i++) {
        __m256 product = _mm256_mul_ps(scale, _mm256_set1_ps(activation_scales[i]));
        totals[h][i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[h][i]), product, totals[h][i]);
      }
    }
    weights += group_size(type);
    scales += 2 * FLARE_PANEL_ROWS;
    quants += rows * FLARE_GROUP_SIZE;
    activation_scales += rows;
    starts += rows;
  }
  for (int h = 0; h < halves; h++)
    for (int i = 0; i < rows; i++)
      _mm256_maskstore_ps(out + i * out_stride + HALF_PANEL * h, stored[h], totals[h][i]);
}

static inline __attribute__((always_inline)) void matmul(weight_type type, const flare_panels *w,
                                                         const flare_activations *x, float *out,
                                                         size_t out_stride, size_t first,
                                                         size_t end) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  size_t groups = w->group_count;
  for (size_t panel = first; panel < end; panel++) {
    const uint8_t *weights = w->bytes + panel * w->panel_size;
    const uint8_t *weight_scales = weights + groups * group_size(type);
    size_t rows_left = w->row_count - panel * FLARE_PANEL_ROWS;
    int stored_rows = rows_left < FLARE_PANEL_ROWS ? (int)rows_left : FLARE_PANEL_ROWS;
    const __m256i stored[2] = {
        _mm256_cmpgt_epi32(_mm256_set1_epi32(stored_rows), lane),
        _mm256_cmpgt_epi32(_mm256_set1_epi32(stored_rows - HALF_PANEL), lane),
    };
    for (size_t row = 0; row < x->row_count; row += FLARE_TILE_ROWS) {
      const int8_t *quants = x->quants + row * groups * FLARE_GROUP_SIZE;
      const float *scales = x->scales + row * groups;
      const int32_t *starts = x->starts + row * groups;
      float *corner = out + row * out_stride + panel * FLARE_PANEL_ROWS;
#define TILE(half, halves, rows)                                                               \
  multiply_tile(type, halves, rows, weights + 32 * half, weight_scales + 16 * half, groups, quants, \
                scales, starts, stored + half, corner + HALF_PANEL * half, out_stride, \
                w->panel_size)
#define TILE_AT_ONCE(rows) \
  TILE(0, 2, rows);        \
  break
#define TILE_BY_HALVES(rows) \
  TILE(0, 1, rows);          \
  TILE(1, 1, rows);          \
  break
      switch (x->row_count - row) {
        case 1: TILE_AT_ONCE(1);
        case 2: TILE_AT_ONCE(2);
        case 3: TILE_AT_ONCE(3);
        case 4: TILE_AT_ONCE(4);
        case 5: TILE_BY_HALVES(5);
        case 6: TILE_BY_HALVES(6);
        case 7: TILE_BY_HALVES(7);
        default: TILE_BY_HALVES(8);
      }
    }
  }
}

#include "loops/matmul_forms.h"

#pragma clang attribute pop

const flare_kernels flare_kernels_avx2 = FLARE_KERNEL_TABLE;

#endif
