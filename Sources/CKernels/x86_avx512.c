// AVX-512 with VNNI: `vpdpbusd` takes 4 columns of 16 rows, as the layout holds them, at a time.

#if defined(__x86_64__)

#include <immintrin.h>

#include "forms.h"

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)

#define FLARE_FORM avx512
#define FLARE_VECTOR_SIZE 64
#define FLARE_HARDWARE_F16
#include "loops/all.h"
#include "loops/weights.h"
#include "loops/tiles.h"

static inline __m512 load_halves(const uint8_t *halves) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
}

#include "k_quants/avx512.h"

/// Adds the products of 4 columns of 16 rows with the activations at `x` of each row of the tile.
static inline __attribute__((always_inline)) void add_chunk(int rows, __m512i weights,
                                                            const int8_t *x, __m512i *sums) {
  for (int i = 0; i < rows; i++) {
    int32_t chunk;
    memcpy(&chunk, x + FLARE_GROUP_SIZE * i, sizeof chunk);
    sums[i] = _mm512_dpbusd_epi32(sums[i], weights, _mm512_set1_epi32(chunk));
  }
}

/// The sums of a group that its scales multiply.
static inline __attribute__((always_inline)) void sum_group(weight_type type, int rows,
                                                            const uint8_t *weights,
                                                            const uint8_t *scales,
                                                            const int8_t *quants,
                                                            const int32_t *starts, __m512i *sums) {
  if (type == Q6_K) {
    sum_group_q6_k(rows, weights, scales, quants, sums);
    return;
  }
  const __m512i nibble = _mm512_set1_epi8(0x0F);
  for (int i = 0; i < rows; i++) {
    __m512i start = has_minimums(type) ? _mm512_setzero_si512() : _mm512_set1_epi32(starts[i]);
    sums[i] = type == INT8 ? _mm512_slli_epi32(start, 4) : start;
  }
  for (int load = 0; load < (type == INT8 ? 8 : 4); load++) {
    __m512i bytes = _mm512_loadu_si512(weights + 64 * load);
    if (type == INT8) {
      add_chunk(rows, bytes, quants + 4 * load, sums);
      continue;
    }
    __m512i low = _mm512_and_si512(bytes, nibble);
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble);
    if (type == Q5_K) {
      low = _mm512_or_si512(low, fifth_bits(weights, load));
      high = _mm512_or_si512(high, fifth_bits(weights, load + 4));
    }
    add_chunk(rows, low, quants + 4 * load, sums);
    add_chunk(rows, high, quants + 4 * load + 16, sums);
  }
}

static inline __m512 group_scale(weight_type type, const uint8_t *scales,
                                 const uint8_t *block_scales) {
  switch (type) {
    case INT8:
    case INT4: return load_halves(scales);
    case Q4_K:
    case Q5_K: return scale_q4_k(scales, block_scales);
    case Q6_K: return load_halves(block_scales);
  }
}

static inline __attribute__((always_inline)) void multiply_tile(weight_type type, int rows,
                                                                tile_product t) {
  const uint8_t *weights = t.panel.quants, *scales = t.panel.scales;
  __m512 totals[FLARE_TILE_ROWS];
  __m512i sums[FLARE_TILE_ROWS];
  for (int i = 0; i < rows; i++) totals[i] = _mm512_setzero_ps();
  for (size_t g = 0; g < t.groups; g++) {
    prefetch_ahead(type, weights, scales, g, t);
    const uint8_t *block_scales = t.panel.block_scales + g / BLOCK_GROUPS * block_scales_size(type);
    sum_group(type, rows, weights, scales, t.quants, t.starts, sums);
    __m512 scale = group_scale(type, scales, block_scales);
    for (int i = 0; i < rows; i++) {
      __m512 product = _mm512_mul_ps(scale, _mm512_set1_ps(t.scales[i]));
      totals[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i]), product, totals[i]);
    }
    if (has_minimums(type)) {
      __m512 minimum = minimum_q4_k(scales, block_scales);
      for (int i = 0; i < rows; i++) {
        __m512 sum = _mm512_set1_ps(negative_sum(t.scales[i], t.starts[i]));
        totals[i] = _mm512_fmadd_ps(minimum, sum, totals[i]);
      }
    }
    weights += group_size(type);
    scales += GROUP_SCALES_SIZE;
    t.quants += rows * FLARE_GROUP_SIZE;
    t.scales += rows;
    t.starts += rows;
  }
  __mmask16 stored = (__mmask16)((1u << t.stored) - 1);
  for (int i = 0; i < rows; i++)
    _mm512_mask_storeu_ps(t.out + i * t.out_stride, stored, totals[i]);
}

#include "loops/matmul_forms.h"

typedef __m512i sum_register;

static inline __m512i add_products(bool narrow, __m512i sum, __m512i weights, __m512i quants) {
  return _mm512_dpbusd_epi32(sum, weights, quants);
}

#include "loops/limits_forms.h"

#pragma clang attribute pop

const flare_kernels flare_kernels_avx512 = FLARE_KERNEL_TABLE;

#endif
