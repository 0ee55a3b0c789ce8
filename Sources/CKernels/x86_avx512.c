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

/// How far ahead of its use a weight is asked for. The hardware's own prefetcher stops at pages and
/// loses its way where a panel turns from quants to scales.
#define PREFETCH_DISTANCE 4096

/// 16 weight rows times a tile of `rows` activations; `type` and `rows` are literals, so that the
/// sums stay in registers. The groups of a sum are added from left to right.
static inline __attribute__((always_inline)) void multiply_tile(
    weight_type type, int rows, const uint8_t *weights, size_t panel_size, size_t groups,
    const int8_t *quants, const float *activation_scales, const int32_t *starts, __mmask16 stored,
    float *out, size_t out_stride) {
  const uint8_t *scales = weights + groups * group_size(type);
  const size_t scales_size = panel_size - groups * group_size(type);
  const __m512i nibble = _mm512_set1_epi8(0x0F);
  __m512 totals[FLARE_TILE_ROWS];
  __m512i sums[FLARE_TILE_ROWS];
  for (int i = 0; i < rows; i++) totals[i] = _mm512_setzero_ps();

  for (size_t g = 0; g < groups; g++) {
    // Quants of a later group, in the next panel near the end of this one; scales of this group in
    // the next panel, whose first ones would otherwise be waited for.
    const uint8_t *later = weights + PREFETCH_DISTANCE;
    if (g + PREFETCH_DISTANCE / group_size(type) >= groups) later += scales_size;
    for (size_t line = 0; line < group_size(type); line += 64)
      _mm_prefetch(later + line, _MM_HINT_T0);
    _mm_prefetch(scales + panel_size, _MM_HINT_T1);

    for (int i = 0; i < rows; i++) {
      __m512i start = _mm512_set1_epi32(starts[i]);
      sums[i] = type == INT4 ? start : _mm512_slli_epi32(start, 4);
    }
    for (int load = 0; load < (type == INT4 ? 4 : 8); load++) {
      __m512i bytes = _mm512_loadu_si512(weights + 64 * load);
      __m512i low = type == INT4 ? _mm512_and_si512(bytes, nibble) : bytes;
      for (int i = 0; i < rows; i++) {
        int32_t chunk;
        memcpy(&chunk, quants + FLARE_GROUP_SIZE * i + 4 * load, sizeof chunk);
        sums[i] = _mm512_dpbusd_epi32(sums[i], low, _mm512_set1_epi32(chunk));
      }
      if (type != INT4) continue;
      __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble);
      for (int i = 0; i < rows; i++) {
        int32_t chunk;
        memcpy(&chunk, quants + FLARE_GROUP_SIZE * i + 4 * load + 16, sizeof chunk);
        sums[i] = _mm512_dpbusd_epi32(sums[i], high, _mm512_set1_epi32(chunk));
      }
    }
    __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
    for (int i = 0; i < rows; i++) {
      __m512 product = _mm512_mul_ps(scale, _mm512_set1_ps(activation_scales[i]));
      totals[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i]), product, totals[i]);
    }
    weights += group_size(type);
    scales += 2 * FLARE_PANEL_ROWS;
    quants += rows * FLARE_GROUP_SIZE;
    activation_scales += rows;
    starts += rows;
  }
  for (int i = 0; i < rows; i++) _mm512_mask_storeu_ps(out + i * out_stride, stored, totals[i]);
}

static inline __attribute__((always_inline)) void matmul(weight_type type, const flare_panels *w,
                                                         const flare_activations *x, float *out,
                                                         size_t out_stride, size_t first,
                                                         size_t end) {
  size_t groups = w->group_count;
  for (size_t panel = first; panel < end; panel++) {
    const uint8_t *weights = w->bytes + panel * w->panel_size;
    size_t left = w->row_count - panel * FLARE_PANEL_ROWS;
    __mmask16 stored = left < FLARE_PANEL_ROWS ? (__mmask16)((1u << left) - 1) : 0xFFFF;
    for (size_t row = 0; row < x->row_count; row += FLARE_TILE_ROWS) {
      const int8_t *quants = x->quants + row * groups * FLARE_GROUP_SIZE;
      const float *scales = x->scales + row * groups;
      const int32_t *starts = x->starts + row * groups;
      float *tile = out + row * out_stride + panel * FLARE_PANEL_ROWS;
#define TILE(rows)                                                                            \
  multiply_tile(type, rows, weights, w->panel_size, groups, quants, scales, starts, stored, tile, \
                out_stride);                                                                  \
  break
      switch (x->row_count - row) {
        case 1: TILE(1);
        case 2: TILE(2);
        case 3: TILE(3);
        case 4: TILE(4);
        case 5: TILE(5);
        case 6: TILE(6);
        case 7: TILE(7);
        default: TILE(8);
      }
#undef TILE
    }
  }
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
