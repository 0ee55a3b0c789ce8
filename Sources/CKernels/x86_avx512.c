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
    __m512i start = type == Q4_K ? _mm512_setzero_si512() : _mm512_set1_epi32(starts[i]);
    sums[i] = type == INT8 ? _mm512_slli_epi32(start, 4) : start;
  }
  for (int load = 0; load < (type == INT8 ? 8 : 4); load++) {
    __m512i bytes = _mm512_loadu_si512(weights + 64 * load);
    if (type == INT8) {
      add_chunk(rows, bytes, quants + 4 * load, sums);
    } else {
      add_chunk(rows, _mm512_and_si512(bytes, nibble), quants + 4 * load, sums);
      add_chunk(rows, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble),
                quants + 4 * load + 16, sums);
    }
  }
}

static inline __m512 group_scale(weight_type type, const uint8_t *scales,
                                 const uint8_t *block_scales) {
  switch (type) {
    case INT8:
    case INT4: return load_halves(scales);
    case Q4_K: return scale_q4_k(scales, block_scales);
    case Q6_K: return load_halves(block_scales);
  }
}

/// 16 weight rows times a tile of `rows` activations; `type` and `rows` are literals, so that the
/// sums stay in registers. The groups of a sum are added from left to right.
static inline __attribute__((always_inline)) void multiply_tile(
    weight_type type, int rows, panel_parts panel, size_t panel_size, size_t groups,
    const int8_t *quants, const float *activation_scales, const int32_t *starts, __mmask16 stored,
    float *out, size_t out_stride) {
  const uint8_t *weights = panel.quants, *scales = panel.scales;
  const size_t scales_size = panel_size - groups * group_size(type);
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

    const uint8_t *block_scales = panel.block_scales + g / BLOCK_GROUPS * block_scales_size(type);
    sum_group(type, rows, weights, scales, quants, starts, sums);
    __m512 scale = group_scale(type, scales, block_scales);
    for (int i = 0; i < rows; i++) {
      __m512 product = _mm512_mul_ps(scale, _mm512_set1_ps(activation_scales[i]));
      totals[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i]), product, totals[i]);
    }
    if (type == Q4_K) {
      __m512 minimum = minimum_q4_k(scales, block_scales);
      for (int i = 0; i < rows; i++) {
        __m512 sum = _mm512_set1_ps(negative_sum(activation_scales[i], starts[i]));
        totals[i] = _mm512_fmadd_ps(minimum, sum, totals[i]);
      }
    }
    weights += group_size(type);
    scales += GROUP_SCALES_SIZE;
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
    panel_parts parts = parts_of_panel(type, w, panel);
    size_t left = w->row_count - panel * FLARE_PANEL_ROWS;
    __mmask16 stored = left < FLARE_PANEL_ROWS ? (__mmask16)((1u << left) - 1) : 0xFFFF;
    for (size_t row = 0; row < x->row_count; row += FLARE_TILE_ROWS) {
      const int8_t *quants = x->quants + row * groups * FLARE_GROUP_SIZE;
      const float *scales = x->scales + row * groups;
      const int32_t *starts = x->starts + row * groups;
      float *tile = out + row * out_stride + panel * FLARE_PANEL_ROWS;
#define TILE(rows)                                                                            \
  multiply_tile(type, rows, parts, w->panel_size, groups, quants, scales, starts, stored, tile, \
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

#pragma clang attribute pop

const flare_kernels flare_kernels_avx512 = FLARE_KERNEL_TABLE;

#endif
